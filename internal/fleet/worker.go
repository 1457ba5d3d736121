package fleet

import (
	"log/slog"
	"time"
)

// WorkerState is the life of one worker process; it ends by being reaped.
type WorkerState string

const (
	WorkerStarting WorkerState = "starting" // the process exists; not Ready yet
	WorkerReady    WorkerState = "ready"    // it serves
	WorkerDraining WorkerState = "draining" // it was told to go
)

// Worker is one process that has not been reaped.
type Worker struct {
	ID         uint32      `json:"id"`
	Program    string      `json:"program"`
	Slot       int         `json:"slot"`
	Build      int         `json:"build"`
	Generation int         `json:"generation"`
	State      WorkerState `json:"state"`
	PID        int         `json:"pid"`
	Cell       int         `json:"cell"` // its place on the board: the lowest that no other live worker has
	Sockets    []int       `json:"sockets"`
	Started    Instant     `json:"started"`
	Deadline   Instant     `json:"deadline"` // of starting or draining; 0: none
	Killed     string      `json:"killed"`   // why it was killed; "": it was not
	Drain      Reason      `json:"drain"`
	Leave      string      `json:"leave"` // why another has to take its place; "": it stays
	Hung       bool        `json:"hung"`  // it serves nobody
	Exclusive  bool        `json:"exclusive,omitempty"`

	LetGo    Instant `json:"let_go,omitempty"`    // when it has no sockets any more; 0: it has none, or keeps them
	Ordered  int     `json:"ordered,omitempty"`   // orders so far
	Orders   []order `json:"orders,omitempty"`    // those that it has not taken
	RepeatAt Instant `json:"repeat_at,omitempty"` // when they are given again; 0: there are none
	Repeated int     `json:"repeated,omitempty"`  // how often they were, in a row
}

// serves reports whether a worker, which may be nil, does what it is for.
func (w *Worker) serves() bool { return w != nil && w.State == WorkerReady && !w.Hung }

func (ev Ready) take(m *Machine) {
	w := m.Worker(ev.ID)
	if w == nil || w.State != WorkerStarting {
		return
	}
	w.State, w.Deadline = WorkerReady, 0
	m.world.Log(slog.LevelInfo, "worker ready", "program", w.Program, "slot", w.Slot, "pid", w.PID, "generation", w.Generation,
		"after", time.Duration(m.world.Now()-w.Started).Round(time.Millisecond))
	if p, sl, _ := m.slotOf(w.ID); sl != nil && sl.Replacement == w.ID {
		m.succeed(p, sl)
	}
}

// kill ends a worker at once. Its exit says why.
func (m *Machine) kill(w *Worker, why string) {
	if w.Killed == "" {
		w.Killed = why
		m.world.Log(slog.LevelWarn, "kill worker", "program", w.Program, "slot", w.Slot, "pid", w.PID, "why", why)
	}
	m.world.Kill(w)
}

// drain tells a worker to go. One that drains already may get less time, and never
// more; only a stop tells it again.
func (m *Machine) drain(w *Worker, reason Reason, limit time.Duration, dump bool) {
	var deadline Instant
	if limit >= 0 {
		deadline = m.world.Now().add(limit + killGrace)
	}
	if w.State == WorkerDraining {
		if deadline != 0 && (w.Deadline == 0 || deadline < w.Deadline) {
			w.Deadline = deadline
		}
		if reason != ReasonStop {
			return
		}
	} else {
		w.State, w.Deadline = WorkerDraining, deadline
		w.LetGo = m.world.Now().add(letGoTime)
	}
	w.Drain = reason
	m.orderDrain(w, dump)
}
