package supervise

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/jay-go/jay/control"
)

// fakeWorld is a world in which nothing happens by itself. It notes what the
// machine does and complains when that makes no sense.
type fakeWorld struct {
	Clock     instant
	Procs     []*fakeProc
	Sockets   []fakeSocket
	Files     []int // open builds
	Describes []fakeDescribe
	NextPID   int
	NextFD    int
	FailStart int // this many starts fail
	Problems  []string
	Slow      bool // orders are taken when takeOrders is called, and may be lost; otherwise at once

	machine *machine
	exits   []WorkerExit // for assertions of single tests
	given   []fakeOrder
}

type fakeProc struct {
	PID      int
	ID       uint32
	Sockets  []int
	Ready    bool // it has said so
	Drained  bool // it was told to go
	Killed   bool
	Hung     bool // it does nothing any more
	Starting bool
	Orders   []fakeOrder // on their way
}

// fakeOrder is an order as it was given.
type fakeOrder struct {
	Kind           orderKind
	N              int
	Sockets, Added []int
	Drain          drainOrder
}

// ends reports a process that is going to exit.
func (p *fakeProc) ends() bool { return p.Killed || p.Drained && !p.Hung }

// hasOrders reports a process that is about to take orders.
func (p *fakeProc) hasOrders() bool { return len(p.Orders) > 0 && !p.Hung && !p.Killed }

type fakeSocket struct {
	FD    int
	Key   socketKey
	Share bool

	Refusing bool // nobody new comes in
}

type fakeDescribe struct {
	Token int
	Kind  commandKind
}

var _ world = (*fakeWorld)(nil)

func (f *fakeWorld) problem(format string, args ...any) {
	f.Problems = append(f.Problems, fmt.Sprintf(format, args...))
}

func (f *fakeWorld) now() instant { return f.Clock }

func (f *fakeWorld) jitter(d time.Duration) time.Duration { return d }

func (f *fakeWorld) log(slog.Level, string, ...any) {}

func (f *fakeWorld) exited(e WorkerExit) { f.exits = append(f.exits, e) }

func (f *fakeWorld) reloaded() {}

func (f *fakeWorld) start(w *worker, b *build, sockets []*socket) (int, error) {
	if f.FailStart > 0 {
		f.FailStart--
		return 0, errors.New("fork: resource temporarily unavailable")
	}
	if b == nil || !slices.Contains(f.Files, b.File) {
		f.problem("worker %s/%d is started from a file that is not open", w.Program, w.Slot)
		return 0, errors.New("no file")
	}
	for _, p := range f.Procs {
		if other := f.machine.worker(p.ID); other.Program == w.Program && (other.Exclusive || w.Exclusive) {
			f.problem("worker %s/%d is started beside pid %d, and the program is exclusive", w.Program, w.Slot, p.PID)
		}
	}
	f.NextPID++
	p := &fakeProc{PID: f.NextPID, ID: w.ID, Starting: true}
	for _, s := range sockets {
		if s == nil || !f.hasSocket(s.ID) {
			f.problem("worker %s/%d is started with a socket that is not open", w.Program, w.Slot)
			continue
		}
		p.Sockets = append(p.Sockets, s.ID)
	}
	f.Procs = append(f.Procs, p)
	return p.PID, nil
}

func (f *fakeWorld) hasSocket(fd int) bool {
	return slices.ContainsFunc(f.Sockets, func(s fakeSocket) bool { return s.FD == fd })
}

func (f *fakeWorld) proc(pid int) *fakeProc {
	for _, p := range f.Procs {
		if p.PID == pid {
			return p
		}
	}
	return nil
}

func (f *fakeWorld) kill(w *worker) {
	p := f.proc(w.PID)
	if p == nil {
		f.problem("pid %d is killed and was reaped before", w.PID)
		return
	}
	p.Killed = true
}

func (f *fakeWorld) drain(w *worker, order int, d drainOrder) {
	f.give(w, fakeOrder{Kind: orderDrain, N: order, Drain: d})
}

