package fleet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jay-go/jay/control"
)

// readiness is how many workers of each program serve: ready, not told to go, alive.
type readiness struct {
	all        map[string]int
	counting   map[string]int // of these, those of the fleet that counts
	generation int
	change     *change
}

func (s *situation) readiness() readiness {
	r := readiness{all: map[string]int{}, counting: map[string]int{}, generation: s.Machine.Generation, change: s.Machine.Change}
	for _, w := range s.Machine.Workers {
		p := s.World.proc(w.PID)
		if p == nil || !p.Ready || p.Drained || p.Killed || p.Hung || w.State != WorkerReady {
			continue
		}
		r.all[w.Program]++
		if _, sl, isNext := s.Machine.slotOf(w.ID); sl != nil && !isNext {
			r.counting[w.Program]++
		}
	}
	return r
}

// least is how many workers of a program have to serve still, after a step. A change
// that has failed takes its own with it, though one of the fleet that counts has crashed
// meanwhile and is not ready again.
func (r readiness) least(m *Machine, program string) int {
	if r.change != nil && r.change != m.Change && r.generation == m.Generation {
		return r.counting[program]
	}
	return r.all[program]
}

// check holds a state, and the step that led to it, against the invariants.
func (e *explorer) check(s *situation, before readiness, c choice) {
	fail := func(format string, args ...any) {
		e.t.Helper()
		b, _ := json.MarshalIndent(s.Machine.State, "", " ")
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
		scaled := m.Phase != PhaseRunning || m.Held || c.may == name || strings.HasPrefix(c.name, "scale") || leavesFirst(m, p)
		if !scaled && after.all[name] < min(before.least(m, name), len(p.Slots)) {
			fail("%s had %d ready workers and has %d", name, before.all[name], after.all[name])
		}
	}
	e.checkProcesses(s, fail)
	e.checkSockets(s, fail)
	if at := m.NextDeadline(); at != 0 && at <= s.World.Clock {
		fail("it wants to be called at %d, which was %v ago, though all that is due is done", at, time.Duration(s.World.Clock-at))
	}
	b := deepCopy(&m.State)
	m.advance()
	if !bytes.Equal(encodingOf(b), encodingOf(&m.State)) {
		fail("advance is not idempotent: before it\n%+v\nand after it", *b)
	}
}

// leavesFirst reports whether the next worker of a program waits for the end of
// the one that served.
func leavesFirst(m *Machine, p *Program) bool {
	return m.hasTurn(p.Spec.Name) || p.Spec.Exclusive && slices.ContainsFunc(m.inTheWay(p), func(w *Worker) bool { return w.State == WorkerDraining })
}

