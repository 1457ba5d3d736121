package supervise

import (
	"log/slog"
	"slices"
)

// begin and end frame a change.
func (m *machine) begin(c *change) {
	m.Change = c
	m.moves++
}

func (m *machine) end() *change {
	c := m.Change
	m.Change = nil
	m.moves++
	return c
}

// token names the change in progress for describe: answers to an earlier one
// are not taken for it.
func (m *machine) token() int {
	m.NextBuild++
	m.Change.Build = m.NextBuild - 1
	return m.Change.Build
}

// advanceChange carries the change in progress on as far as it goes now.
func (m *machine) advanceChange() {
	c := m.Change
	if c == nil || m.Phase != phaseRunning {
		return
	}
	if c.Command.Kind == commandScale {
		m.advanceScale()
		return
	}
	switch c.Stage {
	case changeWaiting:
		if waits := m.makeRoom(); waits != "" {
			m.note(c.Command.Ops, waits)
			return
		}
		m.note(c.Command.Ops, "")
		if c.Build != 0 { // an upgrade knows its file already
			m.startNext()
			return
		}
		c.Stage = changeDescribing
		m.world.describe(m.token(), commandReload)
	case changeStarting:
		if beside := c.beside(); len(beside) == 0 && len(c.Apart) > 0 {
			m.exchange()
		} else if m.allReady(beside) {
			m.settle()
		}
	case changeExchanging:
		m.advanceExchange()
	case changeSettling:
		switch {
		case m.world.now() < c.Until:
		case m.allReady(c.Next):
			m.commit()
		default:
			m.exchange()
		}
	}
}

// settle begins the time for which the new workers have to stay ready.
func (m *machine) settle() {
	c := m.Change
	c.Stage, c.Until = changeSettling, m.world.now().add(m.build(c.Build).settle())
}

func (m *machine) onDescribed(ev evDescribed) {
	if r := m.Restarting; r != nil && r.Token == ev.Token {
		m.restart(ev)
		return
	}
	c := m.Change
	if c == nil || c.Stage != changeDescribing || c.Build != ev.Token {
		if ev.Err == nil {
			m.world.closeBuild(&build{File: ev.File})
		}
		return
	}
	c.Build = 0
	if ev.Err != nil {
		m.failChange(ev.Err)
		return
	}
	b := m.addBuild(ev)
	c.Build = b.ID
	if c.Command.Kind == commandUpgrade {
		c.Stage = changeExec
		return
	}
	m.prepareNext(b, ev.Specs)
}

// prepareNext makes the new fleet and starts it.
func (m *machine) prepareNext(b *build, specs []programSpec) {
	if !m.makeNext(b, specs) {
		return
	}
	m.startNext()
}

// makeNext makes the new fleet, or fails the change.
func (m *machine) makeNext(b *build, specs []programSpec) bool {
	c := m.Change
	var err error
	if c.Next, c.Kept, err = m.newFleet(b, specs); err != nil {
		m.failChange(err)
	}
	c.Order = nil
	for _, spec := range specs {
		c.Order = append(c.Order, spec.Name)
	}
	return err == nil
}

func (m *machine) startNext() {
	c := m.Change
	c.Stage, c.Apart = changeStarting, m.apart(c.Next)
	for _, p := range c.beside() {
		if err := m.startAll(p, m.Generation+1); err != nil {
			m.failChange(err)
			return
		}
	}
	m.advanceChange()
}

// upgraded begins the second half of an upgrade, in the new master: its own
// programs become the next generation.
func (m *machine) upgraded(specs []programSpec) {
	m.Change.Stage = changeWaiting
	m.makeNext(m.build(m.Change.Build), specs)
	m.advance()
}

// onExecFailed gives an upgrade up that could not replace the master.
func (m *machine) onExecFailed(ev evExecFailed) {
	if m.Change != nil && m.Change.Stage == changeExec {
		m.failChange(ev.Err)
	}
}

// failChange ends the change in progress without effect: what it started goes.
func (m *machine) failChange(err error) {
	c := m.end()
	var leaving leavers
	for _, p := range c.Next {
		for _, sl := range p.Slots {
			leaving.add(p, m.workersOf(sl))
		}
	}
	m.dismissAll(leaving, Reload)
	m.world.log(slog.LevelError, string(c.Command.Kind)+" failed", "error", err)
	m.finish(c.Command.Ops, err, nil)
}

// leavers are workers that have to go, with their programs.
type leavers struct {
	programs []*program
	workers  []*worker
}

func (l *leavers) add(p *program, list []*worker) {
	for _, w := range list {
		l.programs, l.workers = append(l.programs, p), append(l.workers, w)
	}
}

// dismissAll ends workers whose slots they are not in any more.
func (m *machine) dismissAll(l leavers, reason DrainReason) {
	m.endSockets(l.workers)
	for i, w := range l.workers {
		m.dismiss(w, l.programs[i], reason)
	}
}

// dismiss ends a worker: one that serves drains, one that does not is killed.
func (m *machine) dismiss(w *worker, p *program, reason DrainReason) {
	if w.Exclusive && reason == Reload {
		reason = Replace
	}
	why := "no longer wanted"
	if w.Hung {
		why = w.Leave
	}
	if !w.serves() && w.State != workerDraining {
		w.State, w.Drain = workerDraining, reason
		m.kill(w, why)
		return
	}
	m.drain(w, reason, p.Spec.StopTimeout, false)
}

// commit makes the new fleet the one that counts; the old one drains.
func (m *machine) commit() {
	c, old := m.end(), m.Programs
	m.Programs, m.Held = nil, false
	m.Generation++
	var leaving leavers
	for _, p := range old {
		if slices.Contains(c.Kept, p.Spec.Name) {
			m.Programs = append(m.Programs, p)
			m.pass(p)
			continue
		}
		for _, sl := range p.Slots {
			leaving.add(p, m.workersOf(sl))
		}
	}
	for _, p := range c.Next {
		if was := findProgram(old, p.Spec.Name); was != nil {
			p.Restarts, p.LastExit = was.Restarts, was.LastExit
			m.changeBacklog(was, p)
		}
	}
	m.Programs = append(m.Programs, c.Next...)
	slices.SortStableFunc(m.Programs, func(a, b *program) int {
		return slices.Index(c.Order, a.Spec.Name) - slices.Index(c.Order, b.Spec.Name)
	})
	m.dismissAll(leaving, Reload)
	m.world.log(slog.LevelInfo, string(c.Command.Kind)+" done", "generation", m.Generation)
	m.world.reloaded()
	m.finish(c.Command.Ops, nil, map[string]any{"generation": m.Generation})
}

// changeBacklog gives the sockets that a program keeps the queues that it wants now.
func (m *machine) changeBacklog(was, p *program) {
	if p.Spec.Backlog == was.Spec.Backlog {
		return
	}
	for _, s := range m.Sockets {
		if slices.ContainsFunc(p.Slots, func(sl *slot) bool { return slices.Contains(sl.Sockets, s.ID) }) {
			m.world.setBacklog(s, p.Spec.Backlog)
		}
	}
}

// pass tells the workers of a program that keeps them that a reload has passed.
func (m *machine) pass(p *program) {
	for _, sl := range p.Slots {
		if sl.Worker == 0 {
			sl.State, sl.Streak = slotWanted, 0
		}
		for _, w := range m.workersOf(sl) {
			m.world.reload(w, m.order(w, orderReload))
		}
	}
}
