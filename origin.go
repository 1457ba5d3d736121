package jay

import (
	"net"

	"github.com/jay-go/jay/loop"
)

// origin is where connections come from: what all of an endpoint's, or one that
// was dialled, have in common.
type origin struct {
	addr     net.Addr
	unix     bool
	anywhere bool // addr is all addresses: each connection has one of them
	dialled  bool // it is where a connection went out

	protocol  Protocol
	newLayer  func() Layer // nil: none
	onConnect func(c *Conn)
	onClose   func(c *Conn, err error)
	connLimits
}

// setAddr notes the address as bound.
func (from *origin) setAddr(a net.Addr) {
	from.addr, from.unix = a, a.Network() == "unix"
	if tcp, ok := a.(*net.TCPAddr); ok {
		from.anywhere = tcp.IP.IsUnspecified()
	}
}

// entry is how a connection comes to be.
type entry uint8

const (
	// accepted: from a listening socket.
	accepted entry = iota
	// refused: accepted beyond MaxConns, to be told so and closed.
	refused
	// dialled: opened from here.
	dialled
)

// open makes a connection of a socket and begins its life. Every connection comes
// this way. then, which may be nil, is called last. An error says that the loop
// has not taken the socket, which is the caller's still.
func (w *Worker) open(from *origin, sock loop.Socket, as entry, then func(c *Conn)) error {
	w.nextID += w.idStep
	now := w.loop.TickNow()
	c := &Conn{worker: w, via: from, times: &from.times, handler: unborn{}, id: w.nextID, remote: sock.Peer, opened: now, active: now}
	if from.times.readIdle != 0 {
		c.own().heard = now
	}
	if as == refused {
		c.flags |= flagRefused
	}
	if err := w.loop.Attach(&c.stream, sock, (*events)(c)); err != nil {
		return err
	}
	w.add(c)
	w.enter(c)
	c.stream.StartRecv()
	if from.newLayer != nil {
		c.setLayer(from.newLayer())
	}
	c.ready()
	if then != nil {
		then(c)
	}
	c.arm()
	w.leave()
	return nil
}

// begin gives the connection its handler.
func (c *Conn) begin() {
	if c.has(flagRefused) {
		c.handler = refusal{}
		if p, ok := c.via.protocol.(Refuser); ok {
			_, _ = c.Write(p.Refuse())
		}
		c.Close()
		return
	}
	c.handler = c.via.protocol.NewConn(c)
	if w := c.worker; w.drain != nil && !w.emptying && !c.isNewcomer() {
		c.toldToDrain()
	}
	c.handler.Open(c)
	if c.state != stateClosed {
		c.flags |= flagConnected
		if on := c.via.onConnect; on != nil {
			on(c)
		}
	}
	c.arm()
}

// unborn is the handler of a connection whose protocol has not given it one.
type unborn struct{}

func (unborn) Open(*Conn)                          {}
func (unborn) Data(_ *Conn, b []byte) (int, error) { return len(b), nil }
func (unborn) Close(*Conn, error)                  {}

// refusal is the handler of a connection beyond MaxConns.
type refusal struct{ unborn }