// checkProcesses: no orphan, no ghost, one worker a slot, three generations.
func (e *explorer) checkProcesses(s *situation, fail func(string, ...any)) {
	m := s.Machine
	builds := map[int]bool{}
	for _, p := range s.World.Procs {
		if w := m.Worker(p.ID); w == nil || w.PID != p.PID {
			fail("process %d is an orphan", p.PID)
		}
	}
	slots := map[uint32]int{}
	for _, p := range m.fleets() {
		for i, sl := range p.Slots {
			for _, id := range []uint32{sl.Worker, sl.Replacement} {
				if id == 0 {
					continue
				}
				slots[id]++
				if w := m.Worker(id); w == nil || w.Slot != i || w.Program != p.Spec.Name {
					fail("slot %s/%d has worker %d, which is %+v", p.Spec.Name, i, id, w)
				}
			}
			if sl.Replacement != 0 && m.Worker(sl.Worker) == nil {
				fail("slot %s/%d has a replacement and nobody to replace", p.Spec.Name, i)
			}
		}
	}
	for _, w := range m.Workers {
		if s.World.proc(w.PID) == nil {
			fail("worker %d has no process", w.PID)
		}
		if slots[w.ID] > 1 || slots[w.ID] == 0 && w.State != WorkerDraining {
			fail("worker %+v is in %d slots", w, slots[w.ID])
		}
		if p := findProgram(m.Programs, w.Program); p == nil || !p.Spec.NotReloadable {
			builds[w.Build] = true
		}
		if p := s.World.proc(w.PID); w.State == WorkerDraining && !p.Drained && !p.Killed && w.hasTaken(orderDrain) {
			fail("worker %+v drains, does not know, and will not be told", w)
		}
		if (w.RepeatAt != 0) != (len(w.Orders) > 0) {
			fail("worker %+v has orders that will not be repeated, or none that will", w)
		}
	}
	for _, w := range m.Workers {
		n, most := 0, MaxGenerations
		for _, other := range m.Workers {
			if other.Program == w.Program && other.Slot == w.Slot {
				n++
				if other.Hung || other.Killed != "" { // replaced whatever there is
					most++
				}
			}
		}
		if n > most {
			fail("%d processes of slot %s/%d live", n, w.Program, w.Slot)
		}
	}
	if len(builds) > MaxGenerations {
		fail("%d generations live", len(builds))
	}
	if m.Phase == PhaseStopped && len(s.World.Procs) > 0 {
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
		if heard := e.isHeard(s, open.FD); !heard && !e.isEnding(s, open) {
			fail("nobody would ever accept from socket %+v", open)
		} else if heard && open.Refusing {
			fail("socket %+v has a worker and lets nobody in", open)
		}
	}
	for _, w := range m.Workers {
		for _, id := range w.Sockets {
			if !s.World.hasSocket(id) {
				fail("worker %+v uses socket %d, which is closed", w, id)
			}
		}
		if p := s.World.proc(w.PID); w.hasTaken(orderSockets) && w.State != WorkerDraining && w.Killed == "" && !slices.Equal(p.Sockets, w.Sockets) {
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

// isHeard reports whether somebody accepts from a socket, or will: a slot, or a
// worker that does not drain.
func (e *explorer) isHeard(s *situation, fd int) bool {
	m := s.Machine
	if m.Phase == PhaseRunning && m.programAt(fd) != nil {
		return true
	}
	return slices.ContainsFunc(m.Workers, func(w *Worker) bool {
		p := s.World.proc(w.PID)
		return w.State != WorkerDraining && !p.Killed && !p.Drained && slices.Contains(w.Sockets, fd)
	})
}

// isEnding reports whether a socket lets nobody new in and will be closed: those
// who have it are going to let go of it, with an order or a deadline.
func (e *explorer) isEnding(s *situation, open fakeSocket) bool {
	return open.Refusing && slices.ContainsFunc(s.Machine.Workers, func(w *Worker) bool {
		return w.LetGo != 0 && slices.Contains(w.Sockets, open.FD)
	})
}

// checkEnds lets everything go well from here on: every operation has to end,
// and either the service has stopped or every slot has a ready worker.
func (e *explorer) checkEnds(from *situation) {
	s := from.copy()
	m := s.Machine
	for range 200 {
		switch {
		case m.Phase == PhaseStopped:
			e.checkOver(from, s)
			return
		case m.ExecDue():
			s.exec(e.next...)
		case len(s.World.Describes) > 0:
			s.described(nil, e.next...)
		case slices.ContainsFunc(s.World.Procs, (*fakeProc).ends):
			i := slices.IndexFunc(s.World.Procs, (*fakeProc).ends)
			m.Step(s.World.reap(s.World.Procs[i]))
		case slices.ContainsFunc(s.World.Procs, (*fakeProc).hasOrders):
			s.takeOrders(s.World.Procs[slices.IndexFunc(s.World.Procs, (*fakeProc).hasOrders)])
		case slices.ContainsFunc(s.World.Procs, func(p *fakeProc) bool { return !p.Ready && !p.Hung }):
			s.allReady()
		case m.Trial != nil:
			m.Step(TrialOver{})
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
		if op.State == control.OperationRunning && m.Phase != PhaseStopped {
			e.t.Fatalf("operation %s %s never ends after: %s", op.ID, op.Kind, strings.Join(from.path, "\n       "))
		}
	}
	givenUp := slices.ContainsFunc(m.Programs, func(p *Program) bool {
		return slices.ContainsFunc(p.Slots, func(sl *Slot) bool { return sl.State == SlotFailed })
	})
	if m.Phase == PhaseRunning && !m.Held && !givenUp && !m.allReady(m.Programs) {
		e.t.Fatalf("not all slots are ready in the end after: %s", strings.Join(from.path, "\n       "))
	}
	for _, open := range s.World.Sockets {
		if open.Refusing || m.Phase == PhaseStopped {
			e.t.Fatalf("socket %+v is open in the end after: %s", open, strings.Join(from.path, "\n       "))
		}
	}
	if m.Phase == PhaseStopping {
		e.t.Fatalf("stopping never ends after: %s", strings.Join(from.path, "\n       "))
	}
}
