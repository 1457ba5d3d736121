package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/jay-go/jay/control"
)

// fakeWorld is a world in which nothing happens by itself. It notes what the
// machine does and complains when that makes no sense.
type fakeWorld struct {
	Clock     Instant
	Procs     []*fakeProc
	Sockets   []fakeSocket
	Files     []int // open builds
	Describes []fakeDescribe
	NextPID   int
	NextFD    int
	FailStart int  // this many starts fail
	FailOpen  int  // this many sockets cannot be bound
	NoAdmit   bool // sockets that refuse newcomers cannot be had back
	Give      bool // sockets are the service manager's
	Problems  []string
	Slow      bool // orders are taken when takeOrders is called, and may be lost; otherwise at once

	machine *Machine
	exits   []Exit // for assertions of single tests
	lines   []string
	reloads int
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
	Deaf     bool        // it takes no orders any more
	Orders   []fakeOrder // on their way
}

// fakeOrder is an order as it was given.
type fakeOrder struct {
	Kind           orderKind
	N              int
	Sockets, Added []int
	Drain          Drain
}

// ends reports a process that is going to exit.
func (p *fakeProc) ends() bool { return p.Killed || p.Drained && !p.Hung }

// hasOrders reports a process that is about to take orders.
func (p *fakeProc) hasOrders() bool { return len(p.Orders) > 0 && !p.Hung && !p.Killed && !p.Deaf }

type fakeSocket struct {
	FD    int
	Key   SocketKey
	Share bool

	Backlog  int
	Refusing bool // nobody new comes in
	Removed  bool // its path is free
	Admitted bool // after it had refused
}

type fakeDescribe struct {
	Token int
	Kind  CommandKind
}

var _ World = (*fakeWorld)(nil)

func (f *fakeWorld) problem(format string, args ...any) {
	f.Problems = append(f.Problems, fmt.Sprintf(format, args...))
}

func (f *fakeWorld) Now() Instant { return f.Clock }

func (f *fakeWorld) Jitter(d time.Duration) time.Duration { return d }

func (f *fakeWorld) Log(_ slog.Level, text string, _ ...any) { f.lines = append(f.lines, text) }

func (f *fakeWorld) Exited(e Exit) { f.exits = append(f.exits, e) }

func (f *fakeWorld) Reloaded() { f.reloads++ }

