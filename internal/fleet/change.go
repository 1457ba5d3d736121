package fleet

import (
	"log/slog"
	"slices"
)

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
	Command queued      `json:"command"`
	Stage   changeStage `json:"stage"`
	Build   int         `json:"build"` // what the new workers run; 0: not known yet
	Next    []*Program  `json:"next"`  // the new fleet, until it becomes State.Programs
	Kept    []string    `json:"kept"`  // programs that keep their workers
	Apart   []string    `json:"apart"` // programs whose new workers cannot live beside the old
	Order   []string    `json:"order"` // all programs, as the new file declares them
	From    int         `json:"from"`  // scale: the count before
	Until   Instant     `json:"until"` // settling ends; 0: it has not begun, or is over
}

// begin and end frame a change.
func (m *Machine) begin(c *change) {
	m.Change = c
	m.moves++
}

func (m *Machine) end() *change {
	c := m.Change
	m.Change = nil
	m.moves++
	return c
}

// token names the change in progress for describe: the response to an earlier
// one is not taken for it.
func (m *Machine) token() int {
	m.NextBuild++
	m.Change.Build = m.NextBuild - 1
	return m.Change.Build
}

// advanceChange carries the change in progress on as far as it goes now.
func (m *Machine) advanceChange() {
	c := m.Change
	if c == nil || m.Phase != PhaseRunning {
		return
	}
	if c.Command.Kind == CommandScale {
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
		m.world.Describe(m.token(), CommandReload)
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
		case m.world.Now() < c.Until:
		case m.allReady(c.Next):
			m.commit()
		default:
			m.exchange()
		}
	}
}

// settle begins the time for which the new workers have to stay ready.
func (m *Machine) settle() {
	c := m.Change
	c.Stage, c.Until = changeSettling, m.world.Now().add(m.Build(c.Build).SettleTime())
}

func (ev Described) take(m *Machine) {
	if r := m.Restarting; r != nil && r.Token == ev.Token {
		m.restart(ev)
		return
	}
	c := m.Change
	if c == nil || c.Stage != changeDescribing || c.Build != ev.Token {
		if ev.Err == nil {
			m.world.CloseBuild(&Build{File: ev.File})
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
	if c.Command.Kind == CommandUpgrade {
		c.Stage = changeExec
		return
	}
	m.prepareNext(b, ev.Specs)
}

// prepareNext makes the new fleet and starts it.
func (m *Machine) prepareNext(b *Build, specs []Spec) {
	if !m.makeNext(b, specs) {
		return
	}
	m.startNext()
}

// makeNext makes the new fleet, or fails the change.
func (m *Machine) makeNext(b *Build, specs []Spec) bool {
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

func (m *Machine) startNext() {
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

// Upgraded begins the second half of an upgrade, in the machine of the new master,
// whose programs become the next generation.
func (m *Machine) Upgraded(specs []Spec) {
	m.Change.Stage = changeWaiting
	m.makeNext(m.Build(m.Change.Build), specs)
	m.advance()
}

// An upgrade is given up that could not replace the master.
func (ev ExecFailed) take(m *Machine) {
	if m.Change != nil && m.Change.Stage == changeExec {
		m.failChange(ev.Err)
	}
}

// failChange ends the change in progress without effect: what it started goes.
func (m *Machine) failChange(err error) {
	c := m.end()
	var leaving leavers
	for _, p := range c.Next {
		for _, sl := range p.Slots {
			leaving.add(p, m.workersOf(sl))
		}
	}
	m.dismissAll(leaving, ReasonReload)
	m.world.Log(slog.LevelError, string(c.Command.Kind)+" failed", "error", err)
	m.Finish(c.Command.Ops, err, nil)
}

// leavers are workers that have to go, with their programs.
type leavers struct {
	programs []*Program
	workers  []*Worker
}

func (l *leavers) add(p *Program, list []*Worker) {
	for _, w := range list {
		l.programs, l.workers = append(l.programs, p), append(l.workers, w)
	}
}

// dismissAll ends workers that are in no slot any more.
func (m *Machine) dismissAll(l leavers, reason Reason) {
	m.endSockets(l.workers)
	for i, w := range l.workers {
		m.dismiss(w, l.programs[i], reason)
	}
}

// dismiss ends a worker: one that serves drains, one that does not is killed.
func (m *Machine) dismiss(w *Worker, p *Program, reason Reason) {
	if w.Exclusive && reason == ReasonReload {
		reason = ReasonReplace
	}
	why := "no longer wanted"
	if w.Hung {
		why = w.Leave
	}
	if !w.serves() && w.State != WorkerDraining {
		w.State, w.Drain = WorkerDraining, reason
		m.kill(w, why)
		return
	}
	m.drain(w, reason, p.Spec.StopTimeout, false)
}

// commit makes the new fleet the one that counts; the old one drains.
func (m *Machine) commit() {
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
	slices.SortStableFunc(m.Programs, func(a, b *Program) int {
		return slices.Index(c.Order, a.Spec.Name) - slices.Index(c.Order, b.Spec.Name)
	})
	m.dismissAll(leaving, ReasonReload)
	m.world.Log(slog.LevelInfo, string(c.Command.Kind)+" done", "generation", m.Generation)
	m.world.Reloaded()
	m.Finish(c.Command.Ops, nil, map[string]any{"generation": m.Generation})
}

// changeBacklog gives the sockets that a program keeps the backlog that it wants now.
func (m *Machine) changeBacklog(was, p *Program) {
	if p.Spec.Backlog == was.Spec.Backlog {
		return
	}
	for _, s := range m.Sockets {
		if slices.ContainsFunc(p.Slots, func(sl *Slot) bool { return slices.Contains(sl.Sockets, s.ID) }) {
			m.world.SetBacklog(s, p.Spec.Backlog)
		}
	}
}

// pass tells the workers of a program that keeps them that a reload has passed.
func (m *Machine) pass(p *Program) {
	for _, sl := range p.Slots {
		if sl.Worker == 0 {
			sl.State, sl.Streak = SlotWanted, 0
		}
		for _, w := range m.workersOf(sl) {
			m.world.Reload(w, m.order(w, orderReload))
		}
	}
}
