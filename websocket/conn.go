package websocket

import (
	"net"

	"github.com/jay-go/jay"
)

// Conn is one WebSocket connection. It belongs to its loop: its methods may
// be called only from callbacks that run there. Other goroutines use a [Ref].
type Conn struct {
	// What Group.Send looks at comes first, and is in one cache line.
	jc       *jay.Conn
	h        *Handler
	agreed   agreement
	state    state
	flags    flags
	protocol uint8 // 1 + index in Handler.Subprotocols; 0: none

	groups  *membership // the first of the groups it is in
	in      parser
	windows *windows // of takeover; nil without
	ending  *ending  // nil until a Close frame came or went, or something failed
	control controlRate

	// Of the ping or Close frame whose answer is awaited, counted as
	// jay.Conn.BytesOut counts.
	behind uint32 // where it ends
	acked  uint32 // what the peer had acknowledged when that was looked at
}

// state is where a connection is in its life. setState is the only function
// that changes it.
type state uint8

const (
	// stateOpening: OnOpen was not called yet.
	stateOpening state = iota
	// stateOpen: messages come and go.
	stateOpen
	// stateClosing: our Close frame was sent; the peer's is awaited, and what
	// else it sends is ignored.
	stateClosing
	// stateClosed: nothing more comes or goes but what was written before.
	stateClosed
)

// flags are facts about a connection that are independent of its state.
type flags uint8

const (
	flagHeard  flags = 1 << iota // something has come since the deadline was set
	flagPinged                   // a ping was sent, and nothing has come since
	flagLast                     // the deadline is that of a drain
	flagPart                     // SendPart has begun a message
	flagLeft                     // the ping or Close frame has reached the peer: its answer is due
	flagEOF                      // the peer sends nothing any more
)

// ending is why and how a connection ends.
type ending struct {
	code   Code
	reason string
}

func newConn(h *Handler, jc *jay.Conn, a acceptance) *Conn {
	c := &Conn{h: h, jc: jc, agreed: a.agreed}
	if a.agreed.serverBits != 0 {
		c.in.flags |= mayCompress
	}
	if a.agreed.serverTakeover || a.agreed.clientTakeover {
		c.windows = new(windows)
	}
	for i, p := range h.Subprotocols {
		if p == a.subprotocol {
			c.protocol = uint8(i + 1)
			break
		}
	}
	return c
}

func (c *Conn) setState(s state) {
	c.state = s
	if s == stateClosed {
		c.leaveAll()
	}
}

func (c *Conn) has(f flags) bool { return c.flags&f != 0 }

// Conn returns the connection below, for what is not WebSocket's: addresses,
// counters, Worker, PauseRead, Hold. What is written to it breaks the
// protocol.
func (c *Conn) Conn() *jay.Conn { return c.jc }

// ID is unique among the connections of all workers.
func (c *Conn) ID() uint64 { return c.jc.ID() }

// RemoteAddr returns the peer's address.
func (c *Conn) RemoteAddr() net.Addr { return c.jc.RemoteAddr() }

// Value returns what OnUpgrade, Upgrade or SetValue stored: the user's own
// state.
func (c *Conn) Value() any { return c.jc.Value() }

// SetValue stores the user's own state.
func (c *Conn) SetValue(v any) { c.jc.SetValue(v) }

// Subprotocol returns the subprotocol that was agreed upon, or "".
func (c *Conn) Subprotocol() string {
	if c.protocol == 0 {
		return ""
	}
	return c.h.Subprotocols[c.protocol-1]
}

// Compressed reports whether compression was negotiated.
func (c *Conn) Compressed() bool { return c.agreed.serverBits != 0 }

// Buffered returns the number of bytes sent here that the peer's side has not
// yet taken.
func (c *Conn) Buffered() int { return c.jc.Buffered() }

// Ref returns the handle of this connection for other goroutines.
func (c *Conn) Ref() Ref { return Ref{c.jc.Ref(), c} }

// Ref is a connection in the hands of other goroutines: a small value,
// comparable and safe to keep. Once the connection has closed its methods
// return jay.ErrClosed. Calls of one goroutine take effect in their order.
// The zero Ref is of a closed connection.
type Ref struct {
	ref jay.Ref
	c   *Conn // looked at on the loop alone
}

// ID returns the connection's id, 0 for the zero Ref.
func (r Ref) ID() uint64 { return r.ref.ID() }

// Closed reports whether the connection has closed.
func (r Ref) Closed() bool { return r.ref.Closed() }

// Do runs fn on the connection's loop, soon, if it is not closed by then. It
// returns jay.ErrBusy, and fn is never called, when too much waits for the loop.
func (r Ref) Do(fn func(c *Conn)) error {
	return r.ref.Do(func(*jay.Conn) { fn(r.c) })
}

// Send sends a copy of m; see [Conn.Send] for what becomes of it. What waits for
// the loop is bounded as in [jay.Ref.Carry]: it returns jay.ErrBusy,
// jay.ErrOutputLimit or jay.ErrBudget, and nothing is sent, when that is full.
func (r Ref) Send(m Message) error {
	if err := m.check(); err != nil {
		return err
	}
	return r.ref.Carry(m.data, func(_ *jay.Conn, p []byte) {
		m.data = p
		_ = r.c.sendOwned(m)
	})
}

// Close closes the connection as [Conn.Close] does. It is bounded as Do is.
func (r Ref) Close(code Code, reason string) error {
	return r.Do(func(c *Conn) { c.Close(code, reason) })
}

// Abort closes the connection as [Conn.Abort] does, however much waits for the
// loop.
func (r Ref) Abort() error { return r.ref.Abort() }
