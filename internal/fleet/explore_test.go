package fleet

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/needs"
)

// TestExplore drives the real machine through every order of events that small
// numbers of workers, crashes and commands allow, and holds every state against
// the invariants of docs/lifecycle.md. EXPLORE_STATES is how many states are
// visited in each case, the shortest ways first.
func TestExplore(t *testing.T) {
	t.Parallel()
	one := func(count int, reusePort bool) Spec {
		return Spec{Name: "a", Listen: []string{"tcp://127.0.0.1:80"}, Count: count, ReusePort: reusePort,
			StartTimeout: 10 * time.Second, StopTimeout: 10 * time.Second}
	}
	two := func(count int, reusePort bool) Spec {
		spec := one(count, reusePort)
		spec.Listen = append(spec.Listen, "tcp://127.0.0.1:81")
		return spec
	}
	endless := func(count int) Spec {
		spec := one(count, false)
		spec.StopTimeout = NoTimeout
		return spec
	}
	exclusive := func(name string, stopTimeout time.Duration) Spec {
		return Spec{Name: name, Listen: []string{"tcp://127.0.0.1:82"}, Count: 1, StartTimeout: 10 * time.Second, StopTimeout: stopTimeout, Exclusive: true}
	}
	background := Spec{Name: "b", Count: 1, StartTimeout: time.Second, StopTimeout: NoTimeout, NotReloadable: true}
	for _, tt := range []struct {
		name   string
		first  []Spec
		next   []Spec // what a new file says
		budget budget
	}{
		{"one worker", []Spec{one(1, false)}, []Spec{one(1, false)}, budget{commands: 2, crashes: 2, fails: 1, waits: 1}},
		{"two workers", []Spec{one(2, false)}, []Spec{one(2, false)}, budget{commands: 2, crashes: 1}},
		{"own sockets, fewer workers", []Spec{one(2, true)}, []Spec{one(1, true)}, budget{commands: 2, crashes: 1}},
		{"from a shared socket to own ones", []Spec{one(1, false)}, []Spec{one(2, true)}, budget{commands: 1, crashes: 1, fails: 1}},
		{"a program that is not reloaded", []Spec{one(1, false), background}, []Spec{one(1, false), background},
			budget{commands: 1, crashes: 1, waits: 1}},
		{"a program that vanishes", []Spec{one(1, false), background}, []Spec{one(1, false)}, budget{commands: 2, crashes: 1}},
		{"a worker that hangs", []Spec{one(1, false)}, []Spec{one(1, false)}, budget{commands: 1, crashes: 1, fails: 1, hangs: 1}},
		{"two that hang, of two", []Spec{one(2, true)}, []Spec{one(2, true)}, budget{commands: 1, hangs: 2, only: CommandScale}},
		{"a worker that has served its time", []Spec{one(1, false)}, []Spec{one(1, false)}, budget{commands: 1, crashes: 1, recycles: 1}},
		{"orders that are lost, own sockets", []Spec{one(2, true)}, []Spec{one(1, true)}, budget{commands: 2, losses: 1}},
		{"orders that are lost, and a crash", []Spec{one(1, false), background}, []Spec{one(1, false), background},
			budget{commands: 1, crashes: 1, losses: 2}},
		{"a dropped address", []Spec{two(1, false)}, []Spec{one(1, false)}, budget{commands: 2, crashes: 1}},
		{"a dropped address, own sockets, lost orders", []Spec{two(2, true)}, []Spec{one(1, true)}, budget{commands: 2, losses: 1}},
		{"replaced again and again, without a limit", []Spec{endless(1)}, []Spec{endless(1)}, budget{commands: 1, recycles: 4}},
		{"scaled again and again, without a limit", []Spec{endless(1)}, []Spec{endless(1)}, budget{commands: 7, only: CommandScale}},
		{"reloads without a limit", []Spec{endless(1)}, []Spec{endless(1)}, budget{commands: 5, only: CommandReload}},
		{"a file on trial", []Spec{one(1, false)}, []Spec{one(1, false)}, budget{commands: 2, crashes: 1, trials: 1}},
		{"three reloads", []Spec{one(1, false)}, []Spec{one(1, false)}, budget{commands: 3, only: CommandReload}},
		{"an exclusive program", []Spec{exclusive("a", 10*time.Second)}, []Spec{exclusive("a", 10*time.Second)},
			budget{commands: 2, crashes: 2, fails: 1, waits: 1, states: 1000}},
		{"an exclusive program beside another", []Spec{one(1, false), exclusive("b", NoTimeout)}, []Spec{one(1, false), exclusive("b", NoTimeout)},
			budget{commands: 2, crashes: 1, recycles: 1, states: 1000}},
		{"an exclusive program that hangs and takes no orders", []Spec{exclusive("a", time.Second)}, []Spec{exclusive("a", time.Second)},
			budget{commands: 1, crashes: 1, hangs: 1, recycles: 1, losses: 2, states: 1000}},
		{"a program becomes exclusive", []Spec{one(2, false)}, []Spec{exclusive("a", time.Second)}, budget{commands: 2, crashes: 1, fails: 1, states: 1000}},
		{"a program is exclusive no more", []Spec{exclusive("a", time.Second)}, []Spec{one(2, true)}, budget{commands: 2, crashes: 1, fails: 1, states: 1000}},
		{"an exclusive program vanishes and comes back", []Spec{one(1, false), exclusive("b", NoTimeout)}, []Spec{one(1, false)},
			budget{commands: 3, crashes: 1, only: CommandReload, states: 1000}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := newFakeService(tt.first...)
			if err != nil {
				t.Fatal(err)
			}
			s.World.Slow = tt.budget.losses > 0
			if tt.budget.trials > 0 {
				s.beginTrial()
			}
			drops := len(tt.next[0].Listen) < len(tt.first[0].Listen)
			e := &explorer{
				t: t, next: tt.next, drops: drops, seen: map[[sha256.Size]byte]bool{},
				limit: min(exploreStates(), cmp.Or(tt.budget.states, exploreStates())),
			}
			if n, err := strconv.Atoi(os.Getenv("EXPLORE_STATES")); err == nil {
				e.limit = n
			}
			e.visit(&situation{fakeService: s, budget: tt.budget})
			t.Logf("%d states", len(e.seen))
			if len(e.seen) < 100 {
				t.Errorf("only %d states: the exploration explores nothing", len(e.seen))
			}
		})
	}
}

