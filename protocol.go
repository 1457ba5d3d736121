package jay

import "fmt"

// Protocol makes the handlers of connections. One value serves all connections
// of an endpoint, on every loop, and must not be changed once it does.
type Protocol interface {
	// Name is the word for status: "http", "websocket", "text".
	Name() string

	// NewConn returns the handler of a new connection, on whose loop it is
	// called. Nothing has been read from c yet; what it needs of c later it is
	// given again.
	NewConn(c *Conn) Handler
}

// NewProtocol returns a Protocol of the name that has newConn make its handlers.
// One without a state of its own may serve every connection:
//
//	jay.NewProtocol("echo", func(*jay.Conn) jay.Handler { return echo{} })
func NewProtocol(name string, newConn func(c *Conn) Handler) Protocol {
	return &protocolFunc{name, newConn}
}

type protocolFunc struct {
	name    string
	newConn func(c *Conn) Handler
}

func (p *protocolFunc) Name() string            { return p.name }
func (p *protocolFunc) NewConn(c *Conn) Handler { return p.newConn(c) }

// Check: see Checker.
func (p *protocolFunc) Check() error {
	if p.newConn == nil {
		return fmt.Errorf("protocol %s: newConn is nil", p.name)
	}
	return nil
}

// The interfaces below are optional for a [Protocol].

// Limited says for status what connections are held to, by name with the unit
// at the end: "max_message_bytes", "header_timeout_s". A value that is not
// positive, or from 2^53 on, stands for no limit. A [Codec] may have this
// method, too.
type Limited interface{ Limits() map[string]float64 }

// Checker says what is wrong with a protocol that could not serve: that its handler
// is missing, say. It is asked before anything is listened on or dialled. A [Codec]
// may have this method, too.
type Checker interface{ Check() error }

// checkProtocol returns why p cannot be spoken.
func checkProtocol(p Protocol) error {
	if p == nil {
		return errNoProtocol
	}
	if c, ok := p.(Checker); ok {
		return c.Check()
	}
	return nil
}

// Refuser says in the words of the protocol what a client is told that is refused
// because the worker holds Server.MaxConns connections.
type Refuser interface{ Refuse() []byte }

// Adopter goes on with a connection that a Freezer of another process has let go.
// Adopt is called in the place of NewConn, and Open is not called. An error
// refuses the connection.
type Adopter interface {
	Adopt(c *Conn, state []byte) (Handler, error)
}

// Handler turns the bytes of one connection into whatever its protocol is made
// of. One without a state of its own may serve many. All methods run on the
// connection's loop, one at a time, and must not block.
//
// A Handler that wraps another to add to it, and embeds it, has a method Unwrap()
// Handler that returns it: the optional methods of the inner one are found then.
type Handler interface {
	// Open is called once, when the connection has been given this handler:
	// when it begins, or by [Conn.SetHandler].
	Open(c *Conn)

	// Data gets the bytes that have arrived and not been used yet, and
	// returns how many it used now; the rest comes again when there is more.
	// b is valid only inside Data. Between two messages Data should return
	// when c.Reading reports false, or c.Replaced true. An error closes the connection
	// after what was written so far has been sent, as [Conn.CloseOn] does: the peer's
	// fault, unless it is a [Blamer]. One of a Write on a connection that has ended, or ends
	// by it, may be returned: it is not told again.
	Data(c *Conn, b []byte) (n int, err error)

	// Close is called once, last. err is nil when the connection ended in
	// order: it was closed here, or the peer was done.
	Close(c *Conn, err error)
}

// The interfaces below are optional for a [Handler].

// EOFHandler is told that the peer has finished sending, which is not yet the
// end of the connection: a response still reaches it. Without this method the
// connection is closed, once what was written has been sent and every
// [Conn.Hold] is released.
type EOFHandler interface{ EOF(c *Conn) }

// GoneHandler is told that the peer has left while reading is stopped (PauseRead,
// the high-water mark), so that work for it can be given up. It is told once, and
// reading may be stopped for longer than that.
//
// What the peer sent before is unread still and is delivered when reading goes
// on, with EOF behind it. Most peers that send FIN have closed, but one that has
// only finished sending looks the same: it awaits its response, which reaches it
// if it is written. A peer that is gone for certain (reset, timed out) fails the
// connection, reading or not, before EOF or after: Close is called then.
type GoneHandler interface{ Gone(c *Conn) }

// DeadlineHandler is told that the time given to [Conn.SetDeadline] has
// passed. Without this method the connection fails with [ErrDeadline].
type DeadlineHandler interface{ Deadline(c *Conn) }

// DrainHandler is told that the worker wants to end, and again when the last
// [Conn.Hold] is released after that; [Conn.Draining] has the reason. Without
// this method a connection is closed when the service stops,
// as after EOF, and kept until the deadline when it reloads.
type DrainHandler interface{ Drain(c *Conn) }

// PanicHandler may write a last response after a callback of the connection has
// panicked. The connection is then closed.
type PanicHandler interface {
	Panic(c *Conn, err *PanicError)
}

// WritableHandler is told that so much of the output is gone that the
// connection is below its low-water mark again.
type WritableHandler interface{ Writable(c *Conn) }

// Freezer hands a live connection over to another process: Freeze is called
// between two messages and returns what Adopt needs to go on. An error means
// that the connection cannot move now and drains here instead.
type Freezer interface {
	Freeze(c *Conn) (state []byte, err error)
}

// ProtocolHandler is asked what it speaks when it was given by [Conn.SetHandler], so
// that a connection is known by what it has been upgraded to.
type ProtocolHandler interface{ Protocol() Protocol }

// optional returns the optional method of a handler, or of one that it wraps.
func optional[T any](h Handler) (t T, ok bool) {
	for {
		if t, ok = h.(T); ok {
			return t, true
		}
		wrapper, wraps := h.(interface{ Unwrap() Handler })
		if !wraps {
			return t, false
		}
		h = wrapper.Unwrap()
	}
}
