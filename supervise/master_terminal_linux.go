package supervise

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/jay-go/jay/internal/fleet"
	"github.com/jay-go/jay/internal/sys"
)

// hangupDelay is how long after a SIGHUP the terminal is looked at again: when a
// session's leader exits, the signal comes a moment before the terminal goes.
const hangupDelay = 100 * time.Millisecond

// terminal is what a master has to know of the terminal that it was started
// from. The zero value is none.
type terminal struct {
	attached bool // it is the controlling terminal, and its signals are meant for us
	nohup    bool // whoever started us wants us to live on when it hangs up

	suspends chan os.Signal // SIGTSTP; nil where nobody is told of it

	gone   time.Time // when it was first seen to have gone
	hangup bool      // a SIGHUP waits for the second look
}

// newTerminal looks at the terminal of this process, before signals are notified.
func newTerminal() terminal {
	return terminal{attached: sys.HasTerminal(), nohup: signal.Ignored(syscall.SIGHUP)}
}

// jobSignals are those that the kernel stops a job with at a terminal. Only TSTP
// is handled there: with a handler for TTOU, a write that it forbids would be
// restarted, and forbidden, for ever. Elsewhere TTIN and TTOU are for scaleBy.
func (t terminal) jobSignals() []syscall.Signal {
	if t.attached {
		return nil
	}
	return []syscall.Signal{syscall.SIGTTIN, syscall.SIGTTOU}
}

// notifySuspend has the owner told when the user suspends the job.
func (m *master) notifySuspend() {
	if !m.terminal.attached {
		return
	}
	m.terminal.suspends = make(chan os.Signal, 1)
	signal.Notify(m.terminal.suspends, syscall.SIGTSTP)
	go func() { // for the life of the process
		for range m.terminal.suspends {
			m.suspends <- struct{}{}
		}
	}()
}

// ignoreStops has the signals by which a terminal stops its jobs do nothing here, and
// in a process that is started, until restore is called: between fork and exec that is
// still of this job, and stopped there it would hold up this process, all of it, for
// ever.
func (t terminal) ignoreStops() (restore func()) {
	if !t.attached {
		return func() {}
	}
	if t.suspends != nil {
		signal.Ignore(syscall.SIGTSTP) // what is notified has its default action after a fork
	}
	heed := sys.Ignore(syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU)
	return func() {
		heed()
		if t.suspends != nil {
			signal.Notify(t.suspends, syscall.SIGTSTP)
		}
	}
}

// stops are the signals of ignoreStops that have their default action otherwise.
// SIGTSTP has it in any case: see [sys.HeedReserved].
func (t terminal) stops() (list []syscall.Signal) {
	for _, s := range []syscall.Signal{syscall.SIGTTIN, syscall.SIGTTOU} {
		if t.attached && !sys.Ignored(s) {
			list = append(list, s)
		}
	}
	return list
}

// suspend stops the workers and then this process, and continues them when it is
// continued. Where the kernel does not stop it, as the process group has no
// shell to continue it, everything goes on at once.
func (m *master) suspend() {
	m.signalAll(syscall.SIGSTOP)
	began := m.Now()
	if err := sys.StopSelf(syscall.SIGTSTP); err != nil {
		m.logger.Error("suspend", "error", err)
	}
	m.signalAll(syscall.SIGCONT)
	m.resumed(time.Duration(m.Now() - began))
}

// signalAll sends a signal to the process groups of all workers and of the
// processes that describe a file.
func (m *master) signalAll(s syscall.Signal) {
	for _, p := range m.procs {
		sys.KillGroup(p.w.PID, s) // one that has ended is still to be reaped
	}
	for _, d := range m.describes {
		sys.KillGroup(d.pid, s)
	}
}

// resumed goes on after a suspension: the time that it took is nobody's.
func (m *master) resumed(took time.Duration) {
	m.machine.Postpone(took)
	now := time.Now()
	m.watched = now
	for _, p := range m.procs {
		p.heard = now
	}
	if m.sink.InFile() { // at a terminal in the background the line would suspend it again
		m.logger.Info("the service was suspended", "for", took.Round(time.Millisecond))
	}
}

// onHangup obeys SIGHUP: a reload, unless the terminal that the service was
// started from has gone. Then it ends as any program does that nohup has not
// been asked to keep.
func (m *master) onHangup() {
	if !m.terminal.attached {
		m.step(fleet.Command{Kind: fleet.CommandReload})
		return
	}
	if m.leaveTerminal() {
		return
	}
	m.terminal.hangup = true
	m.after(hangupDelay, func() {
		if m.terminal.hangup && !m.leaveTerminal() {
			m.terminal.hangup = false
			m.step(fleet.Command{Kind: fleet.CommandReload})
		}
	})
}

// hangupMay is how much later than the terminal goes the SIGHUP for it may come,
// which a shell passes on to its jobs.
const hangupMay = 2 * time.Second

// watchTerminal notices a terminal that has gone without a SIGHUP, as it does
// when the user logs out and leaves the service in the background. Then the next
// one is a reload.
func (m *master) watchTerminal() {
	t := &m.terminal
	switch {
	case !t.attached || sys.HasTerminal():
	case t.gone.IsZero():
		t.gone = time.Now()
	case time.Since(t.gone) > hangupMay:
		t.attached = false
		m.logger.Info("the terminal has gone; SIGHUP is a reload")
	}
}

// leaveTerminal reports whether the terminal has gone, and sees to it.
func (m *master) leaveTerminal() bool {
	if !m.terminal.attached || sys.HasTerminal() {
		return false
	}
	m.terminal.attached = false
	if m.terminal.nohup {
		m.logger.Warn("the terminal has hung up; the service goes on, as it was started with SIGHUP ignored")
		return true
	}
	m.logger.Warn("the terminal has hung up")
	if m.machine.Phase == fleet.PhaseRunning {
		m.step(fleet.Command{Kind: fleet.CommandStop})
	}
	return true
}
