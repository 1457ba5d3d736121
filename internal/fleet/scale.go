package fleet

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
)

// beginScale changes the number of slots of a program.
func (m *Machine) beginScale() {
	c := m.Change
	p := findProgram(m.Programs, c.Command.Program)
	if p == nil {
		m.failChange(fmt.Errorf("scale %s: no such program", c.Command.Program))
		return
	}
	if err := p.Spec.CheckCount(c.Command.Count); err != nil {
		m.failChange(err)
		return
	}
	var sum size
	for _, each := range m.Programs {
		n := len(each.Slots)
		if each == p {
			n = c.Command.Count
		}
		if err := sum.add(&each.Spec, n); err != nil {
			m.failChange(fmt.Errorf("scale %s=%d: %w", p.Spec.Name, c.Command.Count, err))
			return
		}
	}
	for i := len(p.Slots); i < c.Command.Count; i++ {
		if !m.hasRoom(p.Spec.Name, i) {
			m.hurryOldest(p.Spec.Name, i)
			m.note(c.Command.Ops, fmt.Sprintf("%d workers %s/%d drain", MaxGenerations, p.Spec.Name, i))
			return
		}
	}
	m.note(c.Command.Ops, "")
	c.From, c.Stage = len(p.Slots), changeStarting
	for _, sl := range p.Slots {
		if sl.State != SlotWanted {
			sl.State, sl.Streak, sl.RetryAt = SlotWanted, 0, 0
		}
	}
	p.Retries = nil
	if err := m.resize(p, c.Command.Count); err != nil {
		err = errors.Join(err, m.resize(p, c.From))
		m.failChange(fmt.Errorf("scale %s: %w", p.Spec.Name, err))
		return
	}
	m.advanceScale()
}

// Asked is how many workers the program will have when everything that waits
// is done.
func (m *Machine) Asked(p *Program) int {
	n := len(p.Slots)
	for _, c := range m.Queue {
		if c.Kind == CommandScale && c.Program == p.Spec.Name {
			n = c.Count
		}
	}
	return n
}

// resize adds empty slots, or takes the highest away and drains their workers.
func (m *Machine) resize(p *Program, n int) error {
	for len(p.Slots) < n {
		p.Slots = append(p.Slots, &Slot{})
	}
	var leaving leavers
	for _, sl := range p.Slots[n:] {
		leaving.add(p, m.workersOf(sl))
	}
	p.Slots = p.Slots[:n]
	p.Spec.Count = n
	err := m.reassign(p)
	m.dismissAll(leaving, ReasonScale)
	return err
}

// reassign gives the slots their sockets anew and tells running workers whose
// set has changed.
func (m *Machine) reassign(p *Program) error {
	err := m.assignSockets(p)
	for _, sl := range p.Slots {
		for _, w := range m.workersOf(sl) {
			if err == nil && !slices.Equal(w.Sockets, sl.Sockets) {
				m.giveSockets(w, sl.Sockets)
			}
		}
	}
	return err
}

// giveSockets tells a running worker its new set.
func (m *Machine) giveSockets(w *Worker, ids []int) {
	added := slices.DeleteFunc(slices.Clone(ids), func(id int) bool { return slices.Contains(w.Sockets, id) })
	w.Sockets = slices.Clone(ids)
	m.orderSockets(w, ids, added)
}

// orderSockets tells a worker the whole set of its sockets, and gives it those
// of them that it may lack.
func (m *Machine) orderSockets(w *Worker, ids, added []int) {
	p, _, _ := m.slotOf(w.ID)
	m.world.GiveSockets(w, m.order(w, orderSockets), m.SocketsOf(p, ids), m.SocketsOf(p, added))
}

// advanceScale ends a scale whose new workers are all ready.
func (m *Machine) advanceScale() {
	c := m.Change
	if c.Stage == changeWaiting {
		m.beginScale()
		return
	}
	p := findProgram(m.Programs, c.Command.Program)
	if m.Held || m.grown(p, c.From) {
		m.end()
		m.world.Log(slog.LevelInfo, "scale done", "program", p.Spec.Name, "workers", len(p.Slots))
		m.Finish(c.Command.Ops, nil, map[string]any{"program": p.Spec.Name, "workers": len(p.Slots)})
	}
}

// grown reports whether every slot from one on has a ready worker, and all of
// the program accept from the sockets that they are to.
func (m *Machine) grown(p *Program, from int) bool {
	for _, sl := range p.Slots {
		for _, w := range m.workersOf(sl) {
			if !w.hasTaken(orderSockets) {
				return false
			}
		}
	}
	for i := from; i < len(p.Slots); i++ {
		if !m.Worker(p.Slots[i].Worker).serves() {
			return false
		}
	}
	return true
}

// scaleLost gives a scale up when one of its new workers has exited.
func (m *Machine) scaleLost(w *Worker, cause string) {
	c := m.Change
	if c == nil || c.Command.Kind != CommandScale || c.Stage == changeWaiting || c.Command.Program != w.Program || w.Slot < c.From {
		return
	}
	p := findProgram(m.Programs, w.Program)
	err := errors.Join(fmt.Errorf("scale %s: new worker %d: %s; %d workers stay", w.Program, w.Slot, cause, c.From), m.resize(p, c.From))
	m.failChange(err)
}
