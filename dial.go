package jay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/jay-go/jay/internal/addr"
	"github.com/jay-go/jay/loop"
)

// Dialer opens connections from a worker. The zero value works.
type Dialer struct {
	// Timeout bounds name look-up and connecting together. Zero means 10
	// seconds; negative means no limit.
	Timeout time.Duration
}

// Dial connects to address, "tcp://host:port" or "unix:///path", and gives the
// connection to h on w's loop. It does not block: name look-up and connecting
// happen beside the loop. Then done is called there with the connection, after
// h.Open, or with nil and what went wrong. Connections that were dialled are
// live connections of the worker like those accepted, but OnConnect and
// OnClose are not called for them. It must be called on the loop.
func (d Dialer) Dial(w *Worker, address string, h Handler, done func(c *Conn, err error)) {
	a, err := addr.Parse(address)
	if err != nil {
		_ = w.loop.PostAnyway(func() { done(nil, err) })
		return
	}
	dial := func() {
		ctx := w.life
		if t := timeout(d.Timeout, 10*time.Second); t != none {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, t)
			defer cancel()
		}
		conn, err := new(net.Dialer).DialContext(ctx, dialNetwork(a), dialAddress(a))
		if w.loop.PostAnyway(func() { w.dialled(conn, err, h, done) }) != nil && conn != nil {
			_ = conn.Close()
		}
	}
	if !w.help(dial) {
		_ = w.loop.PostAnyway(func() { done(nil, fmt.Errorf("dial %s: %w", address, ErrStopped)) })
	}
}

func dialNetwork(a addr.Addr) string {
	network, _ := a.Network()
	return network
}

func dialAddress(a addr.Addr) string {
	_, address := a.Network()
	return address
}

func (w *Worker) dialled(conn net.Conn, err error, h Handler, done func(*Conn, error)) {
	if err == nil && w.drain != nil {
		err = errors.Join(ErrStopped, conn.Close())
	}
	if err != nil {
		done(nil, fmt.Errorf("dial: %w", err))
		return
	}
	c, err := w.attach(conn, h)
	if err != nil {
		done(nil, err)
		return
	}
	w.enter(c)
	c.stream.StartRecv()
	c.handler.Open(c)
	c.arm()
	done(c, nil)
	w.leave()
}

// attach makes a connection of a net.Conn.
func (w *Worker) attach(conn net.Conn, h Handler) (*Conn, error) {
	local := conn.LocalAddr()
	sock := loop.Socket{FD: -1, Conn: conn}
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		p := a.AddrPort()
		sock.Peer = netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	c := w.newConn(&endpoint{addr: local, unix: local.Network() == "unix"}, sock, h)
	if err := w.loop.Attach(&c.stream, sock, (*events)(c)); err != nil {
		return nil, errors.Join(fmt.Errorf("attach: %w", err), conn.Close())
	}
	w.add(c)
	return c, nil
}
