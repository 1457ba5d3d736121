package supervise

import (
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/jay-go/jay/control"
)

// errGoingBack fails what waits for a trial that has failed.
var errGoingBack = errors.New("a restart goes back to the file before")

// trial is the time of a file that a restart has executed, until all of its workers have
// been ready for a while. No change begins before that: its file would take the place
// of the one on trial, and an exec would forget the way back.
type trial struct {
	Ops []string `json:"ops"` // the restarts that wait for it
}

// evTrialOver: the file on trial serves, or Err says why it does not.
type evTrialOver struct{ Err error }

// beginTrial begins with the operations of the master that was restarted.
func (m *machine) beginTrial(s state) {
	m.Operations, m.NextOperation = s.Operations, s.NextOperation
	m.Trial = &trial{Ops: m.restartOps()}
}

func (m *machine) onTrialOver(ev evTrialOver) {
	if m.Trial == nil {
		return
	}
	ops := m.Trial.Ops
	m.Trial = nil
	m.finish(ops, ev.Err, nil)
}

// restarting is a restart that asks its file, as a reload does, while the service
// goes on. It overtakes the changes that are made and wait, but it ends them only
// when the file has answered. No exec of an upgrade comes in between (execDue).
type restarting struct {
	Token   int      `json:"token"` // of describe
	Ops     []string `json:"ops"`
	NoLimit bool     `json:"no_limit"`
}

// askRestart begins a restart, or joins the one that has begun.
func (m *machine) askRestart(ev evCommand) {
	switch r := m.Restarting; {
	case m.Phase != phaseRunning && m.Restart: // the new master answers
	case m.Phase != phaseRunning:
		m.finish(operations(ev.Op), errStopping, nil)
	case r != nil:
		r.Ops, r.NoLimit = append(r.Ops, operations(ev.Op)...), r.NoLimit || ev.NoLimit
	default:
		m.Restarting = &restarting{Token: m.NextBuild, Ops: operations(ev.Op), NoLimit: ev.NoLimit}
		m.NextBuild++
		m.world.describe(m.Restarting.Token, commandRestart)
	}
}

// restart stops everything for a file that would start, and nothing for another.
func (m *machine) restart(ev evDescribed) {
	r := m.Restarting
	m.Restarting = nil
	if ev.Err != nil {
		m.world.log(slog.LevelError, "restart failed", "error", ev.Err)
		m.finish(r.Ops, ev.Err, nil)
		return
	}
	m.RestartBuild = m.addBuild(ev).ID
	m.stop(evCommand{Kind: commandRestart, NoLimit: r.NoLimit})
}

// onGoBack ends what a restart has started. Who does not serve is not waited for.
func (m *machine) onGoBack() {
	if m.Phase != phaseRunning {
		return
	}
	for _, w := range slices.Clone(m.Workers) {
		if !w.serves() {
			m.kill(w, "no longer wanted")
		}
	}
	for _, c := range m.Queue {
		m.finish(c.Ops, errGoingBack, nil)
	}
	m.stop(evCommand{Kind: commandRestart})
	for _, w := range m.Workers {
		m.hurry(w, "the service goes back to the file before")
	}
}

// restartOps are the restarts that somebody waits for.
func (m *machine) restartOps() (ids []string) {
	for _, op := range m.Operations {
		if op.Kind == string(commandRestart) && op.State == control.OperationRunning {
			ids = append(ids, op.ID)
		}
	}
	return ids
}

// execDue reports whether an upgrade has come to its exec. A restart that asks its
// file is waited for: the process that was asked would be the old master's.
func (s *state) execDue() bool {
	return s.Change != nil && s.Change.Stage == changeExec && s.Restarting == nil
}

// settle is how long new workers have to stay ready until they are trusted.
func (b *build) settle() time.Duration {
	if b.Same {
		return settleSame
	}
	return settleChanged
}
