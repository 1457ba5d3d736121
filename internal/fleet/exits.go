package fleet

import (
	"fmt"
	"log/slog"
	"slices"
	"time"
)

func (ev Exited) take(m *Machine) {
	i := slices.IndexFunc(m.Workers, func(w *Worker) bool { return w.PID == ev.PID })
	if i < 0 {
		return
	}
	w := m.Workers[i]
	m.Workers = slices.Delete(m.Workers, i, i+1)
	cause := ev.Cause
	if w.Killed != "" {
		cause = fmt.Sprintf("%s: %s", w.Killed, ev.Cause)
	}
	planned := w.State == WorkerDraining && w.Killed == ""
	m.report(w, cause, planned, ev.Lines)
	p, sl, isNext := m.slotOf(w.ID)
	if sl == nil {
		return
	}
	isReplacement := sl.Replacement == w.ID
	if isReplacement {
		sl.Replacement = 0
	} else {
		sl.Worker, sl.Replacement = sl.Replacement, 0
	}
	if isNext {
		m.failChange(fmt.Errorf("new worker %s/%d: %s", w.Program, w.Slot, cause))
		return
	}
	if m.Phase != PhaseRunning || m.Held {
		return
	}
	if !w.Hung { // that was counted when it was found
		p.Restarts++
		p.LastExit = cause
	}
	switch {
	case !isReplacement && sl.Worker != 0: // the replacement is under way
	case w.State == WorkerStarting || time.Duration(m.world.Now()-w.Started) < healthyTime:
		m.backOff(p, sl)
	case sl.State == SlotWanted: // otherwise it is the replacements that do not start
		sl.Streak = 0
	}
	if !isReplacement {
		m.scaleLost(w, cause)
	}
}

// report tells the log and the hook how a worker ended.
func (m *Machine) report(w *Worker, cause string, planned bool, lines []string) {
	level := slog.LevelError
	if planned {
		level = slog.LevelInfo
	}
	m.world.Log(level, "worker exit", "program", w.Program, "slot", w.Slot, "pid", w.PID, "generation", w.Generation,
		"cause", cause, "state", string(w.State))
	m.world.Exited(Exit{
		Program: w.Program, Slot: w.Slot, PID: w.PID, Generation: w.Generation, Cause: cause, Planned: planned, LastLines: lines,
	})
}
