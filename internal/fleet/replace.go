package fleet

import (
	"fmt"
	"log/slog"
)

// A replacement is started beside the worker, which goes when that is ready.
func (ev Replace) take(m *Machine) {
	w := m.Worker(ev.ID)
	if w == nil || w.Killed != "" || w.Hung || w.Leave != "" && !ev.Hung {
		return
	}
	switch {
	case w.State == WorkerReady:
	case ev.Hung: // neither its start nor its drain will end
		m.kill(w, ev.Why)
		return
	default:
		return
	}
	w.Leave, w.Hung = ev.Why, ev.Hung
	if !ev.Hung {
		m.world.Log(slog.LevelInfo, "replace worker", "program", w.Program, "slot", w.Slot, "pid", w.PID, "why", ev.Why)
		return
	}
	m.world.Log(slog.LevelError, "worker hangs", "program", w.Program, "slot", w.Slot, "pid", w.PID, "why", ev.Why)
	p, sl, isNext := m.slotOf(w.ID)
	if isNext {
		m.failChange(fmt.Errorf("new worker %s/%d: %s", w.Program, w.Slot, ev.Why))
		m.kill(w, ev.Why)
		return
	}
	if sl == nil {
		return
	}
	p.Restarts++
	p.LastExit = ev.Why
	w.Deadline = m.world.Now().add(hungGrace)
	m.scaleLost(w, ev.Why)
}

// A worker that hung drains when its replacement is ready, for the sake of its
// connections.
func (ev Recovered) take(m *Machine) {
	w := m.Worker(ev.ID)
	if w == nil || !w.Hung || w.Killed != "" {
		return
	}
	m.world.Log(slog.LevelWarn, "hung worker goes on", "program", w.Program, "slot", w.Slot, "pid", w.PID)
	w.Hung = false
	if w.State == WorkerReady {
		w.Deadline = 0
	}
}

// succeed puts a slot's replacement, which is ready, in the place of its worker.
func (m *Machine) succeed(p *Program, sl *Slot) {
	old := m.Worker(sl.Worker)
	sl.Worker, sl.Replacement = sl.Replacement, 0
	m.dismiss(old, p, ReasonReload)
}