func (f *fakeWorld) Start(w *Worker, b *Build, sockets []*Socket) (int, error) {
	if f.FailStart > 0 {
		f.FailStart--
		return 0, errors.New("fork: resource temporarily unavailable")
	}
	if b == nil || !slices.Contains(f.Files, b.File) {
		f.problem("worker %s/%d is started from a file that is not open", w.Program, w.Slot)
		return 0, errors.New("no file")
	}
	for _, p := range f.Procs {
		if other := f.machine.Worker(p.ID); other.Program == w.Program && (other.Exclusive || w.Exclusive) {
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

func (f *fakeWorld) Kill(w *Worker) {
	p := f.proc(w.PID)
	if p == nil {
		f.problem("pid %d is killed and was reaped before", w.PID)
		return
	}
	p.Killed = true
}

func (f *fakeWorld) Drain(w *Worker, order int, d Drain) {
	f.give(w, fakeOrder{Kind: orderDrain, N: order, Drain: d})
}

func (f *fakeWorld) Reload(w *Worker, order int) {
	f.give(w, fakeOrder{Kind: orderReload, N: order})
}

func (f *fakeWorld) GiveSockets(w *Worker, order int, all, added []*Socket) {
	f.give(w, fakeOrder{Kind: orderSockets, N: order, Sockets: idsOf(all), Added: idsOf(added)})
}

func idsOf(sockets []*Socket) (ids []int) {
	for _, s := range sockets {
		ids = append(ids, s.ID)
	}
	return ids
}

func (f *fakeWorld) give(w *Worker, o fakeOrder) {
	f.given = append(f.given, o)
	p := f.proc(w.PID)
	if p == nil {
		f.problem("the order %s is given to pid %d, which was reaped before", o.Kind, w.PID)
		return
	}
	if o.Kind == orderSockets && w.State == WorkerDraining {
		f.problem("pid %d drains, and is told to accept", w.PID)
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
	f.machine.Take(Taken{w.ID, o.N})
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

func (f *fakeWorld) Open(_ *Spec, key SocketKey, reusePort bool) (*Socket, error) {
	if f.FailOpen > 0 {
		f.FailOpen--
		return nil, errors.New("address already in use")
	}
	for _, s := range f.Sockets {
		if s.Key.Addr == key.Addr && !s.Removed && !(s.Share && reusePort) {
			return nil, errors.New("address already in use")
		}
	}
	f.NextFD++
	f.Sockets = append(f.Sockets, fakeSocket{FD: f.NextFD, Key: key, Share: reusePort})
	bound := key.Addr
	if host, isAny := strings.CutSuffix(bound, ":0"); isAny {
		bound = fmt.Sprintf("%s:%d", host, 40000+f.NextFD)
	}
	return &Socket{ID: f.NextFD, Addr: bound, Given: f.Give}, nil
}

func (f *fakeWorld) Share(id int) error {
	for i := range f.Sockets {
		if f.Sockets[i].FD == id {
			f.Sockets[i].Share = true
			return nil
		}
	}
	f.problem("socket %d is shared and not open", id)
	return nil
}

func (f *fakeWorld) SetBacklog(s *Socket, backlog int) {
	f.fakeSocket(s, "is changed").Backlog = backlog
}

func (f *fakeWorld) fakeSocket(s *Socket, what string) *fakeSocket {
	i := slices.IndexFunc(f.Sockets, func(o fakeSocket) bool { return o.FD == s.ID })
	if i < 0 {
		f.problem("socket %d %s and is not open", s.ID, what)
		return &fakeSocket{}
	}
	return &f.Sockets[i]
}

func (f *fakeWorld) Refuse(s *Socket) { f.fakeSocket(s, "refuses newcomers").Refusing = true }

func (f *fakeWorld) Admit(s *Socket) bool {
	k := f.fakeSocket(s, "admits newcomers")
	k.Admitted = k.Refusing && !f.NoAdmit
	k.Refusing = k.Refusing && f.NoAdmit
	return !k.Refusing
}

func (f *fakeWorld) Close(s *Socket) {
	if !f.hasSocket(s.ID) {
		f.problem("socket %d is closed twice", s.ID)
	}
	f.Sockets = slices.DeleteFunc(f.Sockets, func(o fakeSocket) bool { return o.FD == s.ID })
}

func (f *fakeWorld) Describe(token int, kind CommandKind) {
	f.Describes = append(f.Describes, fakeDescribe{token, kind})
}

func (f *fakeWorld) CloseBuild(b *Build) {
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
func (f *fakeWorld) reap(p *fakeProc) Exited {
	f.Procs = slices.DeleteFunc(f.Procs, func(o *fakeProc) bool { return o == p })
	return Exited{PID: p.PID, Cause: "exit 1"}
}

// fakeService is a machine in a fake world.
type fakeService struct {
	World   *fakeWorld
	Machine *Machine
}

func newFakeService(specs ...Spec) (*fakeService, error) {
	w := &fakeWorld{Clock: 1}
	m, err := New(w, Described{File: w.openFile(), Specs: specs}, 1)
	if err != nil {
		return nil, err
	}
	w.machine = m
	s := &fakeService{w, m}
	m.Step(Tick{})
	return s, nil
}

// clone is a deep copy, made through the encoding that an upgrade uses.
func (s *fakeService) clone() *fakeService {
	b, err := json.Marshal(s.Machine.State)
	if err != nil {
		panic(err)
	}
	var st State
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
	m, err := Resume(w, st)
	if err != nil {
		panic(err)
	}
	w.machine = m
	return &fakeService{w, m}
}

// copy is clone by memory.
func (s *fakeService) copy() *fakeService {
	w := deepCopy(s.World)
	w.machine = &Machine{world: w, State: *deepCopy(&s.Machine.State)}
	return &fakeService{w, w.machine}
}

// command registers an operation as the control API does, and steps.
func (s *fakeService) command(ev Command) *control.Operation {
	op := s.Machine.NewOperation(ev.Kind)
	ev.Op = op.ID
	s.Machine.Step(ev)
	return op
}

// allReady lets every process that has not said so be ready.
func (s *fakeService) allReady() {
	for _, p := range slices.Clone(s.World.Procs) {
		if !p.Ready && !p.Killed && !p.Hung {
			p.Ready = true
			s.Machine.Step(Ready{ID: p.ID})
		}
	}
}

// takeOrders lets a process carry out what it was told. Its acknowledgements reach the
// machine.
func (s *fakeService) takeOrders(p *fakeProc) {
	for _, ev := range p.takeAll() {
		s.Machine.Step(ev)
	}
}

// takeAll lets a process carry out what it was told, and returns what it says of it.
func (p *fakeProc) takeAll() (said []Event) {
	for _, o := range p.Orders {
		if p.take(o) {
			said = append(said, Taken{p.ID, o.N})
		} else {
			said = append(said, Undelivered{p.ID, o.N, "sockets have not arrived"})
		}
	}
	p.Orders = nil
	return said
}

// tick lets time pass until the machine's next deadline, and says whether
// there was one.
func (s *fakeService) tick() bool {
	at := s.Machine.NextDeadline()
	if at == 0 {
		return false
	}
	s.World.Clock = max(s.World.Clock, at)
	s.Machine.Step(Tick{})
	return true
}

// described answers the oldest question.
func (s *fakeService) described(err error, specs ...Spec) {
	d := s.World.Describes[0]
	s.World.Describes = s.World.Describes[1:]
	ev := Described{Token: d.Token, Err: err, Specs: specs}
	if err == nil {
		ev.File = s.World.openFile()
	}
	s.Machine.Step(ev)
}

// beginTrial makes the service one that a restart has just begun anew.
func (s *fakeService) beginTrial() {
	before := s.Machine.NewOperation(CommandRestart)
	s.Machine.BeginTrial(State{Operations: []*control.Operation{before}, NextOperation: s.Machine.NextOperation})
}

// exec continues as the master that an upgrade has put in this one's place.
func (s *fakeService) exec(specs ...Spec) {
	next := s.clone()
	*s.World, *s.Machine = *next.World, *next.Machine
	s.Machine.world, s.World.machine = s.World, s.Machine
	s.Machine.Upgraded(specs)
}
