package supervise

import (
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/jay-go/jay/internal/sys"
)

// shutdown ends what serves the master itself. The workers have gone. It
// returns the exit code, or does not return where the file is executed again.
func (m *master) shutdown() int {
	if m.report != nil {
		m.report(errStopping)
		m.report = nil
	}
	for _, s := range m.machine.Sockets {
		m.close(s)
	}
	m.burials.Wait() // whoever is told that it has stopped finds no number of it
	m.runLastHooks()
	for _, d := range m.describes {
		sys.KillGroup(d.pid, syscall.SIGKILL)
	}
	m.closeControl()
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

// lastWords waits for what the service has said to be written, but not for long.
// Nothing may be said afterwards.
func (m *master) lastWords() {
	done := []<-chan struct{}{m.sink.queue.close()}
	if m.notifier != nil {
		done = append(done, m.notifier.close())
	}
	if m.out != nil {
		done = append(done, m.out.close())
	}
	await(lastWords, done...)
	m.sink.close()
}

// flush waits for what has been said until now to be written, but not for long. It
// is not for the owner, which speaks meanwhile.
func (m *master) flush() {
	said := func() bool {
		return m.sink.queue.idle() && (m.notifier == nil || m.notifier.idle()) && (m.out == nil || m.out.idle())
	}
	for deadline := time.Now().Add(lastWords); !said() && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
}

// closeControl answers what has been asked and ends the control API.
func (m *master) closeControl() {
	closed := make(chan struct{})
	go func() { m.control.close(controlQuiet); m.flush(); close(closed) }()
	for {
		select {
		case ev := <-m.events:
			m.handle(ev)
		case <-closed:
			sys.Close(m.control.fd)
			return
		}
	}
}

// hooksLimit is how long the end of a master, or an exec, waits for its hooks.
const hooksLimit = 10 * time.Second

// runLastHooks waits for the hooks, but not for ever.
func (m *master) runLastHooks() {
	done := make(chan struct{})
	last := func() {
		if m.o.OnMasterStop != nil {
			m.o.OnMasterStop()
		}
		close(done)
	}
	limit := time.After(hooksLimit)
	hooks := m.hooks
	for {
		select {
		case hooks <- last:
			hooks = nil
		case <-done:
			return
		case <-m.signals.wake:
			if !slices.ContainsFunc(m.signals.take(), isStop) {
				continue
			}
			m.step(evCommand{Kind: commandStop}) // no restart
			if m.hastens() {
				m.logger.Warn("stopped at once: OnMasterStop or OnWorkerExit has not returned")
				return
			}
		case <-limit:
			m.logger.Error("OnMasterStop or OnWorkerExit does not return")
			return
		}
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
