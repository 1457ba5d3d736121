package supervise

import (
	"fmt"
	"log/slog"
	"time"
)

// evReplace says that a worker has to make room for another of its slot: it is
// hung, or has served its time.
type evReplace struct {
	ID   uint32
	Why  string
	Hung bool // it serves nobody and cannot drain
}

// evRecovered says that a hung worker goes round again.
type evRecovered struct{ ID uint32 }

// onReplace begins the replacement of one worker. Its heir is started beside
// it; the worker goes when the heir is ready.
func (m *machine) onReplace(ev evReplace) {
	w := m.worker(ev.ID)
	if w == nil || w.Killed != "" || w.Hung || w.Leave != "" && !ev.Hung {
		return
	}
	switch {
	case w.State == workerReady:
	case ev.Hung: // neither its start nor its drain will end
		m.kill(w, ev.Why)
		return
	default:
		return
	}
	w.Leave, w.Hung = ev.Why, ev.Hung
	if !ev.Hung {
		m.world.log(slog.LevelInfo, "replace worker", "program", w.Program, "slot", w.Slot, "pid", w.PID, "why", ev.Why)
		return
	}
	m.world.log(slog.LevelError, "worker hangs", "program", w.Program, "slot", w.Slot, "pid", w.PID, "why", ev.Why)
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
	w.Deadline = m.world.now().add(hungGrace)
	m.scaleLost(w, ev.Why)
}

// onRecovered lets a worker that was hung drain when its heir is ready, for
// the sake of its connections.
func (m *machine) onRecovered(ev evRecovered) {
	w := m.worker(ev.ID)
	if w == nil || !w.Hung || w.Killed != "" {
		return
	}
	m.world.log(slog.LevelWarn, "hung worker goes on", "program", w.Program, "slot", w.Slot, "pid", w.PID)
	w.Hung = false
	if w.State == workerReady {
		w.Deadline = 0
	}
}

// succeed puts a slot's heir, which is ready, in the place of its worker.
func (m *machine) succeed(p *program, sl *slot) {
	old := m.worker(sl.Worker)
	sl.Worker, sl.Heir = sl.Heir, 0
	m.dismiss(old, p, Reload)
}

// served says which limit of the program a worker has reached; "" is none.
// early, 0 to 1, spreads the replacements: that part of a tenth of the limit
// is not waited for.
func (s *programSpec) served(requests, rssBytes int64, age time.Duration, early float64) string {
	reached := func(have, limit int64) bool { return limit > 0 && float64(have) >= float64(limit)*(1-early/10) }
	switch {
	case reached(requests, s.MaxRequests):
		return fmt.Sprintf("it has served %d requests of at most %d", requests, s.MaxRequests)
	case reached(int64(age), int64(s.MaxAge)):
		return fmt.Sprintf("it is %v old of at most %v", age.Round(time.Second), s.MaxAge)
	case reached(rssBytes, s.MaxRSS):
		return fmt.Sprintf("it takes %s of memory of at most %s", size(rssBytes), size(s.MaxRSS))
	}
	return ""
}
