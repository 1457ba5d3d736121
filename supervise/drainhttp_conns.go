package supervise

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jay-go/jay/control"
)

// httpDrain knows the connections of a server and how they end.
type httpDrain struct {
	server   *http.Server  // serves
	told     *http.Server  // the program's, whose functions are called when the drain begins
	draining chan struct{} // closed when responses have to say close

	mu       sync.Mutex
	conns    map[net.Conn]bool // guarded by mu; whether a handler has seen a request
	all      countdown         // guarded by mu; of conns
	fresh    countdown         // guarded by mu; of those among them that no handler has seen
	accepted int64             // guarded by mu
	hijacked []*hijackedConn   // guarded by mu; some may be closed
	sweepAt  int               // guarded by mu; so many are looked at before there is one more

	requests, panics atomic.Int64
}

// countdown is a number that can be waited for to become zero. It belongs to
// whoever holds its lock.
type countdown struct {
	n    int
	zero chan struct{} // closed at zero; nil where nobody waits
}

func (c *countdown) add(n int) {
	if c.n += n; c.n == 0 && c.zero != nil {
		close(c.zero)
		c.zero = nil
	}
}

func (c *countdown) wait() <-chan struct{} {
	if c.n == 0 {
		none := make(chan struct{})
		close(none)
		return none
	}
	if c.zero == nil {
		c.zero = make(chan struct{})
	}
	return c.zero
}

// connKey is where a request's context has its connection.
type connKey struct{}

func newHTTPDrain(srv *http.Server) *httpDrain {
	d := &httpDrain{server: serverLike(srv), told: srv, draining: make(chan struct{}), conns: map[net.Conn]bool{}}
	handler := srv.Handler
	if handler == nil {
		handler = http.DefaultServeMux
	}
	d.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.serve(handler, w, r) })
	d.server.ConnState = func(c net.Conn, s http.ConnState) {
		d.track(c, s)
		if srv.ConnState != nil {
			srv.ConnState(c, s)
		}
	}
	d.server.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		ctx = context.WithValue(ctx, http.ServerContextKey, srv)
		if srv.ConnContext != nil {
			ctx = srv.ConnContext(ctx, c)
		}
		return context.WithValue(ctx, connKey{}, c)
	}
	return d
}

func (d *httpDrain) serve(handler http.Handler, w http.ResponseWriter, r *http.Request) {
	if c, ok := r.Context().Value(connKey{}).(net.Conn); ok {
		d.seen(c)
	}
	d.requests.Add(1)
	defer func() {
		if v := recover(); v != nil {
			if v != http.ErrAbortHandler {
				d.panics.Add(1)
			}
			panic(v)
		}
	}()
	dw := &drainWriter{ResponseWriter: w, drain: d}
	handler.ServeHTTP(dw, r)
	dw.begin() // where the handler has left the response to the server
}

func (d *httpDrain) track(c net.Conn, s http.ConnState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch s {
	case http.StateNew:
		d.conns[c] = false
		d.accepted++
		d.all.add(1)
		d.fresh.add(1)
	case http.StateClosed, http.StateHijacked:
		seen, ok := d.conns[c]
		if !ok {
			return
		}
		if s == http.StateHijacked {
			d.addHijackedLocked(c)
		}
		delete(d.conns, c)
		d.all.add(-1)
		if !seen {
			d.fresh.add(-1)
		}
	}
}

// seen notes that a request of the connection has reached a handler.
func (d *httpDrain) seen(c net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if seen, ok := d.conns[c]; ok && !seen {
		d.conns[c] = true
		d.fresh.add(-1)
	}
}

// empty returns a channel that is closed when the server has no connection.
func (d *httpDrain) empty() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.all.wait()
}

// greeted returns a channel that is closed when a request of every connection
// has reached a handler.
func (d *httpDrain) greeted() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fresh.wait()
}

// hijackedEvery is how often a drain looks whether hijacked connections are
// closed.
const hijackedEvery = 20 * time.Millisecond

// left waits until no connection is left, hijacked ones included, and reports
// whether it has come to that before ctx ended or stop was closed.
func (d *httpDrain) left(ctx context.Context, stop <-chan struct{}) bool {
	select {
	case <-d.empty():
	case <-stop:
		return false
	case <-ctx.Done():
		return false
	}
	every := time.NewTicker(hijackedEvery)
	defer every.Stop()
	for d.openHijacked() > 0 {
		select {
		case <-every.C:
		case <-stop:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// hijackedConn is a connection that a handler has taken from the server. Nobody
// tells of its end, so it is asked.
type hijackedConn struct {
	net.Conn
	raw    syscall.RawConn // of the socket; nil where it is out of reach, and the handler has got a watchedConn
	closed atomic.Bool     // the watchedConn is
}

func (h *hijackedConn) open() bool {
	if h.raw == nil {
		return !h.closed.Load()
	}
	return h.raw.Control(func(uintptr) {}) == nil
}

func (d *httpDrain) addHijackedLocked(c net.Conn) {
	if len(d.hijacked) >= d.sweepAt {
		d.sweepLocked()
		d.sweepAt = max(64, 2*len(d.hijacked))
	}
	d.hijacked = append(d.hijacked, &hijackedConn{Conn: c, raw: rawConn(c)})
}

// sweepLocked forgets those that are closed.
func (d *httpDrain) sweepLocked() {
	open := d.hijacked[:0]
	for _, h := range d.hijacked {
		if h.open() {
			open = append(open, h)
		}
	}
	clear(d.hijacked[len(open):])
	d.hijacked = open
}

func (d *httpDrain) openHijacked() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sweepLocked()
	return len(d.hijacked)
}

// closeHijacked closes what is left at the deadline.
func (d *httpDrain) closeHijacked() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sweepLocked()
	for _, h := range d.hijacked {
		innermost(h.Conn).Close() // not a layer above it, which would wait for the peer
	}
}

// handedOut is what the handler gets that has hijacked c.
func (d *httpDrain) handedOut(c net.Conn) net.Conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := len(d.hijacked) - 1; i >= 0; i-- {
		if h := d.hijacked[i]; h.Conn == c && h.raw == nil {
			return &watchedConn{Conn: c, h: h}
		}
	}
	return c
}

// innermost is the connection below all layers that tell what they are on.
func innermost(c net.Conn) net.Conn {
	for {
		layer, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return c
		}
		c = layer.NetConn()
	}
}

// rawConn is the socket of a connection, nil where it cannot be reached.
func rawConn(c net.Conn) syscall.RawConn {
	if s, ok := innermost(c).(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}

// watchedConn tells of its end.
type watchedConn struct {
	net.Conn
	h *hijackedConn
}

// NetConn is the connection that the listener gave.
func (c *watchedConn) NetConn() net.Conn { return c.Conn }

func (c *watchedConn) Close() error {
	c.h.closed.Store(true)
	return c.Conn.Close()
}

// stats are the figures that a server's connections and requests give.
func (d *httpDrain) stats() control.Stats {
	open := int64(d.openHijacked())
	d.mu.Lock()
	defer d.mu.Unlock()
	return control.Stats{Connections: new(open + int64(d.all.n)), Accepted: new(d.accepted), Requests: new(d.requests.Load()), Panics: new(d.panics.Load())}
}