// budget bounds what may go wrong or be asked for on one path.
type budget struct {
	commands, crashes, fails, waits, hangs, recycles int
	losses                                           int // of orders; with any, orders take their time

	trials int         // 1: a restart has just executed the file
	only   CommandKind // "" is all
	states int         // to visit; 0: the usual number
}

// situation is a place in the exploration.
type situation struct {
	*fakeService
	budget budget
	path   []string
}

func (s *situation) copy() *situation {
	return &situation{fakeService: s.fakeService.copy(), budget: s.budget, path: slices.Clone(s.path)}
}

// choice is an event that may come next.
type choice struct {
	name string
	do   func(*situation)
	// may is whose ready workers may become fewer by it; "*" is everybody's.
	may string
}

type explorer struct {
	t     *testing.T
	next  []Spec
	drops bool // next drops an address
	seen  map[[sha256.Size]byte]bool
	limit int
}

// visit explores breadth first, so that what it reports is shortest. Each state
// goes through the encoding of an upgrade, which loses nothing.
func (e *explorer) visit(first *situation) {
	queue := []*situation{first}
	e.seen[first.key()] = true
	for len(queue) > 0 && !e.t.Failed() && len(e.seen) < e.limit {
		s := queue[0]
		queue[0] = nil // the memory of it
		queue = queue[1:]
		before := encodingOf(&s.Machine.State)
		s.fakeService = s.clone()
		if !bytes.Equal(before, encodingOf(&s.Machine.State)) {
			e.t.Fatalf("an upgrade would not carry all of the state after: %s\n%+v", strings.Join(s.path, "\n       "), s.Machine.State)
		}
		e.checkEnds(s)
		for _, c := range e.choices(s) {
			after := s.copy()
			after.path = append(after.path, c.name)
			before := after.readiness()
			if m := after.Machine; slices.ContainsFunc(m.Queue, func(q *queued) bool { return q.Kind == CommandScale }) {
				before = nil // a scale may take whom it wants
			}
			c.do(after)
			e.check(after, before, c)
			if k := after.key(); !e.seen[k] {
				e.seen[k] = true
				queue = append(queue, after)
			}
		}
	}
}

