package supervise

import (
	"fmt"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/fleet"
)

// slowStart is how long a worker without a StartTimeout may take to be ready before
// who waits for it is told.
const slowStart = 2 * time.Second

// operation is an operation as others see it.
func (m *master) operation(op *control.Operation) control.Operation {
	shown := *op
	if shown.State == control.OperationRunning && shown.Waits == "" {
		shown.Waits = m.endlessStart()
	}
	return shown
}

// running are the operations that have not ended.
func (m *master) running() (list []control.Operation) {
	for _, op := range m.machine.Operations {
		if op.State == control.OperationRunning {
			list = append(list, m.operation(op))
		}
	}
	return list
}

// endlessStart says which worker may never be ready, with nobody to end it; "" is none.
func (m *master) endlessStart() string {
	for _, w := range m.machine.Workers {
		if w.State != fleet.WorkerStarting || w.Deadline != 0 || m.age(w) < slowStart {
			continue
		}
		return fmt.Sprintf("worker %s/%d (pid %d) is not ready, and has no StartTimeout; kill %d ends it, and what waits for it", w.Program, w.Slot, w.PID, w.PID)
	}
	return ""
}
