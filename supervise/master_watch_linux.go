package supervise

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/jay-go/jay/internal/fleet"
	"github.com/jay-go/jay/internal/logs"
	"github.com/jay-go/jay/internal/sys"
)

// silenceGrace is how much longer than the watchdog a worker may give no sign
// of life: one that can still speak says itself that its loop is blocked, and
// in what.
const silenceGrace = time.Second

// hear takes the events that are there: what a worker has said before it ended.
func (m *master) hear() {
	for range len(m.events) {
		select {
		case ev := <-m.events:
			m.handle(ev)
		default:
		}
	}
}

// watch looks, again and again, which workers have to be replaced.
func (m *master) watch() {
	now := time.Now()
	// Of a longer gap the machine, or the whole service, was suspended: that is
	// nobody's silence.
	passed := min(now.Sub(m.watched), 2*m.c.watchPeriod())
	m.watched = now
	for _, p := range m.procs {
		m.watchSilence(p, passed)
		m.watchLimits(p)
	}
	m.watchChildren()
	m.watchRunDir()
	m.watchPaths()
	m.watchTerminal()
	m.after(m.c.watchPeriod(), m.watch)
}

// watchPaths looks whether the paths of Unix sockets still lead to them.
func (m *master) watchPaths() {
	for _, s := range slices.Clone(m.machine.Sockets) {
		there, ours := m.fileOf(s), sys.FileID{Dev: s.Dev, Ino: s.Ino}
		switch {
		case s.Old && !sys.Readable(s.ID):
			m.step(fleet.Emptied{ID: s.ID})
		case s.Old || s.Ending || ours == (sys.FileID{}):
		case there == (sys.FileID{}):
			m.step(fleet.Lost{ID: s.ID, Why: "removed"})
		case there != ours:
			m.step(fleet.Lost{ID: s.ID, Why: "replaced"})
		case s.Lost != "":
			m.step(fleet.Lost{ID: s.ID})
		}
	}
}

// watchRunDir puts back what somebody has removed of the run directory: without
// its pid file a second master could start, without its socket nobody could
// control this one. Files may make wait, so the owner does not look itself.
func (m *master) watchRunDir() {
	if m.quieting || m.looking || m.ending {
		return
	}
	m.looking = true
	dir, sink, log := *m.dir, m.sink, m.logFile()
	go func() {
		again := dir.restore()
		if again.lock != nil { // the whole directory may be another one
			if _, err := os.Lstat(log); log != "" && errors.Is(err, os.ErrNotExist) {
				again.err = errors.Join(again.err, sink.Reopen())
			}
			dir.nameLog(log)
		}
		m.events <- func() {
			m.looking = false
			m.takeRestored(again)
		}
	}()
}

// takeRestored goes on with what restore has made again.
func (m *master) takeRestored(again restored) {
	if again.lock != nil {
		m.dir.lock.Close()
		m.dir.lock = again.lock
	}
	if again.control >= 0 {
		m.dir.socket = again.socket
		if err := m.control.move(again.control); err != nil {
			again.err = err
			sys.Close(again.control)
			m.dir.removeControl() // or it would look like one
		}
	}
	switch {
	case again.err != nil && !m.misplaced:
		m.logger.Error("the run directory has been removed or replaced and cannot be made again", "directory", m.dir.path, "error", again.err)
	case again.err == nil && again.lost:
		m.logger.Warn("the run directory had been removed or replaced, in part or whole; it is there again", "directory", m.dir.path)
	}
	m.misplaced = again.err != nil
}

// watchSilence follows the heartbeats of a worker's loops. A program without any
// is silent only while its process is stopped.
func (m *master) watchSilence(p *proc, passed time.Duration) {
	limit := m.c.watchdogLimit()
	if limit < 0 {
		return
	}
	n := max(m.board.loops(p.w.Cell), 1)
	p.beats = append(p.beats, make([]loopBeat, max(n-len(p.beats), 0))...)[:n]
	worst := 0
	for i := range p.beats {
		p.beats[i].look(m.board.beat(p.w.Cell, i), passed, p.w.PID)
		if p.beats[i].silent > p.beats[worst].silent {
			worst = i
		}
	}
	silent := p.beats[worst].silent
	if silent == 0 && p.missed {
		p.missed = false
		m.step(fleet.Recovered{ID: p.w.ID})
	}
	if silent <= limit+silenceGrace || p.missed {
		return
	}
	p.missed = true
	why := "its loop gives no sign of life"
	if stopped(p.w.PID) {
		why = "its process is stopped"
	} else if worst < len(p.loops) {
		why = fmt.Sprintf("its loop %s gives no sign of life", logs.Printable(p.loops[worst].Name, 100))
	}
	m.step(fleet.Replace{ID: p.w.ID, Hung: true, Why: fmt.Sprintf("hung: %s for %v", why, silent.Round(time.Second/10))})
}

// loopBeat is the heartbeat of one loop of a worker.
type loopBeat struct {
	beat   int64         // as last seen on the board
	silent time.Duration // since it has changed
}

// look takes the present count of signs of life. A loop that has never given one
// is silent only while its process is stopped.
func (l *loopBeat) look(beat int64, passed time.Duration, pid int) {
	if beat != l.beat || beat == 0 && !stopped(pid) {
		l.beat, l.silent = beat, 0
		return
	}
	l.silent += passed
}

// age is how long a worker has lived, whatever has become of the wall clock.
func (m *master) age(w *fleet.Worker) time.Duration { return time.Duration(m.Now() - w.Started) }

// watchLimits has a worker that has served its time replaced.
func (m *master) watchLimits(p *proc) {
	if p.w.State != fleet.WorkerReady || p.w.Leave != "" {
		return
	}
	program := m.machine.Program(p.w.Program)
	if program == nil {
		return
	}
	if why := served(&program.Spec, requestsOf(p.stats), rss(p.w.PID), m.age(p.w), p.early); why != "" {
		m.step(fleet.Replace{ID: p.w.ID, Why: why})
	}
}

// served says which limit of the program a worker has reached; "" is none.
// early, 0 to 1, spreads the replacements: that part of a tenth of the limit
// is not waited for.
func served(s *fleet.Spec, requests, rssBytes int64, age time.Duration, early float64) string {
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
