package supervise

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/jay-go/jay/internal/addr"
	"github.com/jay-go/jay/internal/fleet"
	"github.com/jay-go/jay/internal/logs"
	"github.com/jay-go/jay/internal/sys"
)

// fallback is the file before the one that is on trial. It is executed again where
// that does not serve.
type fallback struct {
	file int   // 0: none, or no longer
	why  error // it is executed again
}

// inThisRunDir refuses a file whose master would live in another run directory: its
// commands would not find the service.
func (m *master) inThisRunDir(desc description) error {
	dir, err := desc.RunDir, error(nil)
	if dir == "" {
		dir, err = defaultRunDir(m.c.prog)
	}
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err == nil && dir != m.dir.path && fileOf(dir) != fileOf(m.dir.path) {
		err = fmt.Errorf("its run directory is %s, and this service has %s; stop the service and start it there, or write --run-dir", dir, m.dir.path)
	}
	return err
}

// tryStart looks, beside the owner, for what would keep a described file from
// starting in this service's place.
func (m *master) tryStart(ev fleet.Described, desc description) {
	k := m.checkerOf(desc)
	m.readers.Go(func() {
		err := k.refusal()
		m.events <- func() { m.described(ev, desc, err) }
	})
}

// checkerOf is check for a file that describes itself so, in this master's place.
func (m *master) checkerOf(desc description) *checker {
	c := &config{
		prog: m.c.prog, runDir: m.dir.path, logFile: desc.LogFile, daemon: m.daemon, user: desc.User, group: desc.Group, memory: m.c.memory,
	}
	for _, s := range desc.Specs {
		c.programs = append(c.programs, Program{Name: s.Name, Protocol: s.Protocol, Listen: s.Listen, Count: s.Count, ReusePort: s.ReusePort, Backlog: s.Backlog})
	}
	k := &checker{c: c, root: "/", path: m.path, activated: m.activated}
	for _, s := range m.machine.Sockets {
		if a, err := addr.Parse(s.Addr); err == nil {
			k.own = append(k.own, a)
		}
	}
	return k
}

// refusal is the first of what would keep a start from succeeding, but for what a
// program says of itself.
func (k *checker) refusal() error {
	var err error
	if k.limits, err = limitsHere(); err != nil {
		return err
	}
	k.checkLog()
	k.checkIdentity()
	k.checkProgramFile()
	k.checkAddresses()
	k.checkLimits()
	for _, f := range k.findings {
		if f.level == checkError {
			return fmt.Errorf("%s: %s", f.area, f.found)
		}
	}
	return nil
}

// restarted is told how the first start of the file went.
func (m *master) restarted(err error) {
	switch {
	case m.machine.Phase != fleet.PhaseRunning: // a stop was quicker, and has told who waits
	case boot.Failed != "":
		failed := fmt.Errorf("new file %s: %s; the file before runs again", m.path, boot.Failed)
		if err != nil {
			failed = fmt.Errorf("new file %s: %s; the file before runs again, and does not serve: %w", m.path, boot.Failed, err)
		}
		m.logger.Error("restart failed", "error", failed)
		m.endTrial(failed)
	case errors.Is(err, errToldToDrain): // no fault of the file's
		m.endTrial(err)
	case err != nil:
		m.goBack(err)
	default:
		m.after(m.machine.Builds[0].SettleTime(), m.settled)
	}
}

// settled ends the trial: all workers were ready, and are if nothing is wrong.
func (m *master) settled() {
	if m.machine.Phase != fleet.PhaseRunning {
		return
	}
	if m.machine.Held {
		m.endTrial(errToldToDrain)
		return
	}
	for _, p := range m.machine.Programs {
		if p.Restarts > 0 || m.machine.Ready(p) < len(p.Slots) {
			m.goBack(fmt.Errorf("worker of %s: %s", p.Spec.Name, or(p.LastExit, "it is no longer ready")))
			return
		}
	}
	m.endTrial(nil)
}

// goBack gives the file before its place again, if there is one.
func (m *master) goBack(err error) {
	if m.fallback.file == 0 {
		m.endTrial(err)
		return
	}
	m.fallback.why = err
	m.logger.Error("restart: back to the file before", "error", err)
	m.local = append(m.local, fleet.GoBack{})
}

// endTrial lets what waits for the trial go on.
func (m *master) endTrial(err error) {
	m.local = append(m.local, fleet.TrialOver{Err: err})
	if m.fallback.file != 0 {
		sys.Close(m.fallback.file)
		m.fallback.file = 0
	}
}

// execRestart executes the file that was asked, or goes back to the one before. It
// returns only where neither can be executed.
func (m *master) execRestart() error {
	s := m.save(true)
	if m.fallback.why != nil {
		return m.execState(fdPath(m.fallback.file), s, bootInfo{Failed: logs.Printable(m.fallback.why.Error(), 2000)})
	}
	back, err := m.fallback.file, error(nil)
	if back == 0 {
		if back, err = openSelf(); err != nil {
			return err
		}
	}
	m.logger.Info("restart: exec", "path", m.path)
	err = m.execState(fdPath(m.machine.Build(m.machine.RestartBuild).File), s, bootInfo{Back: back})
	m.logger.Error("restart: exec", "error", err)
	return errors.Join(err, m.execState(fdPath(back), s, bootInfo{Failed: logs.Printable(err.Error(), 2000)}))
}
