package jay

import (
	"errors"

	"github.com/jay-go/jay/internal/loop"
)

// PanicError is a callback that panicked or called runtime.Goexit. OnError gets it.
type PanicError struct {
	Value  any    // what was passed to panic; nil for Goexit
	Goexit bool   // runtime.Goexit was called
	Stack  []byte // as printed by debug.Stack, taken where it happened
}

func (e *PanicError) Error() string { return (*loop.PanicError)(e).Error() }

// Unwrap returns the panic's value if it is an error.
func (e *PanicError) Unwrap() error { return (*loop.PanicError)(e).Unwrap() }

// Fault is whose fault it is that something went wrong on a connection. Without a
// Server.OnError a fault of the program or of the system is logged; one of the peer
// is not, for strangers could fill the log.
type Fault uint8

const (
	// PeerFault: the peer has broken the protocol, or sends or leaves unread more
	// than a limit allows.
	PeerFault Fault = iota
	// ProgramFault: a handler, a layer or a callback has done what it must not.
	ProgramFault
	// SystemFault: what the program relies on has failed, or is spent: a file, a disk,
	// another server, memory.
	SystemFault
)

func (f Fault) String() string { return [...]string{"peer", "program", "system"}[f] }

// Blamer is an error that knows whose fault it is.
type Blamer interface {
	error
	Blames() Fault
}

// budgetError is the type of ErrBudget.
type budgetError struct{}

func (budgetError) Error() string { return "the worker's memory budget for buffers is spent" }
func (budgetError) Blames() Fault { return SystemFault }

// blamed returns whose fault err is: what it says itself, or else what is usual
// where it comes from.
func blamed(err error, usual Fault) Fault {
	if b, ok := errors.AsType[Blamer](err); ok {
		return b.Blames()
	}
	return usual
}

// Why a connection ended, or a call on it failed.
var (
	// ErrClosed: the connection is closed, or Close was called.
	ErrClosed = errors.New("the connection is closed")
	// ErrAborted: Abort was called.
	ErrAborted = errors.New("the connection was aborted")
	// ErrIdle: nothing came or went for ConnConfig.IdleTimeout.
	ErrIdle = errors.New("idle timeout")
	// ErrReadIdle: nothing came for ConnConfig.ReadIdleTimeout.
	ErrReadIdle = errors.New("read idle timeout")
	// ErrFirstByte: nothing came within Server.FirstByteTimeout.
	ErrFirstByte = errors.New("first byte timeout")
	// ErrLifetime: the connection was open for Server.Lifetime.
	ErrLifetime = errors.New("lifetime of the connection is over")
	// ErrDeadline: the time given to Conn.SetDeadline passed.
	ErrDeadline = errors.New("protocol deadline passed")
	// ErrWriteStall: the peer acknowledged nothing for ConnConfig.WriteTimeout.
	ErrWriteStall = errors.New("write stalled: the peer does not read")
	// ErrCloseTimeout: Close could not finish within ConnConfig.CloseTimeout.
	ErrCloseTimeout = errors.New("close timed out: the peer does not read or does not close")
	// ErrOutputLimit: more is unsent than ConnConfig.MaxOutput allows.
	ErrOutputLimit = errors.New("output limit reached")
	// ErrInputLimit: the handler left more unused than ConnConfig.MaxInput allows.
	ErrInputLimit = errors.New("input limit reached: a message is longer than allowed")
	// ErrBudget: the worker's connections hold Server.MaxBuffered bytes, and this
	// one holds more than its part. It is a Blamer: nobody is at fault but the system,
	// which has no more.
	ErrBudget error = budgetError{}
	// ErrBusy: too much waits for the loop already.
	ErrBusy = loop.ErrBusy
	// ErrStopped: the worker stopped before the connection was done.
	ErrStopped = errors.New("the worker stopped")
)
