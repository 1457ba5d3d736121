package jay

import (
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/jay-go/jay/internal/loop"
	"github.com/jay-go/jay/supervise"
)

// Conn is one connection. It belongs to its loop: its methods may be called
// only from callbacks that run there. Other goroutines use a [Ref].
type Conn struct {
	via     *origin
	times   *timeouts
	handler Handler

	// What it takes to send to a connection at rest lies together, from
	// stream.loop to layer, in two cache lines: in a pass over thousands of
	// connections each line is a wait for memory. TestConnLayout holds it.
	stream   loop.Stream
	worker   *Worker
	out      queue
	bytesOut uint64
	flags    flags
	active   uint32 // tick of the loop when bytes last came or went
	stalled  uint32 // deadline for the peer to make progress, as those below
	holds    int16
	state    state
	layer    *layered

	// What a message that comes needs besides, up to wheel.
	in      *chunk // bytes that the handler has not used; nil when there are none
	need    int32  // Data is not called before this many bytes are there
	pages   int32  // memory of Buffers
	bytesIn uint64
	proto   uint32        // deadline of the handler
	gone    atomic.Uint32 // whether the socket is closed, for Ref, and what it has posted
	wheel   loop.Deadline // fires at the earliest of the deadlines

	opened  uint32       // ticks of the loop; 0 in deadlines: not set
	closing uint32       // deadline of the lingering, whatever the peer does
	stopped uint32       // see Paused
	acked   uint32       // the peer's progress when it was last looked at; see progress
	posted  atomic.Int64 // what Ref has posted and the loop has not taken; see mail
	value   any

	next, prev *Conn // the worker's list of live connections

	id     uint64
	remote netip.AddrPort
	err    error // why the connection ends
}

// idBits is how many bits of a connection's id count those of its worker. The
// worker has the 17 above them, so that an id is a number that JSON's readers
// take exactly (RFC 8259 section 6): below 2^53.
const idBits = 36

func firstID(incarnation uint32) uint64 { return uint64(incarnation%(1<<(53-idBits))) << idBits }

// ID is unique among the connections of all workers, also across restarts.
func (c *Conn) ID() uint64 { return c.id }

// Worker returns the worker that the connection belongs to.
func (c *Conn) Worker() *Worker { return c.worker }

// Now returns the time at which the loop's present turn began.
func (c *Conn) Now() time.Time {
	c.mine()
	return c.worker.loop.Now()
}

// RemoteAddr returns the peer's address: that of the client, where a layer knows of
// one behind a proxy. A Unix socket seldom has one, and none
// once the connection has closed; its name is empty then.
func (c *Conn) RemoteAddr() net.Addr {
	c.mine()
	return c.peerAddr()
}

func (c *Conn) peerAddr() net.Addr {
	if !c.via.unix || c.remote.IsValid() {
		return net.TCPAddrFromAddrPort(c.remote)
	}
	if remote := c.stream.RemoteAddr(); remote != nil {
		return remote
	}
	return &net.UnixAddr{Net: "unix"}
}

// RemoteAddrPort returns the peer's IP address and port without allocating; it is not
// valid for a Unix socket, unless a layer has told it.
func (c *Conn) RemoteAddrPort() netip.AddrPort {
	c.mine()
	return c.remote
}

// LocalAddr returns the address that the peer has connected to. Once the
// connection has closed, that of a listener on all addresses takes its place.
func (c *Conn) LocalAddr() net.Addr {
	c.mine()
	if c.via.anywhere {
		if local := c.stream.LocalAddr(); local != nil {
			return local
		}
	}
	return c.via.addr
}

// Transport returns "tcp" or "unix".
func (c *Conn) Transport() string {
	c.mine()
	return c.via.addr.Network()
}

// Value returns what SetValue stored: the user's own state.
func (c *Conn) Value() any {
	c.mine()
	return c.value
}

// SetValue stores the user's own state.
func (c *Conn) SetValue(v any) {
	c.mine()
	c.value = v
}

// BytesIn and BytesOut count what came from and went to the socket.
func (c *Conn) BytesIn() uint64 {
	c.mine()
	return c.bytesIn
}

func (c *Conn) BytesOut() uint64 {
	c.mine()
	return c.bytesOut
}

