package supervise

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// httpListeners are the listeners that a server accepts from. In a worker that
// serves all its sockets they follow the set of sockets.
type httpListeners struct {
	srv    *http.Server
	failed chan error // the first listener that failed by itself
	wg     sync.WaitGroup

	mu       sync.Mutex
	open     map[*handle]net.Listener // guarded by mu; of sockets of the worker
	explicit []net.Listener           // those that the caller gave
	closed   bool                     // guarded by mu
}

func newHTTPListeners(srv *http.Server) *httpListeners {
	return &httpListeners{srv: srv, failed: make(chan error, 1), open: map[*handle]net.Listener{}}
}

// accept serves a listener until it is closed.
func (l *httpListeners) accept(ln net.Listener, wanted func() bool) {
	l.wg.Go(func() {
		err := l.srv.Serve(ln)
		if !wanted() || errors.Is(err, syscall.EINVAL) { // it ends, and its queue is empty
			return
		}
		l.fail(fmt.Errorf("serve %s: %w", ln.Addr(), err))
	})
}

// fail ends the server, unless something else has.
func (l *httpListeners) fail(err error) {
	select {
	case l.failed <- err:
	default:
	}
}

// give serves the caller's listeners.
func (l *httpListeners) give(list []net.Listener) {
	l.explicit = list
	for _, ln := range list {
		l.accept(ln, func() bool {
			l.mu.Lock()
			defer l.mu.Unlock()
			return !l.closed
		})
	}
}

// follow makes the listeners those of the worker's stream sockets.
func (l *httpListeners) follow(w *Worker) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	present := map[*handle]bool{}
	for _, s := range w.Sockets() {
		present[s.h] = true
		if s.datagram() || l.open[s.h] != nil {
			continue
		}
		ln, err := s.Listener()
		if err != nil {
			return fmt.Errorf("listen on %s: %w", s.Addr, err)
		}
		l.open[s.h] = ln
		h := s.h
		l.accept(ln, func() bool {
			l.mu.Lock()
			defer l.mu.Unlock()
			return !l.closed && l.open[h] == ln
		})
	}
	for h, ln := range l.open {
		if !present[h] {
			delete(l.open, h)
			ln.Close()
		}
	}
	if len(l.open) == 0 {
		return fmt.Errorf("program %s has no stream address to serve; name one in Listen", w.Name())
	}
	return nil
}

// empty waits until nobody is in the queues of those sockets that end with the
// drain, but not for long.
func (l *httpListeners) empty(d *Drain) {
	l.mu.Lock()
	var ending []*handle
	for h := range l.open {
		if d.Ends(Socket{h: h}) {
			ending = append(ending, h)
		}
	}
	l.mu.Unlock()
	awaitQueues(d, ending, time.After(settleFor(d)))
}

// close stops accepting. When it returns, what was accepted is known to the
// server.
func (l *httpListeners) close() {
	l.mu.Lock()
	l.closed = true
	for _, ln := range l.open {
		ln.Close()
	}
	l.mu.Unlock()
	for _, ln := range l.explicit {
		ln.Close()
	}
	l.wg.Wait()
}
