package supervise

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/jay-go/jay/internal/fleet"
	"github.com/jay-go/jay/internal/logs"
	"github.com/jay-go/jay/internal/sys"
)

// continueMaster goes on as the master after an exec in place.
func continueMaster(o *Options, c *config) error {
	m := newMaster(o, c, boot.Path)
	s, err := readState(boot.State)
	if err != nil {
		return wayBack(err)
	}
	if s.Fresh {
		err = m.restart(s)
	} else {
		err = m.takeOver(s)
	}
	if err != nil {
		return wayBack(err, s.descriptors()...)
	}
	if err := m.signals.resume(boot.State); err != nil {
		m.logger.Error("signals that came during the exec", "error", err)
	}
	closeAll(boot.State)
	if !s.Fresh {
		m.goOn(s)
		if boot.Back != 0 {
			closeAll(boot.Back)
		}
	}
	m.run()
	return finished(m)
}

// wayBack executes the file that the earlier master ran, which goes on from the
// state that it left as after an exec that failed; keep are the descriptors of
// that state, where they are close-on-exec by now. It returns, with the reason
// among others, only where there is no way.
func wayBack(reason error, keep ...int) error {
	reason = fmt.Errorf("its master cannot continue: %w", reason)
	if boot.Back == 0 {
		return reason
	}
	info := bootInfo{Role: roleMaster, Path: boot.Path, State: boot.State}
	info.Failed = logs.Printable(reason.Error(), 2000) // a variable has room for 128 KiB
	err := bootInbox.exec(fdPath(boot.Back), info, bootEnviron, keep)
	return errors.Join(reason, fmt.Errorf("back to the file before: %w", err))
}

// restart begins anew with what a master that has stopped its workers left.
func (m *master) restart(s savedMaster) error {
	m.daemon, m.activated, m.shield, m.terminal.nohup = s.Daemon, s.Activated, s.Shield, s.NoHup
	m.dir = &runDir{path: s.RunDir, lock: os.NewFile(uintptr(s.Lock), pidName)}
	if err := private(s.descriptors()); err != nil {
		return err
	}
	m.fallback.file = boot.Back
	if err := m.beginLocked((*master).restarted); err != nil {
		return err
	}
	m.machine.BeginTrial(s.State)
	return nil
}

// takeOver does all of taking over from the earlier master that may fail. Until
// it has succeeded nothing is changed that the earlier one would miss.
func (m *master) takeOver(s savedMaster) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			os.Stderr.Write(debug.Stack())
		}
	}()
	m.daemon, m.started, m.began, m.report, m.terminal.nohup = s.Daemon, s.Started, s.Began, nil, s.NoHup
	m.boardFD, m.activated, m.shield = s.Board, s.Activated, s.Shield
	m.hosts.add(s.Hosts)
	m.dir = &runDir{path: s.RunDir, lock: os.NewFile(uintptr(s.Lock), pidName), socket: s.Socket}
	if err := private(s.descriptors()); err != nil {
		return err
	}
	if err := m.prepare(); err != nil {
		return err
	}
	logErr := m.openLog(m.logFile())
	if logErr != nil { // no reason to leave the workers alone
		if err := m.openLog(""); err != nil {
			return err
		}
		m.logger.Error("standard error takes the place of the log", "error", logErr)
	}
	m.sink.Remember(s.Log, s.LogDropped, s.LogUntold)
	if m.machine, err = fleet.Resume(m, s.State); err != nil {
		return err
	}
	for _, p := range s.Procs {
		if m.machine.Worker(p.Worker) == nil {
			return fmt.Errorf("state: worker %d is not in it", p.Worker)
		}
	}
	m.control, err = newControlServer(m, s.Control)
	return err
}

// private makes inherited descriptors close-on-exec.
func private(fds []int) error {
	for _, fd := range fds {
		if err := sys.KeepOnExec(fd, false); err != nil {
			return fmt.Errorf("state: descriptor %d: %w", fd, err)
		}
	}
	return nil
}

// goOn hears the workers again, and continues the upgrade or ends it.
func (m *master) goOn(s savedMaster) {
	for _, p := range s.Procs {
		w := m.machine.Worker(p.Worker)
		again := m.adopt(w, w.PID, p.Ctl, p.Out, p.Err, p.OutPartial, p.ErrPartial)
		again.startedAt, again.memoryLimit = p.StartedAt, p.MemoryLimit
		again.resume(p.Figures)
		again.outbox = p.Outbox
		m.flushOutbox(again)
	}
	if m.totals = s.Totals; m.totals == nil {
		m.totals = map[string]*totals{}
	}
	for _, op := range m.machine.Operations {
		if op.Kind == string(fleet.CommandReopen) { // the log has just been opened
			m.machine.Finish([]string{op.ID}, nil, nil)
		}
	}
	if boot.Failed != "" {
		m.machine.Step(fleet.ExecFailed{Err: fmt.Errorf("new file %s: %s", m.path, boot.Failed)})
		return
	}
	m.logger.Info("upgrade: the new master continues", "version", m.c.version, "workers", len(m.machine.Workers))
	m.machine.Upgraded(m.c.specs())
}
