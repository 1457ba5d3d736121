package jay

import (
	"net"

	"github.com/jay-go/jay/internal/loop"
)

// origin is where connections come from: what all of an endpoint's, or one that
// was dialled, have in common.
type origin struct {
	addr     net.Addr
	unix     bool
	anywhere bool // addr is all addresses: each connection has one of them
	entry    entry
	refused  *origin // see refusal

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
func (w *Worker) open(from *origin, sock loop.Socket, then func(c *Conn)) error {
	w.nextID += w.idStep
	now := w.loop.TickNow()
	c := &Conn{worker: w, via: from, times: &from.times, handler: unborn{}, id: w.nextID, remote: sock.Peer, opened: now, active: now}
	if from.times.readIdle != 0 {
		c.own().heard = now
	}
	if err := w.loop.Attach(&c.stream, sock, (*events)(c)); err != nil {
		return err
	}
	w.add(c)
	w.enter(c)
	c.setRecv()
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

// unborn is the handler of a connection whose protocol has not given it one.
type unborn struct{}

func (unborn) Open(*Conn)                          {}
func (unborn) Data(_ *Conn, b []byte) (int, error) { return len(b), nil }
func (unborn) Close(*Conn, error)                  {}

// refusal returns the origin of connections from here that are beyond MaxConns. They
// have the layer of the others, but no callbacks.
func (from *origin) refusal() *origin {
	if from.refused == nil {
		r := *from
		r.entry, r.protocol, r.onConnect, r.onClose = refused, refusing{from.protocol}, nil, nil
		from.refused = &r
	}
	return from.refused
}

// refusing is the protocol that says that there is no room for another one.
type refusing struct{ Protocol }

func (p refusing) NewConn(*Conn) Handler { return refusal{protocol: p.Protocol} }

type refusal struct {
	unborn
	protocol Protocol
}

// Open tells the client so.
func (h refusal) Open(c *Conn) {
	if p, ok := h.protocol.(Refuser); ok {
		_, _ = c.Write(p.Refuse())
	}
	c.Close()
}
