package supervise

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/jay-go/jay/control"
)

// machine is the core of the master: events in, effects out through world. It
// does no I/O of its own, knows no clock but the one it is given, and is
// called by one goroutine at a time. docs/lifecycle.md states its invariants.
type machine struct {
	state
	world world
	moves int // changes that have begun or ended, for advance
}

// world is what the machine acts on. Every call returns at once; what takes
// time comes back as an event.
type world interface {
	now() instant

	// start makes a worker process. The machine fills in everything but PID.
	start(w *worker, b *build, sockets []*socket) (pid int, err error)
	// kill sends SIGKILL to the process group of a worker that has not been reaped.
	kill(w *worker)

	// The next three are orders. Each has a number, and is answered by evTaken or
	// evUndelivered with it, or, where it or its answer is lost, by nothing.

	// drain tells a worker to go, or how it is to go from now on.
	drain(w *worker, order int, d drainOrder)
	// reload tells a worker that stays that a reload has passed.
	reload(w *worker, order int)
	// giveSockets tells a worker the whole set of its sockets; it may lack those
	// that are added.
	giveSockets(w *worker, order int, all, added []*socket)

	// open binds a socket for an address of a program. The machine fills in Key.
	open(spec *programSpec, key socketKey, reusePort bool) (*socket, error)
	// setBacklog changes the length of an open socket's queue.
	setBacklog(s *socket, backlog int)
	// share lets further sockets bind the address of an open one.
	share(id int) error
	// refuse lets nobody new into a socket's queue. Who waits there can be
	// accepted. admit takes it back, where that is possible.
	refuse(s *socket)
	admit(s *socket) bool
	// close ends a socket for whoever has a descriptor of it, unless it was given.
	close(s *socket)

	// describe asks the file at the start path what it is. evDescribed
	// follows with the token. For an upgrade the file also has to decode the
	// state, and for a restart nothing may keep it from starting.
	describe(token int, kind commandKind)
	closeBuild(b *build)

	// jitter spreads a delay.
	jitter(time.Duration) time.Duration
	log(level slog.Level, text string, args ...any)
	exited(WorkerExit)
	reloaded()
}

// Timing that is not configurable.
const (
	healthyTime    = time.Second             // a worker that lived this long was healthy
	settleChanged  = time.Second             // new code has to stay ready this long before the old goes
	settleSame     = 200 * time.Millisecond  // code that is known to work
	killGrace      = 500 * time.Millisecond  // between a worker's deadline and SIGKILL
	hungGrace      = 10 * time.Second        // for the heir of a hung worker to be ready
	forcedDrain    = 10 * time.Second        // of a generation without StopTimeout that is in the way
	signalSpacing  = 1500 * time.Millisecond // between changes asked for by signals
	backoffFirst   = 100 * time.Millisecond
	backoffMost    = 10 * time.Second
	startLimit     = 10               // starts without a healthy second before a slot fails
	startWindow    = 10 * time.Second // in which a program gets
	startsInWindow = 15               // starts at most, the first of each slot included
	keepOperations = 100
)

// Events.
type (
	// evReady: a worker serves.
	evReady struct{ ID uint32 }
	// evExited: a worker's process has been reaped.
	evExited struct {
		PID   int
		Cause string
		Lines []string
	}
	// evTick: the deadline that the machine asked for has come.
	evTick struct{}
	// evDescribed: the answer to describe.
	evDescribed struct {
		Token   int
		File    int
		Same    bool
		Version string
		Specs   []programSpec
		Err     error
	}
	// evExecFailed: the exec of an upgrade has returned.
	evExecFailed struct{ Err error }
	// evGoBack: the file that a restart has executed does not serve, and the one
	// before is to be executed when everything has ended.
	evGoBack struct{}
	// evCommand asks for a change.
	evCommand struct {
		Kind    commandKind
		Op      string // "" for signals
		Program string
		Count   int
		NoLimit bool // stop, restart: without a deadline
		Now     bool // stop: at once
		Dump    bool // stop: workers print their goroutines first
	}
)

// newMachine begins with the first generation: the sockets are open when it
// returns, the workers start with the first step. incarnation is greater than
// any that an earlier master of the service has given to a worker or operation.
func newMachine(w world, first evDescribed, incarnation uint32) (*machine, error) {
	m := &machine{world: w, state: state{
		Version: stateVersion, Phase: phaseRunning, Generation: 1, NextBuild: 1, NextOperation: int(incarnation), NextIncarnation: incarnation,
	}}
	b := m.addBuild(first)
	fleet, _, err := m.newFleet(b, first.Specs)
	if err != nil {
		for _, s := range m.Sockets {
			w.close(s)
		}
		return nil, err
	}
	m.Programs = fleet
	return m, nil
}

