package jay

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/jay-go/jay/internal/poison"
)

// Layer lies between the socket of a connection and its [Handler]: TLS,
// compression, a header in front of everything. It does no I/O. Each connection
// has its own, and its methods are called on the connection's loop, one at a time.
//
// A connection begins, with Protocol.NewConn and OnConnect, once its layer is
// ready. Until then it has no handler, and nothing that Decode returns is kept.
type Layer interface {
	// Open is called once, before the others. under is valid as long as the
	// layer is the connection's.
	Open(under *Under)

	// Ready reports whether the connection may begin. It is asked after Open,
	// Decode and [Under.Wake] until it returns true.
	Ready() bool

	// Decode takes bytes as they arrived, appends to plain what the handler is to
	// see and returns how many it used; the rest comes again with more. wire is
	// valid only inside Decode. io.EOF says that the peer has ended the stream in
	// order, whatever follows. Any other error closes the connection as CloseOn does,
	// once what the layer has sent is gone, an alert say; the peer's fault, unless it is a
	// [Blamer].
	Decode(plain, wire []byte) (out []byte, used int, err error)

	// Encode appends to wire what the peer is to see for plain. A layer that
	// SetLayer has put below a handler at work may be called before it is ready:
	// it keeps what it cannot send yet.
	Encode(wire, plain []byte) ([]byte, error)

	// End is called when the peer has sent FIN. An error says that the stream was
	// cut: the connection fails with it. After io.EOF of Decode it is not called.
	End() error

	// Finish appends to wire what the peer is to see last, ahead of FIN. It is
	// called once, when all that was written has been sent.
	Finish(wire []byte) []byte
}

// The interfaces below are optional for a [Layer].

// LayerDetacher gives the layer away with its connection ([Conn.Detach]): Detach
// returns what goes on where the layer stands. wire are the bytes that have arrived
// and that Decode has not used; those still to come are conn's. Without this method
// a connection with a layer cannot be detached.
type LayerDetacher interface {
	Detach(conn net.Conn, wire []byte) (net.Conn, error)
}

// LayerFreezer hands the layer over to another process, with its connection: Freeze
// returns what Adopt of a new layer needs there to go on. Adopt is called in the
// place of Open, and the layer is ready then.
type LayerFreezer interface {
	Freeze() (state []byte, err error)
	Adopt(under *Under, state []byte) error
}

// ErrTruncated: the peer has ended a connection in the middle of what its layer
// makes a whole.
var ErrTruncated = errors.New("the connection was cut off")

// Under is a connection as its [Layer] sees it. Its methods belong to the loop;
// other goroutines use its Ref.
type Under Conn

// Send queues bytes for the wire as they are.
func (u *Under) Send(wire []byte) {
	c := (*Conn)(u)
	if c.state <= stateFlushing {
		c.pushWire(wire)
	}
}

// Wake has the layer asked again, at the end of the turn, whether it is ready, and
// given what has arrived and was not used: after work on a goroutine.
func (u *Under) Wake() {
	c := (*Conn)(u)
	c.flags |= flagLayerDue
	c.later()
}

// CloseOn closes the connection as [Conn.CloseOn] does, once what the layer has sent
// is gone.
func (u *Under) CloseOn(whose Fault, err error) { (*Conn)(u).CloseOn(whose, err) }

// SetDeadline bounds the time until the layer is ready; zero or less takes the
// deadline back. When the connection begins there is none.
func (u *Under) SetDeadline(d time.Duration) { (*Conn)(u).SetDeadline(d) }

// RemoteAddr returns the address that the socket's peer has.
func (u *Under) RemoteAddr() net.Addr { return (*Conn)(u).RemoteAddr() }

