package supervise

import (
	"context"
	"errors"
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
// When the worker has to drain, the functions of srv.RegisterOnShutdown are
// called. While it is a reload or a scale that drains it, new connections are
// left to the other workers, every response carries "Connection: close" (over
// HTTP/2 it brings GOAWAY), and idle connections stay open until the deadline,
// so that no client finds the door closed when it sends. When the whole service
// stops, idle connections are closed at once and requests are finished.
// Connections that a handler has hijacked, as those of WebSocket, live until
// they are closed or the deadline has come. DrainHTTP returns as soon as no
// connection is left.
//
// The worker's figures have its connections, hijacked ones too, its requests
// and its panics, so MaxRequests acts.
//
// What serves is a server with srv's fields: calls of srv's methods do not
// reach it, apart from RegisterOnShutdown and Shutdown, which ends it.
func DrainHTTP(ctx context.Context, w *Worker, srv *http.Server, listeners ...net.Listener) error {
	d := newHTTPDrain(srv)
	report, err := w.Report(Loop{Stats: d.stats})
	if err != nil {
		return err
	}
	defer report.End()
	l := newHTTPListeners(d.server)
	srv.RegisterOnShutdown(func() { l.fail(http.ErrServerClosed) })
	if len(listeners) > 0 {
		l.give(listeners)
	} else if err := l.follow(w); err != nil {
		l.close()
		return err
	} else {
		report.OnSockets(func() {
			if err := l.follow(w); err != nil {
				w.Logger().Error("follow the worker's sockets", "error", err)
			}
		})
	}
	if err := w.Ready(); err != nil {
		l.close()
		d.server.Close()
		return err
	}
	select {
	case err := <-l.failed:
		l.close()
		d.server.Close()
		return err
	case <-ctx.Done():
	}
	d.drain(context.Cause(ctx), report, l)
	return nil
}

// serverLike is another server with the same fields. The one that a program
// made is told of the drain when it begins, so that its functions for that are
// called: it would close idle connections, if it had any.
func serverLike(srv *http.Server) *http.Server {
	return &http.Server{
		Addr: srv.Addr, Handler: srv.Handler, DisableGeneralOptionsHandler: srv.DisableGeneralOptionsHandler, TLSConfig: srv.TLSConfig,
		ReadTimeout: srv.ReadTimeout, ReadHeaderTimeout: srv.ReadHeaderTimeout, WriteTimeout: srv.WriteTimeout, IdleTimeout: srv.IdleTimeout,
		MaxHeaderBytes: srv.MaxHeaderBytes, TLSNextProto: srv.TLSNextProto, ConnState: srv.ConnState, ErrorLog: srv.ErrorLog,
		BaseContext: srv.BaseContext, ConnContext: srv.ConnContext, HTTP2: srv.HTTP2, Protocols: srv.Protocols,
	}
}

// drain ends the server.
func (d *httpDrain) drain(cause error, r *Report, l *httpListeners) {
	close(d.draining)
	var how *Drain
	if !errors.As(cause, &how) {
		how = &Drain{Reason: DrainStop}
	}
	l.empty(how)
	l.close()
	if len(l.explicit) == 0 { // who made others knows about them
		r.Unlisten()
	}
	_ = d.told.Shutdown(context.Background()) // it has no connections: this calls its functions
	k := newDrainClock(how, r.Overtaken())
	defer k.stop()
	if d.left(k.ctx, k.urgent) || k.ctx.Err() != nil {
		d.cut()
		return
	}
	d.finish(k.ctx)
}

// finish closes idle connections and waits for requests and for hijacked
// connections.
func (d *httpDrain) finish(ctx context.Context) {
	d.greet(ctx)
	if d.server.Shutdown(ctx) == nil {
		d.left(ctx, nil)
	}
	d.cut()
}

// firstRequest is how long a connection may take to bring the request that it
// was made for, when the server ends.
const firstRequest = 500 * time.Millisecond

// greet waits for requests that have arrived and that the server has not read
// yet: Shutdown would forget them.
func (d *httpDrain) greet(ctx context.Context) {
	wait := time.NewTimer(firstRequest)
	defer wait.Stop()
	select {
	case <-d.greeted():
	case <-wait.C:
	case <-ctx.Done():
	}
}

// cut ends what did not end by itself: idle connections are closed in order,
// requests in progress are not finished.
func (d *httpDrain) cut() {
	ctx, cancel := context.WithTimeout(context.Background(), drainMargin/2)
	defer cancel()
	if d.server.Shutdown(ctx) != nil {
		d.server.Close()
	}
	d.closeHijacked()
}

// drainClock is how long a drain may take, which an overtaking one changes.
type drainClock struct {
	ctx    context.Context // ends in time before the deadline
	urgent chan struct{}   // closed when idle connections are no reason to wait

	cancel  context.CancelFunc
	follows sync.WaitGroup
}

func newDrainClock(d *Drain, overtaken <-chan *Drain) *drainClock {
	k := &drainClock{urgent: make(chan struct{})}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	k.follows.Go(func() { k.follow(d, overtaken) })
	return k
}

func (k *drainClock) stop() {
	k.cancel()
	k.follows.Wait()
}

func (k *drainClock) follow(d *Drain, overtaken <-chan *Drain) {
	urge := sync.OnceFunc(func() { close(k.urgent) })
	for {
		if d.Reason != DrainReload && d.Reason != DrainScale {
			urge()
		}
		var end <-chan time.Time
		if !d.Deadline.IsZero() {
			end = time.After(time.Until(d.Deadline) - drainMargin)
		}
		select {
		case d = <-overtaken:
		case <-end:
			k.cancel()
			return
		case <-k.ctx.Done():
			return
		}
	}
}
