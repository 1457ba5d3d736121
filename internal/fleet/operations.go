package fleet

import (
	"maps"
	"strconv"

	"github.com/jay-go/jay/control"
)

// NewOperation registers a command that somebody waits for. No later master of
// the service gives its ID to another one.
func (m *Machine) NewOperation(kind CommandKind) *control.Operation {
	op := &control.Operation{ID: strconv.FormatInt(int64(m.NextOperation), 36), Kind: string(kind), State: control.OperationRunning}
	m.NextOperation++
	m.Operations = append(m.Operations, op)
	return op
}

// Finish ends operations: with err they have failed, and detail is what came of them.
// Those that have ended already stay as they are.
func (m *Machine) Finish(ids []string, err error, detail map[string]any) {
	for _, id := range ids {
		op := m.Operation(id)
		if op == nil || op.State != control.OperationRunning {
			continue
		}
		op.State, op.Waits = control.OperationDone, ""
		op.Detail = maps.Clone(detail)
		if lost := m.Problems(m.Programs...); detail != nil && len(lost) > 0 {
			op.Detail["problems"] = lost
		}
		if detail != nil && len(ids) > 1 {
			op.Detail["together"] = len(ids) // one change for so many commands
		}
		if op.Kind == string(CommandScale) && op.Asked != detail["workers"] && detail != nil {
			op.Detail["asked"] = op.Asked
		}
		if err != nil {
			op.State, op.Error = control.OperationFailed, err.Error()
		}
	}
}

// note says what operations wait for; "" is nothing but themselves.
func (m *Machine) note(ids []string, waits string) {
	for _, id := range ids {
		if op := m.Operation(id); op != nil && op.State == control.OperationRunning {
			op.Waits = waits
		}
	}
}
