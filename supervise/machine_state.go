package supervise

import (
	"slices"
	"time"

	"github.com/jay-go/jay/control"
)

// instant is a time of the system's monotonic clock in nanoseconds: it means
// the same before and after an upgrade. Zero is "never".
type instant int64

func (t instant) add(d time.Duration) instant { return t + instant(d) }

// stateVersion changes when an older build could no longer continue from the
// state of a newer one, or the other way round.
const stateVersion = 3

// state is everything that the master knows and that survives an upgrade. Only
// the machine changes it.
type state struct {
	Version         int                  `json:"version"`
	Phase           phase                `json:"phase"`
	Generation      int                  `json:"generation"` // of the last completed start, reload or upgrade
	Builds          []*build             `json:"builds"`
	Programs        []*program           `json:"programs"`
	Workers         []*worker            `json:"workers"`
	Sockets         []*socket            `json:"sockets"`
	Operations      []*control.Operation `json:"operations"`
	Queue           []*command           `json:"queue"`
	Change          *change              `json:"change"`
	Restarting      *restarting          `json:"restarting"` // a restart that asks its file; nil where there is none
	Trial           *trial               `json:"trial"`      // nil where there is none
	Restart         bool                 `json:"restart"`    // exec the file of RestartBuild when stopped
	RestartBuild    int                  `json:"restart_build"`
	Held            bool                 `json:"held"`        // workers are drained and not started again
	LastChange      instant              `json:"last_change"` // when the last reload or upgrade began
	NextBuild       int                  `json:"next_build"`
	NextOperation   int                  `json:"next_operation"`
	NextIncarnation uint32               `json:"next_incarnation"`
}

// phase is the life of the whole service.
type phase string

const (
	phaseRunning  phase = "running"  // workers are kept alive; changes are accepted
	phaseStopping phase = "stopping" // every worker drains; nothing is started
	phaseStopped  phase = "stopped"  // no worker is left; the master may go
)

// programSpec is a Program as data: what a file says of itself.
type programSpec struct {
	Name          string        `json:"name"`
	Protocol      string        `json:"protocol"`
	Listen        []string      `json:"listen"`
	Count         int           `json:"count"`
	ReusePort     bool          `json:"reuse_port"`
	Backlog       int           `json:"backlog"`
	StartTimeout  time.Duration `json:"start_timeout"` // negative: none
	StopTimeout   time.Duration `json:"stop_timeout"`  // negative: none
	NotReloadable bool          `json:"not_reloadable"`
	MaxRequests   int64         `json:"max_requests"`
	MaxAge        time.Duration `json:"max_age"`
	MaxRSS        int64         `json:"max_rss"`
	Exclusive     bool          `json:"exclusive,omitempty"`

	Limits map[string]float64 `json:"limits"` // of the program itself, for status
}

// build is one open program file.
type build struct {
	ID      int    `json:"id"`
	File    int    `json:"file"` // the world's handle
	Version string `json:"version"`
	Same    bool   `json:"same"` // the file is that of the build before it
}

// program is a program of a fleet with its slots.
type program struct {
	Spec     programSpec `json:"spec"`
	Build    int         `json:"build"`    // what its slots start
	Declared int         `json:"declared"` // count as the file says; Spec.Count may be scaled
	Slots    []*slot     `json:"slots"`
	Restarts int         `json:"restarts"`
	LastExit string      `json:"last_exit"`
	Retries  []instant   `json:"retries"` // when unhealthy slots were, or will be, started again

	Unstartable string `json:"unstartable,omitempty"` // why the last start made no process; "": it did
}

// slotState says why a slot has no worker.
type slotState string

const (
	slotWanted  slotState = ""        // a worker runs or is to be started
	slotBackoff slotState = "backoff" // started again at RetryAt
	slotFailed  slotState = "failed"  // given up until reload or scale
)

// slot is the place of one worker.
type slot struct {
	Worker  uint32    `json:"worker"` // 0: none
	Heir    uint32    `json:"heir"`   // starts while Worker has to Leave; 0: none
	State   slotState `json:"state"`
	Streak  int       `json:"streak"` // starts without a healthy second, in a row
	RetryAt instant   `json:"retry_at"`
	Sockets []int     `json:"sockets"`
}

