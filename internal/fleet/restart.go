package fleet

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

// BeginTrial says that the file has been executed by a restart, and may have to go
// again. before is the state that the restart has left, of which the operations go on.
func (m *Machine) BeginTrial(before State) {
	m.Operations, m.NextOperation = before.Operations, before.NextOperation
	m.Trial = &trial{Ops: m.restartOps()}
}

func (ev TrialOver) take(m *Machine) {
	if m.Trial == nil {
		return
	}
	ops := m.Trial.Ops
	m.Trial = nil
	m.Finish(ops, ev.Err, nil)
}

// restarting is a restart that asks its file, as a reload does, while the service
// goes on. It overtakes the changes that are made and wait, but it ends them only
// when the file has been described. No exec of an upgrade comes in between (ExecDue).
type restarting struct {
	Token   int      `json:"token"` // of describe
	Ops     []string `json:"ops"`
	NoLimit bool     `json:"no_limit"`
}

// askRestart begins a restart, or joins the one that has begun.
func (m *Machine) askRestart(ev Command) {
	switch r := m.Restarting; {
	case m.Phase != PhaseRunning && m.Restart: // the new master finishes it
	case m.Phase != PhaseRunning:
		m.Finish(operations(ev.Op), ErrStopping, nil)
	case r != nil:
		r.Ops, r.NoLimit = append(r.Ops, operations(ev.Op)...), r.NoLimit || ev.NoLimit
	default:
		m.Restarting = &restarting{Token: m.NextBuild, Ops: operations(ev.Op), NoLimit: ev.NoLimit}
		m.NextBuild++
		m.world.Describe(m.Restarting.Token, CommandRestart)
	}
}

// restart stops everything for a file that would start, and nothing for another.
func (m *Machine) restart(ev Described) {
	r := m.Restarting
	m.Restarting = nil
	if ev.Err != nil {
		m.world.Log(slog.LevelError, "restart failed", "error", ev.Err)
		m.Finish(r.Ops, ev.Err, nil)
		return
	}
	m.RestartBuild = m.addBuild(ev).ID
	m.stop(Command{Kind: CommandRestart, NoLimit: r.NoLimit})
}

// What a restart has started ends. Who does not serve is not waited for.
func (GoBack) take(m *Machine) {
	if m.Phase != PhaseRunning {
		return
	}
	for _, w := range slices.Clone(m.Workers) {
		if !w.serves() {
			m.kill(w, "no longer wanted")
		}
	}
	for _, c := range m.Queue {
		m.Finish(c.Ops, errGoingBack, nil)
	}
	m.stop(Command{Kind: CommandRestart})
	for _, w := range m.Workers {
		m.hurry(w, "the service goes back to the file before")
	}
}

// restartOps are the restarts that somebody waits for.
func (m *Machine) restartOps() (ids []string) {
	for _, op := range m.Operations {
		if op.Kind == string(CommandRestart) && op.State == control.OperationRunning {
			ids = append(ids, op.ID)
		}
	}
	return ids
}

// ExecDue reports whether an upgrade has come to its exec. A restart that asks its
// file is waited for: the process that was asked would be the old master's.
func (s *State) ExecDue() bool {
	return s.Change != nil && s.Change.Stage == changeExec && s.Restarting == nil
}

// SettleTime is how long new workers have to stay ready until they are trusted.
func (b *Build) SettleTime() time.Duration {
	if b.Same {
		return settleSame
	}
	return settleChanged
}
