package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/cgroup"
	"github.com/jay-go/jay/internal/fleet"
	"github.com/jay-go/jay/internal/logs"
	"github.com/jay-go/jay/internal/sys"
)

// master is the process that owns sockets and workers. Everything in it
// belongs to the goroutine of run, the owner; others reach it through events.
type master struct {
	o        *Options
	c        *config
	dir      *runDir
	path     string // the start path, symbolic links unresolved
	daemon   bool
	terminal terminal
	started  time.Time // for display
	began    fleet.Instant
	machine  *fleet.Machine
	control  *controlServer
	sink     *logs.Sink
	logger   *slog.Logger
	cred     *syscall.Credential // of workers; nil: the master's own

	signals   *signalInbox
	suspends  chan struct{} // the user of the terminal suspends the job
	stopAt    time.Time     // when the last stop signal that counts came, or the stop began
	events    chan any      // what follows, and func() to be called by the owner
	local     []any         // events that the owner has for itself
	timers    []timer
	readers   sync.WaitGroup
	burials   sync.WaitGroup // children that are being reaped
	buries    atomic.Int32   // how many those are
	hooks     chan func()    // run one after the other on a goroutine of their own
	strangers strangers

	procs     map[uint32]*proc
	figures   map[string]control.Stats // what a worker of each program has told last
	totals    map[string]*totals
	describes []*describing
	queries   []*query
	sequence  uint64
	watched   time.Time // when watch looked last
	locating  bool      // somebody looks for the workers' control groups
	looking   bool      // somebody looks after the run directory
	misplaced bool      // the log has said that the run directory is gone
	board     *board
	boardFD   int
	null      int
	memory    memoryPlan
	warnings  []finding      // of the limits that it has
	group     *cgroup.Memory // ours; nil: not known
	kills     memoryKills
	starter   *sys.Starter
	shield    shield
	activated []activated
	hosts     hostBook
	notifier  *notifier // nil: there is no service manager
	notified  string    // what the service manager was told last
	out       *outlet   // to who started us; nil: nobody

	begun    bool        // everything is open: from now on a failure is tried again
	report   func(error) // tells who started us; nil once done
	late     func()      // called once, when all are ready after a report that they were not
	quieting bool        // the control server is ending, for an exec
	ending   bool        // the workers have gone, and the master is about to
	hurried  bool        // somebody does not want to wait for the end
	deaf     bool        // it could not be opened again afterwards, and the log says so
	fallback fallback    // while a file is on trial
	happened logs.FanOut // what happens, as events
	told     string      // the state that was last among them
}

// proc is a worker's process as the owner sees it.
type proc struct {
	w           *fleet.Worker
	startedAt   time.Time // for display: the wall clock may step
	memoryLimit int64     // its GOMEMLIMIT from us in bytes; 0: none

	ctl      *sys.PacketConn
	reading  chan struct{} // closed when nobody reads from ctl any more
	outbox   []part        // of the message that the kernel has begun to take
	out, err *logs.Capture

	again      int // how often it was started again, see startAgain
	unanswered int
	garbled    uint           // messages that were none
	heard      time.Time      // the last answer
	groups     string         // the worker's control groups
	memory     *cgroup.Memory // those that account its memory, at first ours; nil: not known
	stats      control.Stats
	loops      []control.LoopStats // of a worker that has several
	metrics    []metricValue
	told       message           // the first parts of what is being told
	health     map[string]string // why parts of it are not healthy
	healthTold map[string]string // as the log has it
	healthAt   time.Time         // when that was
	heap       int64
	logDropped int64
	sample     sample

	beats  []loopBeat
	missed bool    // one of them so long that the machine was told
	early  float64 // see served
}

// timer is a call that the owner makes at a time.
type timer struct {
	at time.Time
	fn func()
}

// messageEvent is a message of a worker; err says that there will be no more.
type messageEvent struct {
	id  uint32
	m   message
	err error
}

func newMaster(o *Options, c *config, path string) *master {
	terminal, signals := newTerminal(), bootInbox
	if signals == nil {
		signals = newSignalInbox(terminal)
	}
	return &master{
		signals: signals, suspends: make(chan struct{}), terminal: terminal,
		o: o, c: c, path: path, started: time.Now(), began: fleet.Instant(sys.Monotonic()), procs: map[uint32]*proc{}, figures: map[string]control.Stats{}, totals: map[string]*totals{}, events: make(chan any, 64),
		hooks: make(chan func(), 1024), kills: memoryKills{}, hosts: hostBook{}, strangers: strangers{}, boardFD: -1, null: -1, report: func(error) {},
	}
}

