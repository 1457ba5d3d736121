package supervise

import (
	"syscall"
	"time"

	"github.com/jay-go/jay/internal/fleet"
)

// heedSignals takes what has come.
func (m *master) heedSignals() {
	for _, s := range m.signals.take() {
		m.onSignal(s)
	}
}

// hastens reports whether a stop signal is one more than the stop that is in
// progress, which it ends at once.
func (m *master) hastens() bool {
	if m.stopAt.IsZero() || time.Since(m.stopAt) < stopGrace {
		return false
	}
	m.stopAt = time.Now()
	return true
}

func (m *master) onSignal(s syscall.Signal) {
	if s != syscall.SIGCHLD && s != syscall.SIGWINCH {
		m.logger.Info("signal", "name", s.String())
	}
	switch s {
	case syscall.SIGCHLD:
		m.reap()
	case syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT:
		now := m.hastens()
		m.hurried = m.hurried || now
		m.step(fleet.Command{Kind: fleet.CommandStop, Now: now, Dump: s == syscall.SIGQUIT})
	case syscall.SIGHUP:
		m.onHangup()
	case syscall.SIGUSR1:
		m.reopenLogs(func(error) {})
	case syscall.SIGUSR2:
		m.step(fleet.Command{Kind: fleet.CommandUpgrade})
	case syscall.SIGTTIN:
		m.scaleBy(1)
	case syscall.SIGTTOU:
		m.scaleBy(-1)
	case syscall.SIGWINCH:
		if m.daemon {
			m.step(fleet.Command{Kind: fleet.CommandHold})
		}
	}
}

// scaleBy changes the first program by n. Terminals send the signals for it
// on their own account, so only a daemon obeys.
func (m *master) scaleBy(n int) {
	if !m.daemon || len(m.machine.Programs) == 0 {
		return
	}
	p := m.machine.Programs[0]
	if count := m.machine.Asked(p) + n; count >= 1 && count <= fleet.MaxWorkers {
		m.step(fleet.Command{Kind: fleet.CommandScale, Program: p.Spec.Name, Count: count})
	}
}

// reopenLogs opens the log's path anew, beside the owner, and then tells it.
func (m *master) reopenLogs(then func(error)) {
	go func() {
		err := m.sink.Reopen()
		if err != nil {
			m.logger.Error("reopen log", "error", err)
		} else {
			m.logger.Info("log reopened")
		}
		m.events <- func() { then(err) }
	}()
}
