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

// reportFault tells of the callback that did not return, if there is one. When
// Recover does not return either, both are logged; when the log does not, that
// is only counted, so that reporting never keeps the loop from its work.
func (l *Loop) reportFault() {
	f := l.fault
	if f == nil {
		return
	}
	l.fault = nil
	l.lap()
	l.meter.panics.Add(1)
	l.reporting++
	switch {
	case l.reporting == 1 && l.cfg.Recover != nil:
		l.cfg.Recover(f)
		l.lap()
	case l.reporting == 1:
		l.logFault("loop: callback did not return", f)
	case l.reporting == 2:
		l.logFault("loop: Recover did not return", f)
	}
	l.reporting = 0
}

func (l *Loop) logFault(what string, f *PanicError) {
	l.cfg.logger().Error(what, "err", f, "stack", string(f.Stack))
}