// prepare does what a fresh master and one that continues have in common.
func (m *master) prepare() error {
	err := sys.CloseOnExec(3)
	if err != nil {
		return err
	}
	if m.cred, err = credential(m.c.user, m.c.group); err != nil {
		return err
	}
	if err := trySwitch(m.cred); err != nil {
		return err
	}
	if err := m.restrain(); err != nil {
		return err
	}
	if m.starter, err = sys.NewStarter(); err != nil {
		return err
	}
	sys.SpareThreads(spareThreads())
	if m.null, err = syscall.Open("/dev/null", syscall.O_RDWR|syscall.O_CLOEXEC, 0); err != nil {
		return fmt.Errorf("open /dev/null: %w", err)
	}
	if m.boardFD < 0 {
		if m.boardFD, err = sys.Memfd("jay-board"); err != nil {
			return err
		}
	}
	if m.board, err = openBoard(m.boardFD); err != nil {
		return err
	}
	m.shield.raise()
	m.memory = memoryPlanHere("/", m.c.memory)
	if group, err := cgroup.MemoryOf("/", "self"); err == nil {
		m.group = &group
	}
	go m.runHooks()
	return nil
}

// spareThreads is how many threads the master has at least: all that it runs on
// at a time, and some that wait for the kernel. It has to live through times in
// which no thread is to be had.
func spareThreads() int { return min(runtime.GOMAXPROCS(0), 16) + 8 }

// logFile is the path of the log; "" is standard error.
func (m *master) logFile() string {
	if m.c.logFile == "" && m.daemon {
		return filepath.Join(m.dir.path, m.c.prog+".log")
	}
	return m.c.logFile
}

// openLog begins to log to a file; "" is standard error.
func (m *master) openLog(path string) error {
	var file *logs.File
	if path != "" {
		var err error
		failed := func(err error) { m.logger.Error("put the log aside", "error", err) }
		if file, err = logs.OpenFile(path, logLimits(m.o), m.daemon, failed); err != nil {
			return fmt.Errorf("log: %w", err)
		}
	}
	m.dir.nameLog(path)
	m.sink = logs.NewSink(file, m.c.logFormat)
	m.logger = slog.New(logs.NewHandler(m.sink, m.c.logFormat, m.c.logLevel)).With("pid", os.Getpid())
	return nil
}

// bringUp opens the first generation's file and sockets, retrying for a while
// what an earlier master's last workers may still hold.
func (m *master) bringUp(ctx context.Context) error {
	file, err := openSelf()
	if err != nil {
		return err
	}
	m.hosts.add(lookUpHosts(m.c.specs()))
	first := fleet.Described{File: file, Version: m.c.version, Specs: m.c.specs(), Same: m.fallback.file != 0 && sameContents(m.fallback.file, file)}
	incarnation := uint32(time.Now().UnixMilli() / 10) // outruns any counter
	for deadline := time.Now().Add(3 * time.Second); ; {
		if err = m.dir.free(first.Specs); err == nil {
			m.machine, err = fleet.New(m, first, incarnation)
		}
		var held *heldProgram
		if err == nil || !addressInUse(err) && !errors.As(err, &held) {
			return err
		}
		if time.Now().After(deadline) {
			return namingUsers(err)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fleet.ErrStopping
		}
	}
}

// run is the owner's loop; it returns when the service has stopped.
func (m *master) run() {
	m.notifySuspend()
	m.everySecond()
	m.watch()
	if managed() {
		m.notifier = newNotifier(notifyManager, func(err error) { m.logger.Warn("notify the service manager", "error", err) })
		m.calmManager()
	}
	m.step(fleet.Tick{})
	m.reap() // what ended while nobody was notified
	m.serve(func() bool { return m.machine.Phase == fleet.PhaseStopped && !m.quieting })
}

// serve is what the owner does, until over reports true. It waits for nothing
// else, ever.
func (m *master) serve(over func() bool) {
	wake := time.NewTimer(0)
	defer wake.Stop()
	for !over() {
		if len(m.local) == 0 {
			wake.Reset(m.untilNext())
			select {
			case <-m.signals.wake:
				m.hear()
				m.heedSignals()
			case <-m.suspends:
				m.suspend()
			case ev := <-m.events:
				m.handle(ev)
			case <-wake.C:
			}
		}
		m.dispatch()
	}
}