// workerState is the life of one worker process; it ends by being reaped.
type workerState string

const (
	workerStarting workerState = "starting" // the process exists; not Ready yet
	workerReady    workerState = "ready"    // it serves
	workerDraining workerState = "draining" // it was told to go
)

// worker is one process that has not been reaped.
type worker struct {
	ID         uint32      `json:"id"`
	Program    string      `json:"program"`
	Slot       int         `json:"slot"`
	Build      int         `json:"build"`
	Generation int         `json:"generation"`
	State      workerState `json:"state"`
	PID        int         `json:"pid"`
	Cell       int         `json:"cell"`
	Sockets    []int       `json:"sockets"`
	Started    instant     `json:"started"`
	StartedAt  time.Time   `json:"started_at"` // for display: the wall clock may step
	Deadline   instant     `json:"deadline"`   // of starting or draining; 0: none
	Killed     string      `json:"killed"`     // why the master killed it
	Drain      DrainReason `json:"drain"`
	Leave      string      `json:"leave"` // why another has to take its place; "": it stays
	Hung       bool        `json:"hung"`  // it serves nobody
	Exclusive  bool        `json:"exclusive,omitempty"`

	MemoryLimit int64 `json:"memory_limit,omitempty"` // its GOMEMLIMIT from us in bytes; 0: none

	LetGo    instant `json:"let_go,omitempty"`    // when it has no sockets any more; 0: it has none, or keeps them
	Ordered  int     `json:"ordered,omitempty"`   // orders so far
	Orders   []order `json:"orders,omitempty"`    // those that it has not taken
	RepeatAt instant `json:"repeat_at,omitempty"` // when they are given again; 0: there are none
	Repeated int     `json:"repeated,omitempty"`  // how often they were, in a row
}

// serves reports whether a worker, which may be nil, does what it is for.
func (w *worker) serves() bool { return w != nil && w.State == workerReady && !w.Hung }

// socket is one bound socket that the master holds.
type socket struct {
	ID         int       `json:"id"` // the world's handle
	Key        socketKey `json:"key"`
	Addr       string    `json:"addr"`            // as bound
	Given      bool      `json:"given,omitempty"` // by the service manager
	Configured string    `json:"-"`               // as its program writes it; in socketsOf only

	Ending bool    `json:"ending,omitempty"` // nobody new comes into its queue
	Old    bool    `json:"old,omitempty"`    // another has its path; it is here for its queue
	Lost   string  `json:"lost,omitempty"`   // its path is not its own, and why it cannot be made again
	TryAt  instant `json:"try_at,omitempty"` // when that is tried again

	Dev uint64 `json:"dev,omitempty"` // with Ino: the file of a Unix socket
	Ino uint64 `json:"ino,omitempty"`
}

// socketKey says which sockets are the same across reloads. Slot is 0 for the
// socket that all workers share, so that a program may change its mode.
type socketKey struct {
	Addr    string `json:"addr"`    // canonical
	Program string `json:"program"` // set where port 0 makes the address no name
	Nth     int    `json:"nth"`     // among equal addresses of that program
	Slot    int    `json:"slot"`
}

type commandKind string

const (
	commandReload  commandKind = "reload"
	commandUpgrade commandKind = "upgrade"
	commandScale   commandKind = "scale"
	commandStop    commandKind = "stop"
	commandRestart commandKind = "restart"
	commandHold    commandKind = "hold"
	commandReopen  commandKind = "reopen-logs" // no change of the machine
)

// command is a change that is asked for. Changes are made one at a time.
type command struct {
	Kind      commandKind `json:"kind"`
	Ops       []string    `json:"ops"` // who waits for it
	Program   string      `json:"program,omitempty"`
	Count     int         `json:"count,omitempty"`
	NotBefore instant     `json:"not_before,omitempty"`
}

// changeStage is the life of a change; the order below is that of the stages.
type changeStage string