// Buffered returns the number of bytes written and not yet sent; of a connection
// that has ended none are.
func (c *Conn) Buffered() int {
	c.mine()
	if c.over() {
		return 0
	}
	return c.out.size
}

// Full reports whether the unsent output has exceeded the high-water mark, and has
// not fallen below the low one since.
func (c *Conn) Full() bool {
	c.mine()
	return c.has(flagFull)
}

// Handler returns the handler that speaks the connection's protocol now.
func (c *Conn) Handler() Handler {
	c.mine()
	return c.handler
}

// SetHandler gives the connection to another handler: an upgrade, or state of
// its own. h.Open is called at once, bytes not yet used go to h. A connection whose
// layer is not ready begins with h.
func (c *Conn) SetHandler(h Handler) {
	c.mine()
	c.unsplice()
	if p, ok := c.handler.(*pipeEnd); ok && c.state < stateFinishing {
		p.pipe.end(nil)
	}
	c.handler, c.need = h, 0
	c.flags &^= flagPiped
	if c.has(flagData) {
		c.flags |= flagReplaced
	}
	if c.state == stateOpening {
		c.Call(func() { c.setState(stateOpen) })
	} else {
		c.Call(func() { h.Open(c) })
	}
}

// Call runs fn at once as a callback of the connection, which closes if fn
// panics. It is for what is set off from elsewhere: by a timer, say, or by a
// callback of another connection.
func (c *Conn) Call(fn func()) {
	c.mine()
	caller := c.worker.current.Load()
	c.worker.enter(c)
	fn()
	c.worker.enter(caller)
}

// Replaced reports, inside Handler.Data, whether SetHandler was called since
// that began: the rest of the bytes is the next handler's, and Data should
// return.
func (c *Conn) Replaced() bool {
	c.mine()
	return c.has(flagReplaced)
}

// State returns where the connection is in its life: "opening" (its layer is not
// ready), "open", "half-closed" (one side has finished sending), "detaching" (Detach
// was called), "flushing" or "lingering" (Close was called), "closed".
func (c *Conn) State() string {
	c.mine()
	switch {
	case c.state == stateOpen && c.has(flagEOF|flagFin):
		return "half-closed"
	case c.over():
		return stateClosed.String()
	}
	return c.state.String()
}

// Unused returns the number of received bytes that the handler has not used.
func (c *Conn) Unused() int {
	c.mine()
	if c.in == nil {
		return 0
	}
	return len(c.in.b) - c.in.off
}

// Age returns how long ago the connection was accepted, Idle how long ago bytes
// last came or went; both to within loop.Tick.
func (c *Conn) Age() time.Duration {
	c.mine()
	return c.worker.since(c.opened)
}

func (c *Conn) Idle() time.Duration {
	c.mine()
	return c.worker.since(c.active)
}

// CountRequest counts one message for the figures of status.
func (c *Conn) CountRequest() {
	c.mine()
	c.worker.stats.requests++
}

// Draining returns why the worker wants to end, or nil when it does not.
func (c *Conn) Draining() *supervise.Drain {
	c.mine()
	return c.worker.drain
}

// Hold keeps the connection, after the peer has finished sending, until
// Release: a response is still to come. Meanwhile the idle timeout rests.
func (c *Conn) Hold() {
	c.mine()
	c.holds++
}

// Held reports whether a Hold is in force.
func (c *Conn) Held() bool {
	c.mine()
	return c.holds > 0
}

// Release takes back one Hold. With the last one the handler is told again of
// what it may have waited with: EOF if the peer has finished sending, Drain if
// the worker wants to end.
func (c *Conn) Release() {
	c.mine()
	if c.holds == 0 {
		panic("jay: Conn.Release without Hold")
	}
	c.holds--
	c.touch()
	if c.holds > 0 {
		return
	}
	if c.has(flagEOF) {
		c.flags |= flagEOFDue
		c.later()
	}
	if c.worker.drain != nil {
		c.toldToDrain()
	}
}

// Ref returns the handle of this connection for other goroutines.
func (c *Conn) Ref() Ref { return Ref{c} }

// later lists the connection to be settled at the end of the turn.
func (c *Conn) later() {
	if !c.has(flagListed) {
		c.flags |= flagListed
		c.worker.list(c)
	}
}
