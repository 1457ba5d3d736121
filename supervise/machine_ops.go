package supervise

import "strconv"

// newOperation registers a command that somebody waits for. No later master of
// the service gives its ID to another one.
func (m *machine) newOperation(kind commandKind) *operation {
	op := &operation{ID: strconv.FormatInt(int64(m.NextOperation), 36), Kind: kind, State: operationRunning}
	m.NextOperation++
	m.Operations = append(m.Operations, op)
	return op
}

// finish ends operations.
func (m *machine) finish(ids []string, err error, detail map[string]any) {
	for _, id := range ids {
		op := m.operation(id)
		if op == nil || op.State != operationRunning {
			continue
		}
		op.State, op.Detail = operationDone, detail
		if err != nil {
			op.State, op.Error = operationFailed, err.Error()
		}
	}
}