const (
	changeWaiting    changeStage = "waiting"    // for an old generation to end
	changeDescribing changeStage = "describing" // the new file says what it is
	changeExec       changeStage = "exec"       // upgrade only: the master is to be replaced
	changeStarting   changeStage = "starting"   // new workers start beside the old
	changeSettling   changeStage = "settling"   // all of them are ready and have to stay so
	changeExchanging changeStage = "exchanging" // those that cannot be beside the old end them, and start; then all settle
)

// change is the command that is being carried out.
type change struct {
	Command command     `json:"command"`
	Stage   changeStage `json:"stage"`
	Build   int         `json:"build"` // what the new workers run; 0: not known yet
	Next    []*program  `json:"next"`  // the new fleet, until it becomes state.Programs
	Kept    []string    `json:"kept"`  // programs that keep their workers
	Apart   []string    `json:"apart"` // programs whose new workers cannot live beside the old
	Order   []string    `json:"order"` // all programs, as the new file declares them
	From    int         `json:"from"`  // scale: the count before
	Until   instant     `json:"until"` // settling ends
}

func (s *state) worker(id uint32) *worker {
	for _, w := range s.Workers {
		if w.ID == id {
			return w
		}
	}
	return nil
}

func (s *state) build(id int) *build {
	for _, b := range s.Builds {
		if b.ID == id {
			return b
		}
	}
	return nil
}

func (s *state) socket(id int) *socket {
	for _, k := range s.Sockets {
		if k.ID == id {
			return k
		}
	}
	return nil
}

func (s *state) operation(id string) *control.Operation {
	for _, op := range s.Operations {
		if op.ID == id {
			return op
		}
	}
	return nil
}

func findProgram(list []*program, name string) *program {
	i := slices.IndexFunc(list, func(p *program) bool { return p.Spec.Name == name })
	if i < 0 {
		return nil
	}
	return list[i]
}

// next is the new fleet of the change in progress, nil where there is none.
func (s *state) next() []*program {
	if s.Change == nil {
		return nil
	}
	return s.Change.Next
}

// slotOf finds the slot that a worker fills or is the heir of, and whether that
// is in the new fleet; nil for one that drains.
func (s *state) slotOf(id uint32) (p *program, sl *slot, isNext bool) {
	for i, fleet := range [][]*program{s.Programs, s.next()} {
		for _, p := range fleet {
			for _, sl := range p.Slots {
				if sl.Worker == id || sl.Heir == id {
					return p, sl, i == 1
				}
			}
		}
	}
	return nil, nil, false
}

// ready counts the slots whose worker is ready.
func (s *state) ready(p *program) int {
	n := 0
	for _, sl := range p.Slots {
		if s.worker(sl.Worker).serves() {
			n++
		}
	}
	return n
}

// allReady reports whether every slot of a fleet has a ready worker.
func (s *state) allReady(fleet []*program) bool {
	for _, p := range fleet {
		if s.ready(p) < len(p.Slots) {
			return false
		}
	}
	return true
}

// wantedWorkers counts the slots of the fleet that is, or is about to be, the
// one that counts.
func (s *state) wantedWorkers() int {
	n := 0
	for _, p := range s.next() {
		n += len(p.Slots)
	}
	for _, p := range s.Programs {
		if len(s.next()) == 0 || slices.Contains(s.Change.Kept, p.Spec.Name) {
			n += len(p.Slots)
		}
	}
	return n
}

// postpone moves everything that is due at a time by d: nothing has happened for
// so long.
func (s *state) postpone(d time.Duration) {
	later := func(t *instant) {
		if *t != 0 {
			*t = t.add(d)
		}
	}
	for _, w := range s.Workers {
		later(&w.Deadline)
		later(&w.RepeatAt)
		later(&w.LetGo)
	}
	for _, fleet := range [][]*program{s.Programs, s.next()} {
		for _, p := range fleet {
			for _, sl := range p.Slots {
				later(&sl.RetryAt)
			}
		}
	}
	for _, c := range s.Queue {
		later(&c.NotBefore)
	}
	if s.Change != nil {
		later(&s.Change.Until)
	}
}
