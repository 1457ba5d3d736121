package supervise

import (
	"runtime"
	"syscall"
	"time"

	"github.com/jay-go/jay/internal/fleet"
	"github.com/jay-go/jay/internal/sys"
)

// hooksLimit is how long the end of a master, or an exec, waits for its hooks.
const hooksLimit = 10 * time.Second

// shutdown ends what serves the master itself. The workers have gone. It
// returns the exit code, or does not return where the file is executed again.
func (m *master) shutdown() int {
	m.ending = true
	if m.report != nil {
		m.report(fleet.ErrStopping)
		m.report = nil
	}
	for _, s := range m.machine.Sockets {
		m.Close(s)
	}
	m.hurried = false
	m.during(lastWords, m.burials.Wait) // whoever is told that it has stopped finds no number of it
	m.hurried = false
	switch returned := m.during(hooksLimit, m.lastHooks); {
	case !returned && m.hurried:
		m.logger.Warn("stopped at once: OnMasterStop or OnWorkerExit has not returned")
	case !returned:
		m.logger.Error("OnMasterStop or OnWorkerExit does not return")
	}
	for _, d := range m.describes {
		sys.KillGroup(d.pid, syscall.SIGKILL)
	}
	m.hurried = false
	m.during(controlQuiet+2*lastWords, func() {
		m.control.close(controlQuiet)
		m.flush()
	})
	sys.Close(m.control.fd)
	for _, ev := range m.local { // commands that were accepted since, a stop among them
		m.handle(ev)
	}
	m.local = nil
	code := 0
	if m.machine.Restart {
		m.logger.Error("restart", "error", m.execRestart())
		code = 1
	}
	m.starter.Close()
	m.logger.Info("stopped")
	m.lastWords()
	m.dir.release()
	return code
}

// during goes on serving while work runs on a goroutine of its own, for at most
// limit, and not when a stop signal says that nobody wants to wait. It reports
// whether work has returned.
func (m *master) during(limit time.Duration, work func()) (returned bool) {
	over := false
	go func() {
		work()
		m.events <- func() { returned = true }
	}()
	m.after(limit, func() { over = true })
	m.serve(func() bool { return returned && !m.looking || over || m.hurried })
	return returned
}

// lastHooks runs OnMasterStop after all other hooks.
func (m *master) lastHooks() {
	done := make(chan struct{})
	m.hooks <- func() {
		if m.o.OnMasterStop != nil {
			m.o.OnMasterStop()
		}
		close(done)
	}
	<-done
}

// lastWords waits for what the service has said to be written, but not for long.
// Nothing may be said afterwards.
func (m *master) lastWords() {
	sys.DefaultAction(syscall.SIGTSTP)
	done := []<-chan struct{}{m.sink.End()}
	if m.notifier != nil {
		done = append(done, m.notifier.close())
	}
	if m.out != nil {
		done = append(done, m.out.close())
	}
	await(lastWords, done...)
}

// flush waits for what has been said until now to be written, but not for long. It
// is not for the owner, which speaks meanwhile.
func (m *master) flush() {
	said := func() bool {
		return m.sink.Idle() && (m.notifier == nil || m.notifier.idle()) && (m.out == nil || m.out.idle())
	}
	for deadline := time.Now().Add(lastWords); !said() && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
}

// runHooks runs user code on a thread of its own, so that the programs which it
// starts have no signal blocked.
func (m *master) runHooks() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := sys.UnblockSignals(); err != nil {
		m.logger.Error("hooks", "error", err)
	}
	for fn := range m.hooks {
		fn()
	}
}

// hook runs user code beside the owner, which never waits for it.
func (m *master) hook(fn func()) {
	select {
	case m.hooks <- fn:
	default:
		m.logger.Error("hook dropped: earlier ones do not return")
	}
}

// awaitHooks waits until the hooks that have been called return, or for limit: an
// exec would end them half-way.
func (m *master) awaitHooks(limit time.Duration) {
	done, timeout := make(chan struct{}), time.After(limit)
	select {
	case m.hooks <- func() { close(done) }:
	case <-timeout:
		return
	}
	select {
	case <-done:
	case <-timeout:
	}
}
