package supervise

import (
	"errors"
	"fmt"

	"github.com/jay-go/jay/internal/fleet"
)

// reportStart tells who started the master how the first start went, once.
func (m *master) reportStart() {
	if m.report == nil {
		if m.late != nil && m.machine.AllReady() {
			m.late()
			m.late = nil
		}
		return
	}
	if m.machine.AllReady() {
		m.report(nil)
		m.report = nil
		return
	}
	failed, decided := m.startFailure()
	if !decided {
		return
	}
	m.report(failed)
	m.report = nil
}

// errToldToDrain ends a start whose workers are told to drain before they are ready.
var errToldToDrain = errors.New("SIGWINCH has told its workers to drain")

// startFailure is why not all workers are ready, where that is decided. A worker that
// may take for ever is not waited for where another has failed.
func (m *master) startFailure() (failed error, decided bool) {
	switch {
	case m.machine.Phase != fleet.PhaseRunning:
		return fleet.ErrStopping, true
	case m.machine.Held:
		return errToldToDrain, true
	}
	for _, p := range m.machine.Programs {
		for i, sl := range p.Slots {
			w := m.machine.Worker(sl.Worker)
			switch {
			case w != nil && w.State == fleet.WorkerReady:
			case sl.Streak > 0:
				failed = fmt.Errorf("worker %s/%d: %s", p.Spec.Name, i, p.LastExit)
			case w != nil && w.State == fleet.WorkerStarting && w.Deadline == 0:
			default:
				return nil, false
			}
		}
	}
	return failed, failed != nil
}
