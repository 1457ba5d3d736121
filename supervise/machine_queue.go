package supervise

import (
	"errors"
	"fmt"
	"slices"

	"github.com/jay-go/jay/control"
)

// errStopping fails the operations that a stop overtakes.
var errStopping = errors.New("the service is stopping")

// errBusy refuses commands when too many wait.
var errBusy = fmt.Errorf("%d commands are carried out or wait; ask again when one has ended", maxWaiting)

// maxWaiting is how many operations may be unfinished.
const maxWaiting = 1000

// busy reports whether one more command would be too many.
func (m *machine) busy() bool { return m.unfinished() >= maxWaiting }

func (m *machine) unfinished() int {
	n := 0
	for _, op := range m.Operations {
		if op.State == control.OperationRunning {
			n++
		}
	}
	return n
}

// onCommand takes a command: stops act at once, everything else is queued.
func (m *machine) onCommand(ev evCommand) {
	switch ev.Kind {
	case commandStop:
		m.stop(ev)
		return
	case commandRestart:
		m.askRestart(ev)
		return
	}
	if m.Phase != phaseRunning {
		m.finish([]string{ev.Op}, errStopping, nil)
		return
	}
	if ev.Kind == commandHold {
		m.hold()
		m.finish(operations(ev.Op), nil, nil)
		return
	}
	if m.unfinished() > maxWaiting { // this one is among them
		m.finish(operations(ev.Op), errBusy, nil)
		return
	}
	if op := m.operation(ev.Op); op != nil {
		op.Asked = ev.Count
	}
	c := &command{Kind: ev.Kind, Ops: operations(ev.Op), Program: ev.Program, Count: ev.Count}
	if (ev.Kind == commandReload || ev.Kind == commandUpgrade) && ev.Op == "" && m.LastChange != 0 {
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
func (m *machine) enqueue(c *command) {
	i := slices.IndexFunc(m.Queue, func(q *command) bool { return q.Kind == c.Kind && q.Program == c.Program })
	if i >= 0 {
		q := m.Queue[i]
		q.Ops = append(q.Ops, c.Ops...)
		q.NotBefore = min(q.NotBefore, c.NotBefore)
		if c.Kind != commandScale {
			return
		}
		q.Count, c = c.Count, q
		m.Queue = slices.Delete(m.Queue, i, i+1)
	}
	m.Queue = append(m.Queue, c)
}

// mayBegin reports whether no change is in progress, nor a trial.
func (m *machine) mayBegin() bool {
	return m.Phase == phaseRunning && m.Change == nil && m.Trial == nil
}

// advanceQueue begins the next change when none is in progress.
func (m *machine) advanceQueue() {
	for m.mayBegin() && len(m.Queue) > 0 {
		c := m.Queue[0]
		if m.world.now() < c.NotBefore {
			return
		}
		m.Queue = slices.Delete(m.Queue, 0, 1)
		m.begin(&change{Command: *c, Stage: changeWaiting})
		switch c.Kind {
		case commandScale:
			m.beginScale()
		case commandReload:
			m.LastChange = m.world.now()
			m.advanceChange()
		case commandUpgrade:
			m.LastChange = m.world.now()
			m.Change.Stage = changeDescribing
			m.world.describe(m.token(), commandUpgrade)
		}
	}
}
