package supervise

import (
	"errors"
	"maps"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/jay-go/jay/internal/fleet"
	"github.com/jay-go/jay/internal/logs"
	"github.com/jay-go/jay/internal/sys"
)

// reap takes the status of every worker that has ended; describe sees to its
// own child. Only known children are waited for, so that hooks may run commands
// of their own.
func (m *master) reap() {
	for _, p := range m.procs {
		switch _, ended, err := sys.Ended(p.w.PID, false); {
		case ended:
			m.reapWorker(p)
		case err != nil:
			m.lost(p, err)
		case p.w.State == fleet.WorkerStarting:
			sys.ContinueStopped(p.w.PID, syscall.SIGTTIN, syscall.SIGTTOU)
		}
	}
	for _, d := range m.describes {
		sys.ContinueStopped(d.pid, syscall.SIGTTIN, syscall.SIGTTOU)
	}
}

// lost is for a worker that has ended and whose status somebody else has taken:
// user code that waits for any child. Its number may be anybody's by now.
func (m *master) lost(p *proc, err error) {
	m.logger.Error("a worker was reaped by other code in this process, which must not wait for children that it has not started",
		"worker_pid", p.w.PID, "error", err)
	m.buried(p, 0, "its status was taken by other code in the master")
}

// reapWorker ends a worker that has exited: nothing of its process group lives
// on, and what it wrote last is known before the machine hears of it.
func (m *master) reapWorker(p *proc) {
	sys.KillGroup(p.w.PID, syscall.SIGKILL) // its number is still its own
	m.hearOut(p)
	status, err := m.bury(p.w.PID)
	if err != nil {
		m.lost(p, err)
		return
	}
	if !m.startAgain(p, status) {
		m.buried(p, status, "")
	}
}

// startsAgain is how often a process is started again that a signal has ended too
// early. What resets the handlers that it has of us is not started for ever.
const startsAgain = 20

// endedEarly reports whether a process was ended by a signal that does nothing to it
// from its boot on. Somebody has sent it to every process of the service, and this one
// had not come that far.
func endedEarly(status syscall.WaitStatus) bool {
	return status.Signaled() && slices.Contains(notForWorkers, os.Signal(status.Signal()))
}

// startAgain starts the process of a worker once more that has ended early. To the
// machine it is the worker that it has started.
func (m *master) startAgain(p *proc, status syscall.WaitStatus) bool {
	if !endedEarly(status) || p.again == startsAgain {
		return false
	}
	m.discard(p)
	if !m.machine.StartAgain(p.w) {
		return false
	}
	m.logger.Info("worker started again; a signal had ended it before it could take it",
		"program", p.w.Program, "slot", p.w.Slot, "worker_pid", p.w.PID, "signal", status.Signal().String())
	m.procs[p.w.ID].again = p.again + 1
	m.forget(p.w.ID) // questions to the process before
	return true
}

// strangerAge is how long a child may have ended before it is nobody's, where
// this process has no handle of it.
const strangerAge = 5 * time.Second

// strangers are children of the master that have ended and that it has not
// started as workers, and when each was first seen so.
type strangers map[sys.Zombie]time.Time

// reap clears away those that nobody waits for: orphans that the kernel has given
// to the master, as it does where that is process 1 of a container or a child
// subreaper, and what whoever executed the master had started. The others are
// commands of hooks, and of other user code: package os keeps a handle of a
// process until somebody has waited for it, and who starts one without waits soon.
func (s strangers) reap(now time.Time, ours func(pid int) bool) error {
	zombies := slices.DeleteFunc(sys.Zombies(), func(z sys.Zombie) bool { return ours(z.PID) })
	maps.DeleteFunc(s, func(z sys.Zombie, _ time.Time) bool { return !slices.Contains(zombies, z) })
	var old []sys.Zombie
	for _, z := range zombies {
		if since, seen := s[z]; !seen {
			s[z] = now
		} else if now.Sub(since) > strangerAge {
			old = append(old, z)
		}
	}
	if len(old) == 0 {
		return nil
	}
	var errs []error
	for awaited := sys.Awaited(); len(old) > 0; old = old[1:] {
		if !slices.Contains(awaited, old[0].PID) {
			errs = append(errs, old[0].Reap())
		}
	}
	return errors.Join(errs...)
}

// isOurs reports whether a child is one that the master itself sees to.
func (m *master) isOurs(pid int) bool {
	for _, p := range m.procs {
		if p.w.PID == pid {
			return true
		}
	}
	return slices.ContainsFunc(m.describes, func(d *describing) bool { return d.pid == pid })
}

// watchChildren looks what has ended, whether or not a signal has said so.
func (m *master) watchChildren() {
	m.reap()
	if err := m.strangers.reap(time.Now(), m.isOurs); err != nil {
		m.logger.Warn("reap strangers", "error", err)
	}
}

// burialLimit is how long the owner waits for the kernel to clear away a child.
const burialLimit = 50 * time.Millisecond

// bury takes the status of a child that has ended, or is about to, and has it
// reaped. From then on nobody may use its number. The kernel clears away a
// process in the call that reaps it, and with others who read its /proc at
// that moment may take its time: the owner does not wait for that.
func (m *master) bury(pid int) (syscall.WaitStatus, error) {
	status, _, err := sys.Ended(pid, true)
	if err != nil {
		return 0, err
	}
	reaped := make(chan struct{})
	m.buries.Add(1)
	m.burials.Go(func() {
		sys.Reap(pid, true)
		m.buries.Add(-1)
		close(reaped)
		m.signals.add(syscall.SIGCHLD, 1) // who ended meanwhile may be reaped now
	})
	select {
	case <-reaped:
	case <-time.After(burialLimit):
	}
	return status, nil
}

// discard gives back what the master has of a process that has been reaped. A second
// time it does nothing.
func (m *master) discard(p *proc) {
	if m.procs[p.w.ID] != p {
		return
	}
	p.out.Finish()
	p.err.Finish()
	p.ctl.Close()
	p.dropOutbox()
	m.retire(p)
	delete(m.procs, p.w.ID)
	m.board.clear(p.w.Cell)
}

// buried is a worker's process after it has been reaped; unknown says why its
// status is not known, where it is not.
func (m *master) buried(p *proc, status syscall.WaitStatus, unknown string) {
	m.discard(p)
	cause := unknown
	if cause == "" {
		verdict := killedBySomebody
		if p.w.Killed == "" {
			verdict = m.kills.verdict(status, p.memory)
		}
		cause = causeOf(status, verdict, p.err)
	}
	m.step(fleet.Exited{PID: p.w.PID, Cause: cause, Lines: p.err.Tail})
	m.forget(p.w.ID) // now: who is answered by it sees a machine that knows
}

// causeOf says in words how a process ended.
func causeOf(status syscall.WaitStatus, verdict killVerdict, stderr *logs.Capture) string {
	last := ""
	for _, line := range stderr.Tail {
		if !logs.IsStackLine(line) {
			last = line
		}
	}
	return causeOfStatus(status, verdict, stderr.Fatal, last)
}

// causeOfStatus is exitCause for a status of wait(2).
func causeOfStatus(status syscall.WaitStatus, verdict killVerdict, fatal, last string) string {
	signal := ""
	if status.Signaled() {
		signal = status.Signal().String()
		if status.CoreDump() {
			signal += " (core dumped)"
		}
	}
	return exitCause(status.ExitStatus(), signal, verdict, fatal, last)
}