func (f *fakeWorld) reload(w *worker, order int) {
	f.give(w, fakeOrder{Kind: orderReload, N: order})
}

func (f *fakeWorld) giveSockets(w *worker, order int, all, added []*socket) {
	f.give(w, fakeOrder{Kind: orderSockets, N: order, Sockets: idsOf(all), Added: idsOf(added)})
}

func idsOf(sockets []*socket) (ids []int) {
	for _, s := range sockets {
		ids = append(ids, s.ID)
	}
	return ids
}

func (f *fakeWorld) give(w *worker, o fakeOrder) {
	f.given = append(f.given, o)
	p := f.proc(w.PID)
	if p == nil {
		f.problem("the order %s is given to pid %d, which was reaped before", o.Kind, w.PID)
		return
	}
	o.Drain.Dump = false
	for _, id := range o.Added {
		if !f.hasSocket(id) {
			f.problem("pid %d is given socket %d, which is not open", w.PID, id)
		}
	}
	if f.Slow {
		p.Orders = append(p.Orders, o)
		return
	}
	p.take(o)
	f.machine.onTaken(evTaken{w.ID, o.N})
}

// take carries an order out. It says whether that could be done.
func (p *fakeProc) take(o fakeOrder) bool {
	switch o.Kind {
	case orderDrain:
		p.Drained = true
	case orderSockets:
		had := p.Sockets
		p.Sockets = nil
		for _, id := range o.Sockets {
			if slices.Contains(o.Added, id) || slices.Contains(had, id) {
				p.Sockets = append(p.Sockets, id)
			}
		}
		return len(p.Sockets) == len(o.Sockets)
	}
	return true
}

func (f *fakeWorld) open(_ *programSpec, key socketKey, reusePort bool) (*socket, error) {
	for _, s := range f.Sockets {
		if s.Key.Addr == key.Addr && !(s.Share && reusePort) {
			return nil, errors.New("address already in use")
		}
	}
	f.NextFD++
	f.Sockets = append(f.Sockets, fakeSocket{FD: f.NextFD, Key: key, Share: reusePort})
	return &socket{ID: f.NextFD, Addr: key.Addr}, nil
}

func (f *fakeWorld) share(id int) error {
	for i := range f.Sockets {
		if f.Sockets[i].FD == id {
			f.Sockets[i].Share = true
			return nil
		}
	}
	f.problem("socket %d is shared and not open", id)
	return nil
}

func (f *fakeWorld) setBacklog(s *socket, _ int) {
	if !f.hasSocket(s.ID) {
		f.problem("socket %d is changed and not open", s.ID)
	}
}

func (f *fakeWorld) fakeSocket(s *socket, what string) *fakeSocket {
	i := slices.IndexFunc(f.Sockets, func(o fakeSocket) bool { return o.FD == s.ID })
	if i < 0 {
		f.problem("socket %d %s and is not open", s.ID, what)
		return &fakeSocket{}
	}
	return &f.Sockets[i]
}

func (f *fakeWorld) refuse(s *socket) { f.fakeSocket(s, "refuses newcomers").Refusing = true }

func (f *fakeWorld) admit(s *socket) bool {
	f.fakeSocket(s, "admits newcomers").Refusing = false
	return true
}

func (f *fakeWorld) close(s *socket) {
	if !f.hasSocket(s.ID) {
		f.problem("socket %d is closed twice", s.ID)
	}
	f.Sockets = slices.DeleteFunc(f.Sockets, func(o fakeSocket) bool { return o.FD == s.ID })
}

func (f *fakeWorld) describe(token int, kind commandKind) {
	f.Describes = append(f.Describes, fakeDescribe{token, kind})
}

func (f *fakeWorld) closeBuild(b *build) {
	if !slices.Contains(f.Files, b.File) {
		f.problem("build file %d is closed twice", b.File)
	}
	f.Files = slices.DeleteFunc(f.Files, func(n int) bool { return n == b.File })
}