// choices are the events that may come next. Choices are by index, as they are
// carried out on a copy.
func (e *explorer) choices(s *situation) (list []choice) {
	add := func(name, may string, do func(*situation)) { list = append(list, choice{name, do, may}) }
	m := s.Machine
	if m.Phase == PhaseStopped {
		return nil
	}
	if m.ExecDue() {
		add("exec succeeds", "", func(s *situation) { s.exec(e.next...) })
		add("exec fails", "", func(s *situation) { s.Machine.Step(ExecFailed{errors.New("exec format error")}) })
		return list
	}
	for i, p := range s.World.Procs {
		program := m.Worker(p.ID).Program
		switch {
		case p.ends():
			add(fmt.Sprintf("%s exits (pid %d)", program, p.PID), program, func(s *situation) { s.Machine.Step(s.World.reap(s.World.Procs[i])) })
			if p.Killed {
				continue // nothing else can come of it
			}
		case s.budget.crashes > 0:
			add(fmt.Sprintf("%s crashes (pid %d)", program, p.PID), program, func(s *situation) {
				s.budget.crashes--
				s.Machine.Step(s.World.reap(s.World.Procs[i]))
			})
		}
		if len(p.Orders) > 0 && !p.Hung {
			add(fmt.Sprintf("%s takes its orders (pid %d)", program, p.PID), "", func(s *situation) { s.takeOrders(s.World.Procs[i]) })
		}
		if len(p.Orders) > 0 && s.budget.losses > 0 {
			add(fmt.Sprintf("an order for %s is lost (pid %d)", program, p.PID), "", func(s *situation) { s.loseOrder(i) })
			add(fmt.Sprintf("an order for %s is not delivered (pid %d)", program, p.PID), "", func(s *situation) {
				s.Machine.Step(Undelivered{p.ID, s.loseOrder(i), "no room"})
			})
		}
		if w := m.Worker(p.ID); p.Drained && !p.Hung && len(w.Sockets) > 0 && e.drops {
			add(fmt.Sprintf("%s accepts no more (pid %d)", program, p.PID), "", func(s *situation) { s.Machine.Step(Unlistened{s.World.Procs[i].ID}) })
		}
		if w := m.Worker(p.ID); w.Hung {
			add(fmt.Sprintf("%s goes on (pid %d)", program, p.PID), "*", func(s *situation) {
				s.World.Procs[i].Hung = false
				s.Machine.Step(Recovered{s.World.Procs[i].ID})
			})
		} else if s.budget.hangs > 0 && !p.Hung {
			add(fmt.Sprintf("%s hangs (pid %d)", program, p.PID), program, func(s *situation) {
				s.budget.hangs--
				s.World.Procs[i].Hung = true
				s.Machine.Step(Replace{ID: s.World.Procs[i].ID, Why: "blocked", Hung: true})
			})
		}
		if s.budget.recycles > 0 && p.Ready {
			add(fmt.Sprintf("%s has served its time (pid %d)", program, p.PID), "", func(s *situation) {
				s.budget.recycles--
				s.Machine.Step(Replace{ID: s.World.Procs[i].ID, Why: "100 requests"})
			})
		}
		if !p.Ready && !p.Hung {
			add(fmt.Sprintf("%s is ready (pid %d)", program, p.PID), "*", func(s *situation) {
				s.World.Procs[i].Ready = true
				s.Machine.Step(Ready{s.World.Procs[i].ID})
			})
		}
	}
	if len(s.World.Describes) > 0 {
		add("described", "", func(s *situation) { s.described(nil, e.next...) })
		add("description fails", "", func(s *situation) { s.described(errors.New("exit 1")) })
	}
	if m.Trial != nil {
		add("the trial is over", "", func(s *situation) { s.Machine.Step(TrialOver{}) })
		add("the trial fails", "*", func(s *situation) { s.Machine.Step(GoBack{}) })
	}
	if at := m.NextDeadline(); at != 0 {
		add("time passes", "*", func(s *situation) { s.tick() })
	}
	if s.budget.waits > 0 {
		add("a second passes", "*", func(s *situation) { s.budget.waits--; s.World.Clock += Instant(healthyTime); s.Machine.Step(Tick{}) })
	}
	if s.budget.fails > 0 && s.World.FailStart == 0 {
		add("the next fork fails", "", func(s *situation) { s.budget.fails--; s.World.FailStart = 1 })
	}
	if s.budget.commands > 0 && m.Phase == PhaseRunning && s.budget.only == "" {
		add("back to the file before", "*", func(s *situation) { s.budget.commands--; s.Machine.Step(GoBack{}) })
	}
	if s.budget.commands > 0 {
		for _, ev := range commandEvents(m) {
			if s.budget.only != "" && ev.Kind != s.budget.only {
				continue
			}
			add(fmt.Sprintf("%s %d", ev.Kind, ev.Count), "*", func(s *situation) { s.budget.commands--; s.command(ev) })
		}
	}
	return list
}

