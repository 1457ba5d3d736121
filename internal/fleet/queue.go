package fleet

import (
	"errors"
	"fmt"
	"slices"

	"github.com/jay-go/jay/control"
)

// queued is a command that waits, or is carried out. Changes are made one at a time.
type queued struct {
	Kind      CommandKind `json:"kind"`
	Ops       []string    `json:"ops"` // who waits for it
	Program   string      `json:"program,omitempty"`
	Count     int         `json:"count,omitempty"`
	NotBefore Instant     `json:"not_before,omitempty"`
}

// ErrStopping fails the operations that a stop overtakes.
var ErrStopping = errors.New("the service is stopping")

// ErrBusy refuses commands when too many wait.
var ErrBusy = fmt.Errorf("%d commands are carried out or wait; ask again when one has ended", maxWaiting)

// maxWaiting is how many operations may be unfinished.
const maxWaiting = 1000

// Busy reports whether one more command would be too many.
func (m *Machine) Busy() bool { return m.unfinished() >= maxWaiting }

func (m *Machine) unfinished() int {
	n := 0
	for _, op := range m.Operations {
		if op.State == control.OperationRunning {
			n++
		}
	}
	return n
}

// Stops and restarts act at once, everything else is queued.
func (ev Command) take(m *Machine) {
	switch ev.Kind {
	case CommandStop:
		m.stop(ev)
		return
	case CommandRestart:
		m.askRestart(ev)
		return
	}
	if m.Phase != PhaseRunning {
		m.Finish([]string{ev.Op}, ErrStopping, nil)
		return
	}
	if ev.Kind == CommandHold {
		m.hold()
		m.Finish(operations(ev.Op), nil, nil)
		return
	}
	if m.unfinished() > maxWaiting { // this one is among them
		m.Finish(operations(ev.Op), ErrBusy, nil)
		return
	}
	if op := m.Operation(ev.Op); op != nil {
		op.Asked = ev.Count
	}
	c := &queued{Kind: ev.Kind, Ops: operations(ev.Op), Program: ev.Program, Count: ev.Count}
	if (ev.Kind == CommandReload || ev.Kind == CommandUpgrade) && ev.Op == "" && m.LastChange != 0 {
		c.NotBefore = m.LastChange.add(signalSpacing)
	}
	m.enqueue(c)
}

func operations(op string) []string {
	if op == "" {
		return nil
	}
	return []string{op}
}

// enqueue lets a command wait. Those of one kind, and of one program, are one: a
// reload or an upgrade joins the first, which has not looked at the file yet; of
// scales the last one counts, behind what was asked for before it.
func (m *Machine) enqueue(c *queued) {
	i := slices.IndexFunc(m.Queue, func(q *queued) bool { return q.Kind == c.Kind && q.Program == c.Program })
	if i >= 0 {
		q := m.Queue[i]
		q.Ops = append(q.Ops, c.Ops...)
		q.NotBefore = min(q.NotBefore, c.NotBefore)
		if c.Kind != CommandScale {
			return
		}
		q.Count, c = c.Count, q
		m.Queue = slices.Delete(m.Queue, i, i+1)
	}
	m.Queue = append(m.Queue, c)
}

// mayBegin reports whether no change is in progress, nor a trial.
func (m *Machine) mayBegin() bool {
	return m.Phase == PhaseRunning && m.Change == nil && m.Trial == nil
}

// advanceQueue begins the next change when none is in progress.
func (m *Machine) advanceQueue() {
	for m.mayBegin() && len(m.Queue) > 0 {
		c := m.Queue[0]
		if m.world.Now() < c.NotBefore {
			return
		}
		m.Queue = slices.Delete(m.Queue, 0, 1)
		m.begin(&change{Command: *c, Stage: changeWaiting})
		switch c.Kind {
		case CommandScale:
			m.beginScale()
		case CommandReload:
			m.LastChange = m.world.Now()
			m.advanceChange()
		case CommandUpgrade:
			m.LastChange = m.world.Now()
			m.Change.Stage = changeDescribing
			m.world.Describe(m.token(), CommandUpgrade)
		}
	}
}
