package fleet

import "time"

// hold drains every worker and starts none until a reload.
func (m *Machine) hold() {
	m.Held = true
	for _, p := range m.Programs {
		for _, sl := range p.Slots {
			for _, w := range m.workersOf(sl) {
				m.dismiss(w, p, ReasonScale)
			}
			sl.Worker, sl.Replacement = 0, 0
		}
	}
}

// stop ends everything: gracefully, and at once when it is asked for so.
func (m *Machine) stop(ev Command) {
	if m.Phase == PhaseStopped {
		if ev.Kind == CommandStop { // the exec of a restart has not come yet, and will not
			m.Restart = false
			m.Finish(m.restartOps(), ErrStopping, nil)
		}
		return
	}
	if m.Change != nil {
		m.failChange(ErrStopping)
	}
	for _, c := range m.Queue {
		m.Finish(c.Ops, ErrStopping, nil)
	}
	m.Queue = nil
	m.Restarting, m.Trial = nil, nil
	if ev.Kind == CommandStop {
		m.Finish(m.restartOps(), ErrStopping, nil)
	}
	if m.Phase == PhaseRunning {
		m.Phase = PhaseStopping
		m.Restart = ev.Kind == CommandRestart
	} else if ev.Kind == CommandStop {
		m.Restart = false
	}
	m.endSockets(m.Workers)
	for _, w := range m.Workers {
		if ev.Now {
			m.kill(w, "stopped at once")
			continue
		}
		limit := m.stopTimeout(w)
		if ev.NoLimit {
			limit = NoTimeout
		}
		m.drain(w, ReasonStop, limit, ev.Dump)
	}
}

// defaultStopTimeout is for workers of a program that is no more.
const defaultStopTimeout = 10 * time.Second

// stopTimeout is that of the worker's program, as it is now.
func (m *Machine) stopTimeout(w *Worker) time.Duration {
	if p := findProgram(m.Programs, w.Program); p != nil {
		return p.Spec.StopTimeout
	}
	return defaultStopTimeout
}