// SetRemote tells the connection who is at its other end in truth: [Conn.RemoteAddr]
// and [Conn.Remote] return it from then on.
func (u *Under) SetRemote(a netip.AddrPort) {
	c := (*Conn)(u)
	c.remote = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// Replace puts next in the layer's place, nil for none, once it returns: what it
// has not used goes there. Only Decode may call it.
func (u *Under) Replace(next Layer) { (*Conn)(u).setLayer(next) }

// Ref returns the handle of the connection for other goroutines.
func (u *Under) Ref() Ref { return (*Conn)(u).Ref() }

// layered is the layer of a connection, and what it needs.
type layered struct {
	Layer
	wire  Buffer // what has arrived and the layer has not used
	ended bool   // in order, says the layer
	done  bool   // Finish was called
}

// SetLayer puts a layer below a handler at work: an upgrade, STARTTLS say. Nil takes
// the present one away, and what that has not used with it. What was written before
// is not transformed. What has arrived and the handler has not used goes through the
// layer, if there was none before: it was not sent to the handler, and never reaches
// it as it is (RFC 3207 section 4.2). Inside Handler.Data, which should return then,
// Replaced reports true.
func (c *Conn) SetLayer(l Layer) {
	c.mine()
	c.unsplice()
	c.layerChanged()
	had := c.layer
	if had != nil {
		had.wire.Free()
	}
	switch c.setLayer(l); {
	case had != nil || c.layer == nil:
	case c.has(flagData):
		c.flags |= flagReplaced // and deliver sees the layer
	case c.in != nil:
		kept := c.in
		c.in = nil
		if err := c.layer.wire.Append(c, kept.b[kept.off:]); err != nil {
			c.CloseOn(blamed(err, PeerFault), err)
		}
		c.worker.pool.put(kept)
		(*Under)(c).Wake()
	}
}

// raise takes what a handler has left unused, which lies in kept where there is one,
// through a layer that it has put below itself.
func (c *Conn) raise(kept *chunk, b []byte) {
	rest := append([]byte(nil), b...)
	if kept != nil {
		c.worker.pool.put(kept)
	}
	if len(rest) > 0 && c.live() {
		c.decode(rest)
	}
}

func (c *Conn) setLayer(l Layer) {
	if c.layer = nil; l == nil {
		return
	}
	c.layer = &layered{Layer: l}
	l.Open((*Under)(c))
}

// cut is told of the peer's FIN, and reports whether that has ended the connection
// because its layer was not done.
func (c *Conn) cut() bool {
	if c.layer == nil || c.layer.ended || !c.live() {
		return false
	}
	if err := c.layer.End(); err != nil {
		c.lost(fmt.Errorf("receive: %w", err))
		return true
	}
	return false
}

// decode gives the layer what has arrived, and the handler what that makes of it.
func (c *Conn) decode(b []byte) {
	for l := c.layer; l != nil && !l.ended; l = c.layer {
		wire, kept := b, l.wire.Len() > 0
		if kept {
			if err := l.wire.Append(c, b); err != nil {
				c.CloseOn(blamed(err, PeerFault), err)
				return
			}
			wire = l.wire.Bytes()
		}
		plain, used, err := l.Decode(c.worker.plain[:0], wire)
		c.worker.plain = scratch(plain)
		if used < 0 || used > len(wire) {
			panic(fmt.Sprintf("jay: %T.Decode says it used %d of %d bytes", l.Layer, used, len(wire)))
		}
		if c.layer != l { // by itself: the rest is for the next one
			b = append([]byte(nil), wire[used:]...)
			l.wire.Free()
			continue
		}
		poison.Fill(wire[:used])
		if err == nil {
			l.keep(c, wire[used:], kept)
		} else {
			l.wire.Free()
		}
		c.decoded(plain, err)
		poison.Fill(plain)
		return
	}
	if c.layer != nil {
		return // behind the end
	}
	if c.ready(); len(b) > 0 && c.live() {
		c.deliver(b)
	}
}

// keep stores what the layer has not used, which lies in its Buffer if kept.
func (l *layered) keep(c *Conn, rest []byte, kept bool) {
	switch {
	case len(rest) > c.via.maxInput:
		c.CloseOn(PeerFault, ErrInputLimit)
	case kept && len(rest) == l.wire.Len():
	case len(rest) == 0:
		l.wire.Free()
	default:
		var b Buffer
		if err := b.Append(c, rest); err != nil {
			c.CloseOn(blamed(err, PeerFault), err)
		}
		l.wire.Free()
		l.wire = b
	}
}

// decoded goes on with what Decode has returned.
func (c *Conn) decoded(plain []byte, err error) {
	if c.has(flagFiles) { // which may have waited for it to be ready
		c.later()
	}
	if c.ready(); len(plain) > 0 && c.state != stateOpening && c.live() {
		c.deliver(plain)
	}
	switch {
	case err == io.EOF:
		if c.layer != nil {
			c.layer.ended = true
		}
		c.receivedEOF()
	case err != nil:
		c.CloseOn(blamed(err, PeerFault), err)
	}
}

// ready begins the connection if its layer lets it.
func (c *Conn) ready() {
	if c.state == stateOpening && (c.layer == nil || c.layer.Ready()) {
		c.setState(stateOpen)
	}
}

// woken does what Under.Wake asks for.
func (c *Conn) woken() {
	if c.live() && c.layer != nil {
		c.decode(nil)
	}
}

// encoder returns the layer, nil for none.
func (c *Conn) encoder() Layer {
	if c.layer == nil {
		return nil
	}
	return c.layer.Layer
}

// encode queues what the layer makes of p.
func (c *Conn) encode(p []byte) error {
	wire, err := c.layer.Encode(c.worker.wire[:0], p)
	c.worker.wire = scratch(wire)
	if err != nil {
		return err
	}
	c.push(wire)
	poison.Fill(wire)
	return nil
}

// finished queues the layer's last bytes, and reports whether there are none.
func (c *Conn) finished() bool {
	if c.layer == nil || c.layer.done {
		return true
	}
	c.layer.done = true
	last := c.layer.Finish(nil)
	c.push(last)
	return len(last) == 0
}

func (l *layered) detaches() bool {
	_, ok := l.Layer.(LayerDetacher)
	return ok
}

// detach gives the layer away.
func (l *layered) detach(conn net.Conn) (net.Conn, error) {
	on, err := l.Layer.(LayerDetacher).Detach(conn, append([]byte(nil), l.wire.Bytes()...))
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return on, nil
}
