package loop

import (
	"fmt"
	"runtime/debug"
)

// PanicError is a callback that did not return: it panicked or called
// runtime.Goexit.
type PanicError struct {
	Value  any    // what was passed to panic; nil for Goexit
	Goexit bool   // runtime.Goexit was called
	Stack  []byte // as printed by debug.Stack, taken where it happened
}

func newPanicError(v any) *PanicError {
	return &PanicError{Value: v, Goexit: v == nil, Stack: debug.Stack()}
}

func (e *PanicError) Error() string {
	if e.Goexit {
		return "runtime.Goexit was called in a callback"
	}
	return fmt.Sprintf("panic: %v", e.Value)
}

// Unwrap returns the panic's value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

func (l *Loop) report(f *PanicError) {
	l.meter.panics.Add(1)
	if l.cfg.Recover != nil {
		l.cfg.Recover(f)
		return
	}
	l.cfg.logger().Error("loop: callback did not return", "err", f, "stack", string(f.Stack))
}