// resume continues from the state of an earlier master.
func resume(w world, s state) (*machine, error) {
	if s.Version != stateVersion {
		return nil, fmt.Errorf("state: version %d, this build continues version %d", s.Version, stateVersion)
	}
	return &machine{world: w, state: s}, nil
}

// step takes one event and does everything that follows from it.
func (m *machine) step(ev any) {
	m.take(ev)
	m.advance()
}

// take notes an event, and leaves what follows from it to the next step.
func (m *machine) take(ev any) {
	switch ev := ev.(type) {
	case evTick:
	case evReady:
		m.onReady(ev)
	case evExited:
		m.onExited(ev)
	case evReplace:
		m.onReplace(ev)
	case evRecovered:
		m.onRecovered(ev)
	case evTaken:
		m.onTaken(ev)
	case evUndelivered:
		m.onUndelivered(ev)
	case evUnlistened:
		m.onUnlistened(ev)
	case evLost:
		m.onLost(ev)
	case evEmptied:
		m.onEmptied(ev)
	case evDescribed:
		m.onDescribed(ev)
	case evExecFailed:
		m.onExecFailed(ev)
	case evGoBack:
		m.onGoBack()
	case evTrialOver:
		m.onTrialOver(ev)
	case evCommand:
		m.onCommand(ev)
	default:
		panic(fmt.Sprintf("machine: unknown event %T", ev))
	}
}

// advance does what is due now, until nothing is. A second call changes nothing.
func (m *machine) advance() {
	for again := true; again; {
		before := m.moves
		m.enforceDeadlines()
		m.repeatOrders()
		m.advanceChange()
		m.advanceQueue()
		m.fillSlots()
		again = m.moves != before // what has ended may let something begin
	}
	if m.Phase == phaseStopping && len(m.Workers) == 0 {
		m.Phase = phaseStopped
	}
	m.collect()
}

// nextDeadline is when the machine wants evTick; 0 means not at all.
func (m *machine) nextDeadline() instant {
	var next instant
	soonest := func(t instant) {
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
	if m.Phase != phaseRunning {
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
				if sl.State == slotBackoff && m.vacant(sl) && !m.barred(p) {
					soonest(sl.RetryAt)
				}
			}
		}
	}
	return next
}

// enforceDeadlines kills what has had its time.
func (m *machine) enforceDeadlines() {
	now := m.world.now()
	for _, w := range m.Workers {
		if w.Deadline == 0 || now < w.Deadline || w.Killed != "" {
			continue
		}
		switch w.State {
		case workerStarting:
			m.kill(w, "not ready in time")
		case workerReady:
			m.kill(w, w.Leave)
		default:
			m.kill(w, "not drained in time")
		}
	}
}

func (m *machine) kill(w *worker, why string) {
	if w.Killed == "" {
		w.Killed = why
		m.world.log(slog.LevelWarn, "kill worker", "program", w.Program, "slot", w.Slot, "pid", w.PID, "why", why)
	}
	m.world.kill(w)
}

// drain tells a worker to go. What drains already
// has its deadline shortened.
func (m *machine) drain(w *worker, reason DrainReason, limit time.Duration, dump bool) {
	var deadline instant
	if limit >= 0 {
		deadline = m.world.now().add(limit + killGrace)
	}
	if w.State == workerDraining {
		if deadline != 0 && (w.Deadline == 0 || deadline < w.Deadline) {
			w.Deadline = deadline
		}
		if reason != Stop {
			return
		}
	} else {
		w.State, w.Deadline = workerDraining, deadline
		w.LetGo = m.world.now().add(letGoTime)
	}
	w.Drain = reason
	m.orderDrain(w, dump)
}

// collect closes the sockets and builds that nothing refers to, and forgets
// old operations.
func (m *machine) collect() {
	m.closeSockets()
	builds := map[int]bool{}
	for _, w := range m.Workers {
		builds[w.Build] = true
	}
	for _, fleet := range [][]*program{m.Programs, m.next()} {
		for _, p := range fleet {
			builds[p.Build] = true
		}
	}
	if m.Change != nil {
		builds[m.Change.Build] = true
	}
	builds[m.RestartBuild] = true
	m.Builds = keep(m.Builds, func(b *build) bool { return builds[b.ID] }, m.world.closeBuild)
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
