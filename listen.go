package jay

import (
	"fmt"
	"net"
	"slices"

	"github.com/jay-go/jay/supervise"
)

// Listener is an address that one worker listens on by itself. Its methods
// belong to the worker's loop.
type Listener struct {
	worker *Worker
	socket supervise.Socket
	a      *acceptor
	addr   net.Addr
}

// Listen accepts connections at a further endpoint, in this worker alone, until
// [Listener.Close] or the worker's drain. What e leaves open is the server's.
//
// Other than the server's addresses, which the master keeps, the socket lives
// and dies with the worker. Where the platform has SO_REUSEPORT the worker's
// siblings, and its successor in a reload, can listen on the same TCP address;
// a Unix socket is one worker's.
func (w *Worker) Listen(e Endpoint) (*Listener, error) {
	if w.drain != nil {
		return nil, fmt.Errorf("listen %s: %w", e.Addr, ErrStopped)
	}
	if _, err := streamAddr("listen", e.Addr); err != nil {
		return nil, err
	}
	e = w.server.complete(e)
	if err := e.check(); err != nil {
		return nil, fmt.Errorf("listen %s: %w", e.Addr, err)
	}
	socket, err := supervise.ListenReusePort(e.Addr, w.server.Backlog)
	if err != nil {
		return nil, err
	}
	on := listeningOn([]supervise.Socket{socket})[0]
	a, err := w.accept(on, e.origin())
	if err != nil {
		_ = socket.Close() // the other error is the telling one
		return nil, err
	}
	ln := &Listener{worker: w, socket: socket, a: a, addr: on.addr}
	w.own = append(w.own, ln)
	return ln, nil
}

// Addr returns the address as bound.
func (ln *Listener) Addr() net.Addr { return ln.addr }

// Close stops listening. Connections that wait in the accept queue are still
// accepted; those that are open go on. A second call does nothing.
func (ln *Listener) Close() {
	w := ln.worker
	i := slices.Index(w.own, ln)
	if i < 0 {
		return
	}
	w.own = slices.Delete(w.own, i, i+1)
	ln.a.peeking = true // the share rule does not hold
	ln.a.ln.Resume()
	ln.lastLook(ln.a.taken, lastTurns)
}

// lastTurns bounds how long a queue that never is empty keeps a socket open.
const lastTurns = 100

// lastLook closes the socket when a turn has accepted nothing from it.
func (ln *Listener) lastLook(before, turns int) {
	ln.worker.loop.AfterFunc(0, func() {
		if now := ln.a.taken; (now != before || ln.a.ln.Pending()) && turns > 0 {
			ln.lastLook(now, turns-1)
			return
		}
		ln.end()
	})
}

func (ln *Listener) end() {
	ln.a.ln.Close()
	if err := ln.socket.Close(); err != nil {
		ln.worker.onError(nil, fmt.Errorf("close %s: %w", ln.addr, err))
	}
}

// PauseAccept stops accepting on every address of the worker: connections go
// to its siblings, or wait, until ResumeAccept.
func (w *Worker) PauseAccept() {
	w.resting = true
	w.eachAcceptor(func(a *acceptor) { a.ln.Pause() })
}

// ResumeAccept ends PauseAccept.
func (w *Worker) ResumeAccept() {
	w.resting = false
	w.eachAcceptor(func(a *acceptor) { a.ln.Resume() })
}

func (w *Worker) eachAcceptor(do func(a *acceptor)) {
	for _, a := range w.acceptors {
		do(a)
	}
	for _, ln := range w.own {
		do(ln.a)
	}
}
