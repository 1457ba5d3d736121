package supervise

import (
	"fmt"
	"os"
	"time"

	"github.com/jay-go/jay/internal/sys"
)

// silenceGrace is how much longer than the watchdog a worker may give no sign
// of life: one that can still speak says itself that its loop is blocked, and
// in what.
const silenceGrace = time.Second

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
	m.watchTerminal()
	m.after(m.c.watchPeriod(), m.watch)
}

// watchRunDir puts back what somebody has removed of the run directory: without
// its pid file a second master could start, without its socket nobody could
// control this one.
func (m *master) watchRunDir() {
	if m.quieting {
		return
	}
	lock, control := m.dir.lost()
	if !lock && !control {
		m.misplaced = false
		return
	}
	var err error
	if lock {
		err = m.dir.retake()
	}
	if err == nil && control {
		err = m.relisten()
	}
	switch {
	case err == nil:
		m.logger.Warn("the run directory had been removed, in part or whole; it is there again", "directory", m.dir.path)
	case !m.misplaced:
		m.logger.Error("the run directory has been removed and cannot be made again", "directory", m.dir.path, "error", err)
	}
	m.misplaced = err != nil
}

// relisten makes the control socket again. Where that fails half-way nothing is
// left that would look like one.
func (m *master) relisten() error {
	fd, err := m.dir.listen()
	if err != nil {
		return err
	}
	if err := m.control.move(fd); err != nil {
		sys.Close(fd)
		os.Remove(m.dir.control())
		return err
	}
	return nil
}

// watchSilence follows the heartbeat of a worker's loop. A program without one
// is silent only while its process is stopped.
func (m *master) watchSilence(p *proc, passed time.Duration) {
	limit := m.c.watchdogLimit()
	if limit < 0 {
		return
	}
	beat := m.board.beat(p.w.Cell)
	if beat != p.beat || beat == 0 && !stopped(p.w.PID) {
		p.beat, p.silent = beat, 0
		if p.missed {
			p.missed = false
			m.step(evRecovered{ID: p.w.ID})
		}
		return
	}
	if p.silent += passed; p.silent <= limit+silenceGrace || p.missed {
		return
	}
	p.missed = true
	why := "its loop gives no sign of life"
	if stopped(p.w.PID) {
		why = "its process is stopped"
	}
	m.step(evReplace{ID: p.w.ID, Hung: true, Why: fmt.Sprintf("hung: %s for %v", why, p.silent.Round(time.Second/10))})
}

// watchLimits has a worker that has served its time replaced.
func (m *master) watchLimits(p *proc) {
	if p.w.State != workerReady || p.w.Leave != "" {
		return
	}
	program := findProgram(m.machine.Programs, p.w.Program)
	if program == nil {
		return
	}
	if why := program.Spec.served(p.stats.requests(), rss(p.w.PID), time.Since(p.w.StartedAt), p.early); why != "" {
		m.step(evReplace{ID: p.w.ID, Why: why})
	}
}
