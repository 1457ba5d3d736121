package supervise

import (
	"encoding/json"
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
	one := func(count int, reusePort bool) programSpec {
		return programSpec{Name: "a", Listen: []string{"tcp://127.0.0.1:80"}, Count: count, ReusePort: reusePort,
			StartTimeout: 10 * time.Second, StopTimeout: 10 * time.Second}
	}
	background := programSpec{Name: "b", Count: 1, StartTimeout: time.Second, StopTimeout: noTimeout, NotReloadable: true}
	for _, tt := range []struct {
		name   string
		first  []programSpec
		next   []programSpec // what a new file says
		budget budget
	}{
		{"one worker", []programSpec{one(1, false)}, []programSpec{one(1, false)}, budget{commands: 2, crashes: 2, fails: 1, waits: 1}},
		{"two workers", []programSpec{one(2, false)}, []programSpec{one(2, false)}, budget{commands: 2, crashes: 1}},
		{"own sockets, fewer workers", []programSpec{one(2, true)}, []programSpec{one(1, true)}, budget{commands: 2, crashes: 1}},
		{"from a shared socket to own ones", []programSpec{one(1, false)}, []programSpec{one(2, true)}, budget{commands: 1, crashes: 1, fails: 1}},
		{"a program that is not reloaded", []programSpec{one(1, false), background}, []programSpec{one(1, false), background},
			budget{commands: 1, crashes: 1, waits: 1}},
		{"a program that vanishes", []programSpec{one(1, false), background}, []programSpec{one(1, false)}, budget{commands: 2, crashes: 1}},
		{"a worker that hangs", []programSpec{one(1, false)}, []programSpec{one(1, false)}, budget{commands: 1, crashes: 1, fails: 1, hangs: 1}},
		{"two that hang, of two", []programSpec{one(2, true)}, []programSpec{one(2, true)}, budget{commands: 1, hangs: 2, only: commandScale}},
		{"a worker that has served its time", []programSpec{one(1, false)}, []programSpec{one(1, false)}, budget{commands: 1, crashes: 1, recycles: 1}},
		{"three reloads", []programSpec{one(1, false)}, []programSpec{one(1, false)}, budget{commands: 3, only: commandReload}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := newFakeService(tt.first...)
			if err != nil {
				t.Fatal(err)
			}
			e := &explorer{t: t, next: tt.next, seen: map[string]bool{}, limit: exploreStates()}
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

	only commandKind // "" is all
}

// situation is a place in the exploration.
type situation struct {
	*fakeService
	budget budget
	path   []string
}

func (s *situation) copy() *situation {
	return &situation{fakeService: s.clone(), budget: s.budget, path: slices.Clone(s.path)}
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
	next  []programSpec
	seen  map[string]bool
	limit int
}

// visit explores breadth first, so that what it reports is shortest.
func (e *explorer) visit(first *situation) {
	queue := []*situation{first}
	e.seen[first.key()] = true
	for len(queue) > 0 && !e.t.Failed() && len(e.seen) < e.limit {
		s := queue[0]
		queue = queue[1:]
		e.checkEnds(s)
		for _, c := range e.choices(s) {
			after := s.copy()
			after.path = append(after.path, c.name)
			before := after.readiness()
			if m := after.Machine; slices.ContainsFunc(m.Queue, func(q *command) bool { return q.Kind == commandScale }) {
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
	if m.Phase == phaseStopped {
		return nil
	}
	if c := m.Change; c != nil && c.Stage == changeExec {
		add("exec succeeds", "", func(s *situation) { s.exec(e.next...) })
		add("exec fails", "", func(s *situation) { s.Machine.step(evExecFailed{errors.New("exec format error")}) })
		return list
	}
	for i, p := range s.World.Procs {
		program := m.worker(p.ID).Program
		switch {
		case p.ends():
			add(fmt.Sprintf("%s exits (pid %d)", program, p.PID), program, func(s *situation) { s.Machine.step(s.World.reap(s.World.Procs[i])) })
			if p.Killed {
				continue // nothing else can come of it
			}
		case s.budget.crashes > 0:
			add(fmt.Sprintf("%s crashes (pid %d)", program, p.PID), program, func(s *situation) {
				s.budget.crashes--
				s.Machine.step(s.World.reap(s.World.Procs[i]))
			})
		}
		if w := m.worker(p.ID); w.Hung {
			add(fmt.Sprintf("%s goes on (pid %d)", program, p.PID), "*", func(s *situation) {
				s.World.Procs[i].Hung = false
				s.Machine.step(evRecovered{s.World.Procs[i].ID})
			})
		} else if s.budget.hangs > 0 && !p.Hung {
			add(fmt.Sprintf("%s hangs (pid %d)", program, p.PID), program, func(s *situation) {
				s.budget.hangs--
				s.World.Procs[i].Hung = true
				s.Machine.step(evReplace{ID: s.World.Procs[i].ID, Why: "blocked", Hung: true})
			})
		}
		if s.budget.recycles > 0 && p.Ready {
			add(fmt.Sprintf("%s has served its time (pid %d)", program, p.PID), "", func(s *situation) {
				s.budget.recycles--
				s.Machine.step(evReplace{ID: s.World.Procs[i].ID, Why: "100 requests"})
			})
		}
		if !p.Ready && !p.Hung {
			add(fmt.Sprintf("%s is ready (pid %d)", program, p.PID), "*", func(s *situation) {
				s.World.Procs[i].Ready = true
				s.Machine.step(evReady{s.World.Procs[i].ID})
			})
		}
	}
	if len(s.World.Describes) > 0 {
		add("described", "", func(s *situation) { s.described(nil, e.next...) })
		add("description fails", "", func(s *situation) { s.described(errors.New("exit 1")) })
	}
	if at := m.nextDeadline(); at != 0 {
		add("time passes", "*", func(s *situation) { s.tick() })
	}
	if s.budget.waits > 0 {
		add("a second passes", "*", func(s *situation) { s.budget.waits--; s.World.Clock += instant(healthyTime); s.Machine.step(evTick{}) })
	}
	if s.budget.fails > 0 && s.World.FailStart == 0 {
		add("the next fork fails", "", func(s *situation) { s.budget.fails--; s.World.FailStart = 1 })
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

func commandEvents(m *machine) []evCommand {
	list := []evCommand{{Kind: commandReload}, {Kind: commandUpgrade}, {Kind: commandStop}, {Kind: commandRestart}, {Kind: commandHold}}
	if m.Phase == phaseStopping {
		list = append(list, evCommand{Kind: commandStop, Now: true})
	}
	for _, n := range []int{1, 2, 3} {
		if n != len(m.Programs[0].Slots) {
			list = append(list, evCommand{Kind: commandScale, Program: m.Programs[0].Spec.Name, Count: n})
		}
	}
	return list
}

// readiness counts the workers of each program that serve: ready, not told to
// go, alive.
func (s *situation) readiness() map[string]int {
	n := map[string]int{}
	for _, w := range s.Machine.Workers {
		if p := s.World.proc(w.PID); p != nil && p.Ready && !p.Drained && !p.Killed && !p.Hung && w.State == workerReady {
			n[w.Program]++
		}
	}
	return n
}

// check holds a state, and the step that led to it, against the invariants.
func (e *explorer) check(s *situation, before map[string]int, c choice) {
	fail := func(format string, args ...any) {
		e.t.Helper()
		b, _ := json.MarshalIndent(s.Machine.state, "", " ")
		e.t.Fatalf("%s\nafter: %s\n%s", fmt.Sprintf(format, args...), strings.Join(s.path, "\n       "), b)
	}
	m := s.Machine
	if len(s.World.Problems) > 0 {
		fail("%s", strings.Join(s.World.Problems, "; "))
	}
	// Nobody's ready workers become fewer than wanted, but by their own exit,
	// or by a command that says so.
	after := s.readiness()
	for _, p := range m.Programs {
		name := p.Spec.Name
		scaled := m.Phase != phaseRunning || m.Held || c.may == name || strings.HasPrefix(c.name, "scale")
		if !scaled && after[name] < min(before[name], len(p.Slots)) {
			fail("%s had %d ready workers and has %d", name, before[name], after[name])
		}
	}
	e.checkProcesses(s, fail)
	e.checkSockets(s, fail)
	b, _ := json.Marshal(m.state)
	m.advance()
	if again, _ := json.Marshal(m.state); string(again) != string(b) {
		fail("advance is not idempotent:\n%s\n%s", b, again)
	}
}

// checkProcesses: no orphan, no ghost, one worker a slot, three generations.
func (e *explorer) checkProcesses(s *situation, fail func(string, ...any)) {
	m := s.Machine
	builds := map[int]bool{}
	for _, p := range s.World.Procs {
		if w := m.worker(p.ID); w == nil || w.PID != p.PID {
			fail("process %d is an orphan", p.PID)
		}
	}
	slots := map[uint32]int{}
	for _, fleet := range [][]*program{m.Programs, m.next()} {
		for _, p := range fleet {
			for i, sl := range p.Slots {
				for _, id := range []uint32{sl.Worker, sl.Heir} {
					if id == 0 {
						continue
					}
					slots[id]++
					if w := m.worker(id); w == nil || w.Slot != i || w.Program != p.Spec.Name {
						fail("slot %s/%d has worker %d, which is %+v", p.Spec.Name, i, id, w)
					}
				}
				if sl.Heir != 0 && m.worker(sl.Worker) == nil {
					fail("slot %s/%d has an heir and nobody to inherit from", p.Spec.Name, i)
				}
			}
		}
	}
	for _, w := range m.Workers {
		if s.World.proc(w.PID) == nil {
			fail("worker %d has no process", w.PID)
		}
		if slots[w.ID] > 1 || slots[w.ID] == 0 && w.State != workerDraining {
			fail("worker %+v is in %d slots", w, slots[w.ID])
		}
		if p := findProgram(m.Programs, w.Program); p == nil || !p.Spec.NotReloadable {
			builds[w.Build] = true
		}
		if p := s.World.proc(w.PID); w.State == workerDraining && !p.Drained && !p.Killed {
			fail("worker %+v drains and does not know", w)
		}
	}
	if len(builds) > maxGenerations {
		fail("%d generations live", len(builds))
	}
	if m.Phase == phaseStopped && len(s.World.Procs) > 0 {
		fail("stopped with %d processes", len(s.World.Procs))
	}
}

// checkSockets: those that are open are known, those that are used are open,
// and every slot has one for every address.
func (e *explorer) checkSockets(s *situation, fail func(string, ...any)) {
	m := s.Machine
	for _, open := range s.World.Sockets {
		if m.socket(open.FD) == nil {
			fail("socket %d is open and forgotten", open.FD)
		}
		if m.Phase == phaseRunning && !e.isHeard(s, open.FD) {
			fail("nobody would ever accept from socket %+v", open)
		}
	}
	for _, w := range m.Workers {
		for _, id := range w.Sockets {
			if !s.World.hasSocket(id) {
				fail("worker %+v uses socket %d, which is closed", w, id)
			}
		}
		if p := s.World.proc(w.PID); !slices.Equal(p.Sockets, w.Sockets) {
			fail("worker %d has sockets %v, the machine thinks %v", w.PID, p.Sockets, w.Sockets)
		}
	}
	for _, p := range m.Programs {
		for i, sl := range p.Slots {
			if len(sl.Sockets) < len(p.Spec.Listen) {
				fail("slot %s/%d has %d sockets for %d addresses", p.Spec.Name, i, len(sl.Sockets), len(p.Spec.Listen))
			}
		}
	}
	for _, b := range m.Builds {
		if !slices.Contains(s.World.Files, b.File) {
			fail("build %d is closed and in use", b.ID)
		}
	}
	if len(s.World.Files) > len(m.Builds) {
		fail("%d program files are open for %d builds", len(s.World.Files), len(m.Builds))
	}
}

// isHeard reports whether a slot, or a worker that still drains, has the socket.
func (e *explorer) isHeard(s *situation, fd int) bool {
	for _, fleet := range [][]*program{s.Machine.Programs, s.Machine.next()} {
		for _, p := range fleet {
			for _, sl := range p.Slots {
				if slices.Contains(sl.Sockets, fd) {
					return true
				}
			}
		}
	}
	return slices.ContainsFunc(s.Machine.Workers, func(w *worker) bool { return slices.Contains(w.Sockets, fd) })
}

// checkEnds lets everything go well from here on: every operation has to end,
// and either the service has stopped or every slot has a ready worker.
func (e *explorer) checkEnds(from *situation) {
	s := from.copy()
	m := s.Machine
	for range 200 {
		switch {
		case m.Phase == phaseStopped:
			e.checkOver(from, s)
			return
		case m.Change != nil && m.Change.Stage == changeExec:
			s.exec(e.next...)
		case len(s.World.Describes) > 0:
			s.described(nil, e.next...)
		case slices.ContainsFunc(s.World.Procs, (*fakeProc).ends):
			i := slices.IndexFunc(s.World.Procs, (*fakeProc).ends)
			m.step(s.World.reap(s.World.Procs[i]))
		case slices.ContainsFunc(s.World.Procs, func(p *fakeProc) bool { return !p.Ready && !p.Hung }):
			s.allReady()
		case !s.tick():
			e.checkOver(from, s)
			return
		}
	}
	e.t.Fatalf("it never comes to rest after: %s", strings.Join(from.path, "\n       "))
}

func (e *explorer) checkOver(from, s *situation) {
	m := s.Machine
	for _, op := range m.Operations {
		if op.State == operationRunning && m.Phase != phaseStopped {
			e.t.Fatalf("operation %s %s never ends after: %s", op.ID, op.Kind, strings.Join(from.path, "\n       "))
		}
	}
	givenUp := slices.ContainsFunc(m.Programs, func(p *program) bool {
		return slices.ContainsFunc(p.Slots, func(sl *slot) bool { return sl.State == slotFailed })
	})
	if m.Phase == phaseRunning && !m.Held && !givenUp && !m.allReady(m.Programs) {
		e.t.Fatalf("not all slots are ready in the end after: %s", strings.Join(from.path, "\n       "))
	}
	if m.Phase == phaseStopping {
		e.t.Fatalf("stopping never ends after: %s", strings.Join(from.path, "\n       "))
	}
}

// key is the state with everything taken out that does not matter for what
// comes: absolute times, and the numbers of processes, builds and operations.
func (s *situation) key() string {
	c := s.clone()
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
	relative := func(t *instant) {
		if *t != 0 {
			*t = max(*t-w.Clock, -instant(healthyTime)) + 2*instant(healthyTime)
		}
	}
	for _, fleet := range [][]*program{m.Programs, m.next()} {
		for _, p := range fleet {
			p.Build = name("build", p.Build)
			for i := range p.Retries {
				relative(&p.Retries[i])
			}
			p.LastExit, p.Restarts = "", 0
			for _, sl := range p.Slots {
				sl.Worker, sl.Heir = uint32(name("worker", int(sl.Worker))), uint32(name("worker", int(sl.Heir)))
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
	m.Sockets, m.Builds, w.Sockets, w.Files = nil, nil, nil, nil
	m.Operations, m.NextBuild, m.NextOperation, m.NextIncarnation = nil, 0, 0, 0
	relative(&m.LastChange)
	m.Generation = 0
	w.Describes = slices.Clone(w.Describes)
	for i := range w.Describes {
		w.Describes[i].Token = 0
	}
	w.Clock, w.NextPID, w.NextFD = 0, 0, 0
	b, err := json.Marshal([]any{m.state, w, s.budget.commands, s.budget.crashes, s.budget.fails, s.budget.waits,
		s.budget.hangs, s.budget.recycles})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// exploreStates are visited in each case of TestExplore. The machine is one
// goroutine's, so the race detector has nothing to find in it, and takes ten
// times as long for it.
func exploreStates() int {
	if needs.RaceDetector() {
		return 400
	}
	return 4000
}
