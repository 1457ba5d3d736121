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
// It sets srv.Handler and srv.ConnState, calling what was there, and, without
// listeners, w.OnSockets.
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
	return d.drain(context.Cause(ctx), w.Overtaken(), l)
}

// httpDrain knows the connections of a server and how they end.
type httpDrain struct {
	srv      *http.Server
	draining chan struct{} // closed when answers have to say close

	mu    sync.Mutex
	conns map[net.Conn]struct{} // guarded by mu
	none  chan struct{}         // guarded by mu; when set, closed at the last connection's end
}

func newHTTPDrain(srv *http.Server) *httpDrain {
	d := &httpDrain{srv: srv, draining: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	handler, state := srv.Handler, srv.ConnState
	if handler == nil {
		handler = http.DefaultServeMux
	}
	srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
	return d
}

func (d *httpDrain) track(c net.Conn, s http.ConnState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch s {
	case http.StateNew:
		d.conns[c] = struct{}{}
	case http.StateClosed, http.StateHijacked: // who hijacks is responsible
		delete(d.conns, c)
		if len(d.conns) == 0 && d.none != nil {
			close(d.none)
			d.none = nil
		}
	}
}

// empty returns a channel that is closed when no connection is left.
func (d *httpDrain) empty() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	none := make(chan struct{})
	if len(d.conns) == 0 {
		close(none)
	} else {
		d.none = none
	}
	return none
}

func (d *httpDrain) drain(cause error, overtaken <-chan *Drain, l *httpListeners) error {
	close(d.draining)
	var how *Drain
	if !errors.As(cause, &how) {
		how = &Drain{Reason: Stop}
	}
	ctx, cancel := context.Background(), func() {}
	if !how.Deadline.IsZero() {
		ctx, cancel = context.WithDeadline(ctx, how.Deadline.Add(-drainMargin))
	}
	defer cancel()
	l.close()
	if how.Reason == Reload || how.Reason == Scale {
		select {
		case <-d.empty():
		case <-overtaken: // idle connections need not wait any more
		case <-ctx.Done():
			return d.cut()
		}
	}
	if err := d.srv.Shutdown(ctx); err != nil {
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
