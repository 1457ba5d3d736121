package supervise

import "time"

// hold drains every worker and starts none until a reload.
func (m *machine) hold() {
	m.Held = true
	for _, p := range m.Programs {
		for _, sl := range p.Slots {
			for _, w := range m.workersOf(sl) {
				m.dismiss(w, p, Scale)
			}
			sl.Worker, sl.Heir = 0, 0
		}
	}
}

// stop ends everything: gracefully, and at once when it is asked for so.
func (m *machine) stop(ev evCommand) {
	if m.Phase == phaseStopped {
		if ev.Kind == commandStop { // the exec of a restart has not come yet, and will not
			m.Restart = false
			m.finish(m.restartOps(), errStopping, nil)
		}
		return
	}
	if m.Change != nil {
		m.failChange(errStopping)
	}
	for _, c := range m.Queue {
		m.finish(c.Ops, errStopping, nil)
	}
	m.Queue = nil
	m.Restarting, m.Trial = nil, nil
	if ev.Kind == commandStop {
		m.finish(m.restartOps(), errStopping, nil)
	}
	if m.Phase == phaseRunning {
		m.Phase = phaseStopping
		m.Restart = ev.Kind == commandRestart
	} else if ev.Kind == commandStop {
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
			limit = noTimeout
		}
		m.drain(w, Stop, limit, ev.Dump)
	}
}

// stopTimeout is that of the worker's program, as it is now called.
func (m *machine) stopTimeout(w *worker) time.Duration {
	if p := findProgram(m.Programs, w.Program); p != nil {
		return p.Spec.StopTimeout
	}
	return defaultStopTimeout
}