// loseOrder takes the first order away that a process has not seen.
func (s *situation) loseOrder(i int) int {
	s.budget.losses--
	p := s.World.Procs[i]
	lost := p.Orders[0]
	p.Orders = p.Orders[1:]
	return lost.N
}

func commandEvents(m *Machine) []Command {
	list := []Command{{Kind: CommandReload}, {Kind: CommandUpgrade}, {Kind: CommandStop}, {Kind: CommandRestart}, {Kind: CommandHold}}
	if m.Phase == PhaseStopping {
		list = append(list, Command{Kind: CommandStop, Now: true})
	}
	for _, n := range []int{1, 2, 3} {
		if n != len(m.Programs[0].Slots) {
			list = append(list, Command{Kind: CommandScale, Program: m.Programs[0].Spec.Name, Count: n})
		}
	}
	return list
}

// key stands for the state with everything taken out that does not matter for what
// comes: absolute times, and the numbers of processes, builds and operations.
func (s *situation) key() [sha256.Size]byte {
	c := s.fakeService.copy()
	m, w := c.Machine, c.World
	names := map[string]map[int]int{"worker": {}, "build": {}, "fd": {}}
	name := func(kind string, n int) int {
		if n == 0 {
			return 0
		}
		if _, ok := names[kind][n]; !ok {
			names[kind][n] = len(names[kind]) + 1
		}
		return names[kind][n]
	}
	relative := func(t *Instant) {
		if *t != 0 {
			*t = max(*t-w.Clock, -Instant(healthyTime)) + 2*Instant(healthyTime)
		}
	}
	for _, fleet := range [][]*Program{m.Programs, m.next()} {
		for _, p := range fleet {
			p.Build = name("build", p.Build)
			for i := range p.Retries {
				relative(&p.Retries[i])
			}
			p.LastExit, p.Restarts = "", 0
			for _, sl := range p.Slots {
				sl.Worker, sl.Replacement = uint32(name("worker", int(sl.Worker))), uint32(name("worker", int(sl.Replacement)))
				relative(&sl.RetryAt)
				for i := range sl.Sockets {
					sl.Sockets[i] = name("fd", sl.Sockets[i])
				}
			}
		}
	}
	for _, k := range m.Workers {
		p := w.proc(k.PID)
		k.ID, k.Build = uint32(name("worker", int(k.ID))), name("build", k.Build)
		p.PID, p.ID = int(k.ID), k.ID
		k.PID, k.Cell, k.Generation = p.PID, 0, k.Generation-m.Generation
		relative(&k.Started)
		relative(&k.Deadline)
		for i := range k.Sockets {
			k.Sockets[i] = name("fd", k.Sockets[i])
		}
		relative(&k.RepeatAt)
		relative(&k.LetGo)
		k.Ordered = 0
		for i := range k.Orders {
			k.Orders[i].N = 0
		}
		for i := range p.Orders {
			p.Orders[i].N, p.Orders[i].Sockets, p.Orders[i].Added, p.Orders[i].Drain.Limit = 0, nil, nil, 0
		}
		p.Sockets = nil
	}
	if m.Change != nil {
		m.Change.Build = name("build", m.Change.Build)
		relative(&m.Change.Until)
		m.Change.Command.Ops = nil
	}
	for _, q := range m.Queue {
		q.Ops = nil
		relative(&q.NotBefore)
	}
	if m.Restarting != nil {
		m.Restarting.Token, m.Restarting.Ops = 0, nil
	}
	if m.Trial != nil {
		m.Trial.Ops = nil
	}
	m.RestartBuild = name("build", m.RestartBuild)
	m.Sockets, m.Builds, w.Sockets, w.Files = nil, nil, nil, nil
	m.Operations, m.NextBuild, m.NextOperation, m.NextIncarnation = nil, 0, 0, 0
	relative(&m.LastChange)
	m.Generation = 0
	w.Describes = slices.Clone(w.Describes)
	for i := range w.Describes {
		w.Describes[i].Token = 0
	}
	w.Clock, w.NextPID, w.NextFD = 0, 0, 0
	b := append(encodingOf(&m.State), encodingOf(w)...)
	return sha256.Sum256(fmt.Append(b, s.budget))
}

// exploreStates are visited in each case of TestExplore. The machine is one
// goroutine's, so the race detector has nothing to find in it, and takes ten
// times as long for it.
func exploreStates() int {
	if needs.RaceDetector() {
		return 400
	}
	return 2500
}
