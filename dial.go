package jay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/jay-go/jay/internal/loop"
)

// Dialer opens connections from a worker. The zero value works.
type Dialer struct {
	// Timeout bounds name look-up and connecting together. Zero means 10
	// seconds; negative means no limit.
	Timeout time.Duration

	// Conn are the limits and deadlines of the connections.
	Conn ConnConfig

	// OnClose, if set, is called once, last, for each connection that was dialled.
	// err is nil when it ended in order.
	OnClose func(c *Conn, err error)
}

// Dial connects to address, "tcp://host:port" or "unix:///path", and has the
// connection speak p on w's loop. It does not block: name look-up and connecting
// happen beside the loop. Then done is called there with the connection, after
// Handler.Open, or with nil and what went wrong. Connections that were dialled are
// live connections of the worker; but nothing else of its server is theirs, neither
// limits nor callbacks, and they do not count for MaxConns. It must be called on
// the loop.
func (d Dialer) Dial(w *Worker, address string, p Protocol, done func(c *Conn, err error)) {
	a, err := streamAddr("dial", address)
	if wrong := checkProtocol(p); err == nil && wrong != nil {
		err = fmt.Errorf("dial %s: %w", address, wrong)
	}
	if err == nil {
		err = d.Conn.check("Conn")
	}
	if err != nil {
		_ = w.loop.PostAnyway(func() { done(nil, err) })
		return
	}
	from := &origin{entry: dialled, protocol: p, onClose: d.OnClose, connLimits: d.Conn.resolve()}
	dial := func() {
		ctx := w.life
		if t := timeout(cmp.Or(d.Timeout, 10*time.Second)); t != none {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, t)
			defer cancel()
		}
		network, address := a.Network()
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if w.loop.PostAnyway(func() { w.dialled(conn, err, from, done) }) != nil && conn != nil {
			_ = conn.Close()
		}
	}
	if !w.help(dial) {
		_ = w.loop.PostAnyway(func() { done(nil, fmt.Errorf("dial %s: %w", address, ErrStopped)) })
	}
}

func (w *Worker) dialled(conn net.Conn, err error, from *origin, done func(*Conn, error)) {
	if err == nil && w.drain != nil {
		err = errors.Join(ErrStopped, conn.Close())
	}
	if err != nil {
		done(nil, fmt.Errorf("dial: %w", err))
		return
	}
	sock := loop.Socket{FD: -1, Conn: conn}
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		p := a.AddrPort()
		sock.Peer = netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	from.setAddr(conn.LocalAddr())
	if err := w.open(from, sock, func(c *Conn) { done(c, nil) }); err != nil {
		done(nil, errors.Join(fmt.Errorf("attach: %w", err), conn.Close()))
	}
}
