package jay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/jay-go/jay/loop"
)

// Dialer opens connections from a worker. The zero value works.
type Dialer struct {
	// Timeout bounds name look-up and connecting together. Zero means 10
	// seconds; negative means no limit.
	Timeout time.Duration

	// OnClose, if set, is called once, last, for each connection that was dialled.
	// err is nil when it ended in order.
	OnClose func(c *Conn, err error)
}

// Dial connects to address, "tcp://host:port" or "unix:///path", and gives the
// connection to h on w's loop. It does not block: name look-up and connecting
// happen beside the loop. Then done is called there with the connection, after
// h.Open, or with nil and what went wrong. Connections that were dialled are
// live connections of the worker and have its deadlines and limits like those
// accepted; but Server.Filter, OnConnect and OnClose are not theirs, and they do
// not count for MaxConns. It must be called on the loop.
func (d Dialer) Dial(w *Worker, address string, h Handler, done func(c *Conn, err error)) {
	a, err := streamAddr("dial", address)
	if err == nil && h == nil {
		err = fmt.Errorf("dial %s: the handler is nil", address)
	}
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
		network, address := a.Network()
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if w.loop.PostAnyway(func() { w.dialled(conn, err, h, d.OnClose, done) }) != nil && conn != nil {
			_ = conn.Close()
		}
	}
	if !w.help(dial) {
		_ = w.loop.PostAnyway(func() { done(nil, fmt.Errorf("dial %s: %w", address, ErrStopped)) })
	}
}

func (w *Worker) dialled(conn net.Conn, err error, h Handler, onClose func(*Conn, error), done func(*Conn, error)) {
	if err == nil && w.drain != nil {
		err = errors.Join(ErrStopped, conn.Close())
	}
	if err != nil {
		done(nil, fmt.Errorf("dial: %w", err))
		return
	}
	local := conn.LocalAddr()
	sock := loop.Socket{FD: -1, Conn: conn}
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		p := a.AddrPort()
		sock.Peer = netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	via := &endpoint{addr: local, unix: local.Network() == "unix", dialled: true, onClose: onClose}
	c, err := w.attach(via, sock, h, 0)
	if err != nil {
		done(nil, errors.Join(fmt.Errorf("attach: %w", err), conn.Close()))
		return
	}
	w.enter(c)
	c.open()
	done(c, nil)
	w.leave()
}
