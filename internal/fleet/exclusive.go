package fleet

import (
	"fmt"
	"slices"
)

// No process of an exclusive program lives beside another of the same name, of
// whatever generation. So its worker leaves before the next one starts, and a
// reload does that last: the old fleet keeps the slot, and takes it back when
// the change fails.

// barred reports whether no worker of a program may be started now: a process
// lives that it must not be beside, or the new fleet has its turn.
func (m *Machine) barred(p *Program) bool {
	return len(m.inTheWay(p)) > 0 || m.hasTurn(p.Spec.Name)
}

// inTheWay are the processes that no worker of a program may live beside.
func (m *Machine) inTheWay(p *Program) (list []*Worker) {
	for _, w := range m.Workers {
		if w.Program == p.Spec.Name && (w.Exclusive || p.Spec.Exclusive) {
			list = append(list, w)
		}
	}
	return list
}

// vacate ends the workers of slots before others take their place.
func (m *Machine) vacate(p *Program, slots ...*Slot) {
	var leaving leavers
	for _, sl := range slots {
		leaving.add(p, m.workersOf(sl))
		sl.Worker, sl.Replacement = 0, 0
	}
	m.dismissAll(leaving, ReasonReplace)
}

// apart are the programs of a new fleet that cannot start beside the old one.
func (m *Machine) apart(next []*Program) (names []string) {
	for _, p := range next {
		old := findProgram(m.Programs, p.Spec.Name)
		if p.Spec.Exclusive || old != nil && old.Spec.Exclusive || len(m.inTheWay(p)) > 0 {
			names = append(names, p.Spec.Name)
		}
	}
	return names
}

// beside are the programs of the new fleet that start beside the old one.
func (c *change) beside() (list []*Program) {
	for _, p := range c.Next {
		if !slices.Contains(c.Apart, p.Spec.Name) {
			list = append(list, p)
		}
	}
	return list
}

// hasTurn reports whether a program that is apart is the new fleet's to start.
func (m *Machine) hasTurn(name string) bool {
	c := m.Change
	if c == nil || !slices.Contains(c.Apart, name) {
		return false
	}
	return c.Stage == changeExchanging || findProgram(c.Next, name).Slots[0].Worker != 0
}

// exchange ends the old workers of the programs that are apart.
func (m *Machine) exchange() {
	c := m.Change
	c.Stage, c.Until = changeExchanging, 0
	for _, name := range c.Apart {
		if p := findProgram(m.Programs, name); p != nil {
			m.vacate(p, p.Slots...)
		}
	}
	m.advanceExchange()
}

// advanceExchange starts the new workers as soon as nobody is in their way.
func (m *Machine) advanceExchange() {
	c, waits := m.Change, ""
	for _, name := range c.Apart {
		p := findProgram(c.Next, name)
		if p.Slots[len(p.Slots)-1].Worker != 0 {
			continue
		}
		if old := m.inTheWay(p); len(old) > 0 {
			waits = fmt.Sprintf("worker %s/%d (pid %d) has to end first", name, old[0].Slot, old[0].PID)
			continue
		}
		if err := m.startAll(p, m.Generation+1); err != nil {
			m.failChange(err)
			return
		}
	}
	m.note(c.Command.Ops, waits)
	if m.allReady(c.Next) {
		m.settle()
	}
}

// startAll starts a worker in each slot of a program that has none yet.
func (m *Machine) startAll(p *Program, generation int) error {
	for i := range p.Slots {
		if err := m.start(p, i, generation); err != nil {
			return fmt.Errorf("start worker %s/%d: %w", p.Spec.Name, i, err)
		}
	}
	return nil
}
