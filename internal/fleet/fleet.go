package fleet

import (
	"fmt"
	"time"

	"github.com/jay-go/jay/control"
)

// A Machine is the state machine of a service. It does no I/O of its own, knows no
// clock but the one it is given, and is called by one goroutine at a time.
type Machine struct {
	State
	world World
	moves int // changes that have begun or ended, for advance
}

// Timing that is not configurable.
const (
	healthyTime    = time.Second             // a worker that lived this long was healthy
	settleChanged  = time.Second             // new code has to stay ready this long before the old goes
	settleSame     = 200 * time.Millisecond  // code that is known to work
	killGrace      = 500 * time.Millisecond  // between a worker's deadline and SIGKILL
	hungGrace      = 10 * time.Second        // for the replacement of a hung worker to be ready
	forcedDrain    = 10 * time.Second        // of a generation without StopTimeout that is in the way
	signalSpacing  = 1500 * time.Millisecond // between changes asked for by signals
	backoffFirst   = 100 * time.Millisecond
	backoffMost    = 10 * time.Second
	startLimit     = 10               // starts without a healthy second before a slot fails
	startWindow    = 10 * time.Second // in which a program gets
	startsInWindow = 15               // starts at most, the first of each slot included
	keepOperations = 100
)

// New begins with the first generation: the sockets are open when it
// returns, the workers start with the first step. incarnation is greater than
// any that an earlier machine of the service has given to a worker or operation.
// After an error nothing is open but the file.
func New(w World, first Described, incarnation uint32) (*Machine, error) {
	m := &Machine{world: w, State: State{
		Version: StateVersion, Phase: PhaseRunning, Generation: 1, NextBuild: 1, NextOperation: int(incarnation), NextIncarnation: incarnation,
	}}
	b := m.addBuild(first)
	fleet, _, err := m.newFleet(b, first.Specs)
	if err != nil {
		for _, s := range m.Sockets {
			w.Close(s)
		}
		return nil, err
	}
	m.Programs = fleet
	return m, nil
}

// Resume continues from the state of an earlier machine, as an upgrade has
// decoded it. It does nothing yet: a step, or Upgraded, goes on.
func Resume(w World, s State) (*Machine, error) {
	if s.Version != StateVersion {
		return nil, fmt.Errorf("state: version %d, this build continues version %d", s.Version, StateVersion)
	}
	return &Machine{world: w, State: s}, nil
}

// Step takes one event and does everything that follows from it.
func (m *Machine) Step(ev Event) {
	ev.take(m)
	m.advance()
}

// Take notes an event, and leaves what follows from it to the next step: of this
// machine, or of one that continues from its state.
func (m *Machine) Take(ev Event) { ev.take(m) }

// advance does what is due now, until nothing is. A second call changes nothing.
func (m *Machine) advance() {
	for again := true; again; {
		before := m.moves
		m.enforceDeadlines()
		m.repeatOrders()
		m.advanceChange()
		m.advanceQueue()
		m.fillSlots()
		again = m.moves != before // what has ended may let something begin
	}
	if m.Phase == PhaseStopping && len(m.Workers) == 0 {
		m.Phase = PhaseStopped
	}
	m.collect()
}

// NextDeadline is when the machine wants a Tick; 0 means not at all.
func (m *Machine) NextDeadline() Instant {
	var next Instant
	soonest := func(t Instant) {
		if t != 0 && (next == 0 || t < next) {
			next = t
		}
	}
	for _, w := range m.Workers {
		if w.Killed == "" {
			soonest(w.Deadline)
			soonest(w.RepeatAt)
			soonest(w.LetGo)
		}
	}
	if m.Phase != PhaseRunning {
		return next
	}
	if c := m.Change; c != nil {
		soonest(c.Until)
	} else if m.mayBegin() && len(m.Queue) > 0 {
		soonest(m.Queue[0].NotBefore)
	}
	if !m.Held {
		for _, p := range m.Programs {
			for _, sl := range p.Slots {
				if sl.State == SlotBackoff && m.vacant(sl) && !m.barred(p) {
					soonest(sl.RetryAt)
				}
			}
		}
	}
	return next
}

// enforceDeadlines kills what has had its time.
func (m *Machine) enforceDeadlines() {
	now := m.world.Now()
	for _, w := range m.Workers {
		if w.Deadline == 0 || now < w.Deadline || w.Killed != "" {
			continue
		}
		switch w.State {
		case WorkerStarting:
			m.kill(w, "not ready in time")
		case WorkerReady:
			m.kill(w, w.Leave)
		default:
			m.kill(w, "not drained in time")
		}
	}
}

// collect closes the sockets and builds that nothing refers to, and forgets
// old operations.
func (m *Machine) collect() {
	m.closeSockets()
	builds := map[int]bool{}
	for _, w := range m.Workers {
		builds[w.Build] = true
	}
	for _, p := range m.fleets() {
		builds[p.Build] = true
	}
	if m.Change != nil {
		builds[m.Change.Build] = true
	}
	builds[m.RestartBuild] = true
	m.Builds = keep(m.Builds, func(b *Build) bool { return builds[b.ID] }, m.world.CloseBuild)
	for i := 0; len(m.Operations) > keepOperations && i < len(m.Operations); {
		if m.Operations[i].State == control.OperationRunning {
			i++
			continue
		}
		m.Operations = append(m.Operations[:i], m.Operations[i+1:]...)
	}
}

// keep returns the elements that pass, and gives the others to drop.
func keep[T any](list []T, pass func(T) bool, drop func(T)) []T {
	kept := list[:0]
	for _, v := range list {
		if pass(v) {
			kept = append(kept, v)
		} else {
			drop(v)
		}
	}
	clear(list[len(kept):])
	return kept
}