// dispatch handles what is due on the owner's own account.
func (m *master) dispatch() {
	for len(m.local) > 0 {
		ev := m.local[0]
		m.local = m.local[1:]
		m.handle(ev)
	}
	now := time.Now()
	for i := 0; i < len(m.timers); {
		if t := m.timers[i]; !t.at.After(now) {
			m.timers = slices.Delete(m.timers, i, i+1)
			t.fn()
			continue
		}
		i++
	}
	if at := m.machine.NextDeadline(); at != 0 && m.Now() >= at {
		m.step(fleet.Tick{})
	}
	if m.machine.ExecDue() && !m.quieting && m.report == nil { // who started us has been told
		m.quiet()
	}
}

func (m *master) handle(ev any) {
	switch ev := ev.(type) {
	case func():
		ev()
	case messageEvent:
		m.onMessage(ev)
	case fleet.Event:
		m.step(ev)
	default:
		panic(fmt.Sprintf("supervise: unknown event %T", ev))
	}
}

// step drives the machine and looks what has come of it.
func (m *master) step(ev fleet.Event) {
	m.machine.Step(ev)
	if m.stopAt.IsZero() && m.machine.Phase != fleet.PhaseRunning {
		m.stopAt = time.Now()
	}
	m.tellState()
	m.reportStart()
	m.tellManager()
}

// untilNext is how long there is nothing to do.
func (m *master) untilNext() time.Duration {
	d := time.Hour
	if at := m.machine.NextDeadline(); at != 0 {
		d = min(d, time.Duration(at-m.Now()))
	}
	for _, t := range m.timers {
		d = min(d, time.Until(t.at))
	}
	return max(d, 0)
}

// after calls fn on the owner.
func (m *master) after(d time.Duration, fn func()) {
	m.timers = append(m.timers, timer{time.Now().Add(d), fn})
}

// do runs fn on the owner and waits for it, or for ctx.
func (m *master) do(ctx context.Context, fn func()) error {
	done := make(chan struct{})
	select {
	case m.events <- func() { fn(); close(done) }:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// addressInUse reports the error that waiting may cure.
func addressInUse(err error) bool {
	return isErrno(err, syscall.EADDRINUSE) || isLive(err)
}

// onMessage takes a worker's message.
func (m *master) onMessage(ev messageEvent) {
	p := m.procs[ev.id]
	if p == nil {
		return
	}
	if ev.err != nil {
		p.garbled++
		if bits.OnesCount(p.garbled) > 1 { // a worker gone mad must not fill the log: 1, 2, 4, 8 …
			return
		}
		m.logger.Warn("message of worker", "times", p.garbled, "program", p.w.Program, "slot", p.w.Slot, "worker_pid", p.w.PID, "error", ev.err)
		return
	}
	if news := newsOf(ev.id, ev.m); news != nil {
		m.step(news)
	} else if ev.m.Kind == msgHealth {
		m.takeHealth(p, ev.m.Health)
	} else if ev.m.Kind == msgStats || ev.m.Kind == msgConnections {
		m.onAnswer(p, ev.m)
	}
}

// newsOf is the machine's event of a worker's message; nil for a response.
func newsOf(id uint32, msg message) fleet.Event {
	why := logs.Printable(msg.Why, 500)
	switch msg.Kind {
	case msgReady:
		return fleet.Ready{ID: id}
	case msgHung:
		return fleet.Replace{ID: id, Hung: true, Why: "hung: " + why}
	case msgRecovered:
		return fleet.Recovered{ID: id}
	case msgLeave:
		return fleet.Replace{ID: id, Why: why}
	case msgUnlistened:
		return fleet.Unlistened{ID: id}
	case msgTaken:
		return fleet.Taken{ID: id, Order: msg.Order}
	case msgUntaken:
		return fleet.Undelivered{ID: id, Order: msg.Order, Why: why}
	}
	return nil
}

// listen serves the control API on a new socket.
func (m *master) listen() error {
	fd, err := m.dir.listen()
	if err != nil {
		return err
	}
	m.control, err = newControlServer(m, fd)
	return err
}
