package supervise

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// drainMargin is what DrainHTTP leaves between the end of its drain and the
// deadline, at which the process is killed.
const drainMargin = 200 * time.Millisecond

// DrainHTTP serves HTTP on listeners, tells the master that the worker is
// ready, and returns when the worker has drained. With no listeners given it
// serves all stream sockets of the worker, also those that come later.
//
// While a reload or a scale drains the worker, new connections are left to the
// other workers, every answer carries "Connection: close", and idle connections
// stay open until the deadline, so that no client finds the door closed when it
// sends. It returns as soon as no connection is left. When the whole service
// stops, idle connections are closed at once and requests are finished.
//
// It sets srv.Handler, srv.ConnState and srv.ConnContext, calling what was
// there, and, without listeners, w.OnSockets.
func DrainHTTP(ctx context.Context, w *Worker, srv *http.Server, listeners ...net.Listener) error {
	d, l := newHTTPDrain(srv), newHTTPListeners(srv)
	if len(listeners) > 0 {
		l.give(listeners)
	} else if err := l.follow(w); err != nil {
		l.close()
		return err
	} else {
		w.OnSockets(func() {
			if err := l.follow(w); err != nil {
				w.Logger().Error("follow the worker's sockets", "error", err)
			}
		})
		defer w.OnSockets(nil)
	}
	if err := w.Ready(); err != nil {
		l.close()
		srv.Close()
		return err
	}
	select {
	case err := <-l.failed:
		l.close()
		srv.Close()
		return err
	case <-ctx.Done():
	}
	return d.drain(context.Cause(ctx), w, l)
}

// httpDrain knows the connections of a server and how they end.
type httpDrain struct {
	srv      *http.Server
	draining chan struct{} // closed when answers have to say close

	mu    sync.Mutex
	conns map[net.Conn]bool // guarded by mu; whether a handler has seen a request
	all   countdown         // guarded by mu; of conns
	fresh countdown         // guarded by mu; of those among them that no handler has seen
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
	d := &httpDrain{srv: srv, draining: make(chan struct{}), conns: map[net.Conn]bool{}}
	handler, state, connContext := srv.Handler, srv.ConnState, srv.ConnContext
	if handler == nil {
		handler = http.DefaultServeMux
	}
	srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(net.Conn); ok {
			d.seen(c)
		}
		select {
		case <-d.draining:
			w.Header().Set("Connection", "close")
			handler.ServeHTTP(w, r)
		default:
			dw := &drainWriter{ResponseWriter: w, draining: d.draining}
			handler.ServeHTTP(dw, r)
			dw.begin() // where the handler has left the answer to the server
		}
	})
	srv.ConnState = func(c net.Conn, s http.ConnState) {
		d.track(c, s)
		if state != nil {
			state(c, s)
		}
	}
	srv.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if connContext != nil {
			ctx = connContext(ctx, c)
		}
		return context.WithValue(ctx, connKey{}, c)
	}
	return d
}

func (d *httpDrain) track(c net.Conn, s http.ConnState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch s {
	case http.StateNew:
		d.conns[c] = false
		d.all.add(1)
		d.fresh.add(1)
	case http.StateClosed, http.StateHijacked: // who hijacks is responsible
		if seen, ok := d.conns[c]; ok {
			delete(d.conns, c)
			d.all.add(-1)
			if !seen {
				d.fresh.add(-1)
			}
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

// empty returns a channel that is closed when no connection is left.
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

func (d *httpDrain) drain(cause error, w *Worker, l *httpListeners) error {
	close(d.draining)
	var how *Drain
	if !errors.As(cause, &how) {
		how = &Drain{Reason: Stop}
	}
	ctx, cancel := until(how.Deadline)
	defer func() { cancel() }()
	l.empty(how)
	l.close()
	if len(l.explicit) == 0 { // who made others knows about them
		w.Unlisten()
	}
	if how.Reason == Reload || how.Reason == Scale {
		select {
		case <-d.empty():
		case next := <-w.Overtaken(): // idle connections need not wait any more
			cancel()
			ctx, cancel = until(next.Deadline)
		case <-ctx.Done():
			return d.cut()
		}
	}
	return d.finish(ctx)
}

// until is a context that ends in time before a drain's deadline.
func until(deadline time.Time) (context.Context, context.CancelFunc) {
	if deadline.IsZero() {
		return context.WithCancel(context.Background())
	}
	return context.WithDeadline(context.Background(), deadline.Add(-drainMargin))
}

// firstRequest is how long a connection may take to bring the request that it
// was made for, when the server ends.
const firstRequest = 500 * time.Millisecond

// finish closes idle connections and waits for requests. Shutdown would forget
// a request that has arrived and that the server has not read yet, so it has
// to wait for those first.
func (d *httpDrain) finish(ctx context.Context) error {
	wait := time.NewTimer(firstRequest)
	defer wait.Stop()
	select {
	case <-d.greeted():
	case <-wait.C:
	case <-ctx.Done():
	}
	if d.srv.Shutdown(ctx) != nil {
		return d.cut()
	}
	return nil
}

// cut ends what did not end by itself: idle connections are closed in order,
// requests in progress are not finished.
func (d *httpDrain) cut() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainMargin/2)
	defer cancel()
	if d.srv.Shutdown(ctx) != nil {
		d.srv.Close()
	}
	return nil
}

// drainWriter adds the header to an answer that was not begun when the drain was.
type drainWriter struct {
	http.ResponseWriter
	draining <-chan struct{}
	begun    bool
}

func (w *drainWriter) begin() {
	if w.begun {
		return
	}
	w.begun = true
	select {
	case <-w.draining:
		w.Header().Set("Connection", "close")
	default:
	}
}

func (w *drainWriter) WriteHeader(code int) {
	w.begin()
	w.ResponseWriter.WriteHeader(code)
}

func (w *drainWriter) Write(b []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(b)
}

// Flush is for handlers that ask for an http.Flusher.
func (w *drainWriter) Flush() {
	w.begin()
	http.NewResponseController(w.ResponseWriter).Flush()
}

// ReadFrom lets io.Copy use what the server has for files.
func (w *drainWriter) ReadFrom(r io.Reader) (int64, error) {
	w.begin()
	return io.Copy(w.ResponseWriter, r)
}

// Hijack is for handlers that ask for an http.Hijacker.
func (w *drainWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// Unwrap is for http.ResponseController.
func (w *drainWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