// openFile is a file that a description comes with.
func (f *fakeWorld) openFile() int {
	f.NextFD++
	f.Files = append(f.Files, f.NextFD)
	return f.NextFD
}

// reap ends a process and gives the event of it.
func (f *fakeWorld) reap(p *fakeProc) evExited {
	f.Procs = slices.DeleteFunc(f.Procs, func(o *fakeProc) bool { return o == p })
	return evExited{PID: p.PID, Cause: "exit 1"}
}

// fakeService is a machine in a fake world.
type fakeService struct {
	World   *fakeWorld
	Machine *machine
}

func newFakeService(specs ...programSpec) (*fakeService, error) {
	w := &fakeWorld{Clock: 1}
	m, err := newMachine(w, evDescribed{File: w.openFile(), Specs: specs}, 1)
	if err != nil {
		return nil, err
	}
	w.machine = m
	s := &fakeService{w, m}
	m.step(evTick{})
	return s, nil
}

// clone is a deep copy, made through the encoding that an upgrade uses.
func (s *fakeService) clone() *fakeService {
	b, err := json.Marshal(s.Machine.state)
	if err != nil {
		panic(err)
	}
	var st state
	if err := json.Unmarshal(b, &st); err != nil {
		panic(err)
	}
	if b, err = json.Marshal(s.World); err != nil {
		panic(err)
	}
	w := &fakeWorld{}
	if err := json.Unmarshal(b, w); err != nil {
		panic(err)
	}
	m, err := resume(w, st)
	if err != nil {
		panic(err)
	}
	w.machine = m
	return &fakeService{w, m}
}

// copy is clone by memory.
func (s *fakeService) copy() *fakeService {
	w := deepCopy(s.World)
	w.machine = &machine{world: w, state: *deepCopy(&s.Machine.state)}
	return &fakeService{w, w.machine}
}

// command registers an operation as the control API does, and steps.
func (s *fakeService) command(ev evCommand) *control.Operation {
	op := s.Machine.newOperation(ev.Kind)
	ev.Op = op.ID
	s.Machine.step(ev)
	return op
}

// allReady lets every process that has not said so be ready.
func (s *fakeService) allReady() {
	for _, p := range slices.Clone(s.World.Procs) {
		if !p.Ready && !p.Killed && !p.Hung {
			p.Ready = true
			s.Machine.step(evReady{ID: p.ID})
		}
	}
}

// takeOrders lets a process carry out what it was told. Its answers reach the
// machine.
func (s *fakeService) takeOrders(p *fakeProc) {
	orders := p.Orders
	p.Orders = nil
	for _, o := range orders {
		if p.take(o) {
			s.Machine.step(evTaken{p.ID, o.N})
		} else {
			s.Machine.step(evUndelivered{p.ID, o.N, "sockets have not arrived"})
		}
	}
}

// tick lets time pass until the machine's next deadline, and says whether
// there was one.
func (s *fakeService) tick() bool {
	at := s.Machine.nextDeadline()
	if at == 0 {
		return false
	}
	s.World.Clock = max(s.World.Clock, at)
	s.Machine.step(evTick{})
	return true
}

// described answers the oldest question.
func (s *fakeService) described(err error, specs ...programSpec) {
	d := s.World.Describes[0]
	s.World.Describes = s.World.Describes[1:]
	ev := evDescribed{Token: d.Token, Err: err, Specs: specs}
	if err == nil {
		ev.File = s.World.openFile()
	}
	s.Machine.step(ev)
}

// beginTrial makes the service one that a restart has just begun anew.
func (s *fakeService) beginTrial() {
	before := s.Machine.newOperation(commandRestart)
	s.Machine.beginTrial(state{Operations: []*control.Operation{before}, NextOperation: s.Machine.NextOperation})
}

// exec continues as the master that an upgrade has put in this one's place.
func (s *fakeService) exec(specs ...programSpec) {
	next := s.clone()
	*s.World, *s.Machine = *next.World, *next.Machine
	s.Machine.world, s.World.machine = s.World, s.Machine
	s.Machine.upgraded(specs)
}
