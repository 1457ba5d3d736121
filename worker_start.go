package jay

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jay-go/jay/internal/loop"
	"github.com/jay-go/jay/supervise"
)

func (p *process) newWorker(ctx context.Context, i, n int) (*Worker, error) {
	s, h := p.server, p.host
	w := &Worker{
		proc: p, index: i, server: s, host: h, name: s.name(), drained: make(chan struct{}),
		maxConns: s.maxConns(), maxBuffered: s.maxBuffered(),
	}
	w.life, w.die = context.WithCancel(context.WithoutCancel(ctx))
	w.pool.limit = w.maxBuffered / n
	w.conns.next, w.conns.prev = &w.conns, &w.conns
	w.nextID, w.idStep = firstID(h.incarnation)+uint64(i), uint64(n)
	var err error
	w.loop, err = loop.New(loop.Config{Backend: h.backend, TurnEnd: w.turnEnd, Recover: func(err *loop.PanicError) { w.recovered((*PanicError)(err)) }, Logger: h.logger})
	if err != nil {
		return nil, err
	}
	if w.report, err = h.report(supervise.Loop{Stats: w.supervised, Connections: w.connections}); err != nil {
		w.loop.Stop()
		return nil, errors.Join(err, w.loop.Run()) // closes what it has
	}
	w.report.SetLoad(0)
	return w, nil
}

// start is the first thing that runs on the loop. It reports whether the start
// goes on.
func (w *Worker) start() bool {
	w.starting, w.started = true, true
	if on := w.server.OnWorkerStart; on != nil {
		if err := on(w); err != nil {
			w.startFailed(fmt.Errorf("OnWorkerStart: %w", err))
			return false
		}
	}
	w.starting = false
	return true
}

// startListening accepts on the server's addresses, when all loops have started.
// It reports whether the start goes on.
func (w *Worker) startListening() bool {
	if w.drain != nil {
		return true // what was to come is over
	}
	for i, on := range w.host.listening() {
		if err := w.listen(i, on); err != nil {
			w.startFailed(err)
			return false
		}
	}
	w.report.OnSockets(func() { w.relisten(w.host.listening()) })
	return true
}

// listen accepts on the server's address number i.
func (w *Worker) listen(i int, on listening) error {
	e := w.server.endpointAt(i, on.socket.Configured)
	if err := e.check(); err != nil {
		return fmt.Errorf("listen on %s: %w", on.addr, err)
	}
	a, err := w.accept(on, e.origin())
	if err == nil {
		w.acceptors = append(w.acceptors, a)
	}
	return err
}

// accept begins to take the connections of a socket.
func (w *Worker) accept(on listening, from *origin) (*acceptor, error) {
	from.setAddr(on.addr)
	a := &acceptor{worker: w, socket: on.socket, fd: on.sock.FD, from: from}
	tuneListener(on.sock.FD, from)
	var err error
	if a.ln, err = w.loop.Listen(on.sock, a); err != nil {
		return nil, fmt.Errorf("accept on %s: %w", on.addr, err)
	}
	w.listening++
	a.resume()
	return a, nil
}

// relisten accepts on the sockets of on, which are others than before, and
// returns when the loop has let go of those that are not among them. Any
// goroutine may call it.
func (w *Worker) relisten(on []listening) {
	w.await(func() { w.setListening(on) })
}

// await runs fn on the loop and returns when it has, or when the loop has ended.
// Any goroutine but the loop's may call it.
func (w *Worker) await(fn func()) {
	done := make(chan struct{})
	if w.loop.PostAnyway(func() { defer close(done); fn() }) != nil {
		return
	}
	select {
	case <-done:
	case <-w.loop.Done():
	}
}

func (w *Worker) setListening(on []listening) {
	if w.drain != nil {
		return // all are closed
	}
	wanted := func(a *acceptor) bool {
		return slices.ContainsFunc(on, func(l listening) bool { return l.sock.FD == a.fd })
	}
	had := func(l listening) bool {
		return slices.ContainsFunc(w.acceptors, func(a *acceptor) bool { return l.sock.FD == a.fd })
	}
	w.acceptors = slices.DeleteFunc(w.acceptors, func(a *acceptor) bool {
		if wanted(a) {
			return false
		}
		a.ln.Close()
		return true
	})
	for i, l := range on {
		if had(l) {
			continue
		}
		if err := w.listen(i, l); err != nil {
			w.onError(nil, err)
		}
	}
}

func (w *Worker) startFailed(err error) {
	w.starting = false
	w.startErr = err
	w.closeListeners()
	for _, ln := range w.own {
		ln.end()
	}
	w.loop.Stop()
}

// abandon ends a loop whose sibling has failed.
func (w *Worker) abandon() {
	w.closeListeners()
	for _, ln := range w.own {
		ln.end()
	}
	w.stop()
	w.loop.Stop()
}

// stop is the last thing that runs on the loop.
func (w *Worker) stop() {
	defer w.endAllFaults() // OnWorkerStop may panic
	started := w.started
	w.started = false
	if on := w.server.OnWorkerStop; on != nil && started {
		on(w)
	}
}
