package jay

import (
	"errors"

	"github.com/jay-go/jay/loop"
)

// PanicError is a callback that panicked or called runtime.Goexit, with the
// stack. OnError gets it.
type PanicError = loop.PanicError

// Blamer is an error that knows whose mistake it is. One of the peer's is told to
// OnError, and not logged where there is none: strangers could fill the log.
type Blamer interface {
	error
	BlamesPeer() bool
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
	// one holds more than its part.
	ErrBudget = errors.New("the worker's memory budget for buffers is spent")
	// ErrBusy: too much waits for the loop already.
	ErrBusy = loop.ErrBusy
	// ErrStopped: the worker stopped before the connection was done.
	ErrStopped = errors.New("the worker stopped")
)
