package supervise

import (
	"os"
	"syscall"
	"time"

	"github.com/jay-go/jay/internal/sys"
)

// reap takes the status of every worker that has ended; describe sees to its
// own child. Only known children are waited for, so that hooks may run commands
// of their own. But as PID 1 all orphans of the system are ours: not while a
// child is being buried, for whoever gets its number would be buried with it.
func (m *master) reap() {
	for _, p := range m.procs {
		if _, ended, _ := sys.Ended(p.w.PID, false); ended {
			m.reapWorker(p)
		}
	}
	for os.Getpid() == 1 && m.buries.Load() == 0 {
		pid, status, err := sys.Reap(-1, false)
		if err != nil || pid == 0 {
			return
		}
		m.reapStranger(pid, status)
	}
}

// reapWorker ends a worker that has exited: nothing of its process group lives
// on, and what it wrote last is known before the machine hears of it.
func (m *master) reapWorker(p *proc) {
	sys.KillGroup(p.w.PID, syscall.SIGKILL) // its number is still its own
	status, err := m.bury(p.w.PID)
	if err != nil {
		m.logger.Error("reap worker", "worker_pid", p.w.PID, "error", err)
	}
	m.buried(p, status)
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

// buried is a worker's process after it has been reaped.
func (m *master) buried(p *proc, status syscall.WaitStatus) {
	p.out.finish()
	p.err.finish()
	p.ctl.Close()
	delete(m.procs, p.w.ID)
	m.board.clear(p.w.Cell)
	verdict := killedBySomebody
	if p.w.Killed == "" {
		verdict = m.kills.verdict(status, p.memory)
	}
	m.step(evExited{PID: p.w.PID, Cause: causeOf(status, verdict, p.err), Lines: p.err.tail})
	m.forget(p.w.ID) // now: who is answered by it sees a machine that knows
}

// causeOf says in words how a process ended.
func causeOf(status syscall.WaitStatus, verdict killVerdict, stderr *capture) string {
	signal := ""
	if status.Signaled() {
		signal = status.Signal().String()
		if status.CoreDump() {
			signal += " (core dumped)"
		}
	}
	last := ""
	for _, line := range stderr.tail {
		if !isStackLine(line) {
			last = line
		}
	}
	return exitCause(status.ExitStatus(), signal, verdict, stderr.fatal, last)
}

// reapStranger handles a status that wait4(-1) returned: somebody's orphan, or
// a child of ours that ended a moment ago.
func (m *master) reapStranger(pid int, status syscall.WaitStatus) {
	for _, p := range m.procs {
		if p.w.PID == pid {
			m.buried(p, status)
			return
		}
	}
	for _, d := range m.describes {
		if d.pid == pid {
			d.status, d.reaped = status, true
		}
	}
}
