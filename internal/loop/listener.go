package loop

// AcceptHandler gets the completions of one [Listener].
type AcceptHandler interface {
	// Accepted hands over a new connection, which now belongs to the
	// handler. Any number that are under way may follow Pause and Close.
	Accepted(s Socket)
	// AcceptFailed reports an error of accepting. The listener goes on when
	// it returns; a handler that wants it to rest pauses it.
	AcceptFailed(err error)
	// Closed says, once and last, that after Close nothing more comes. It may be
	// called inside Close, and is not when the loop ends.
	Closed()
}

// Listener is the loop's side of one listening socket.
type Listener struct {
	loop *Loop
	h    AcceptHandler
	impl any
	slot uint32
	gen  uint32
	fd   int
	on   bool // accepting is wanted
	open bool
}

// Listen registers a listening socket, paused. The loop never closes the
// socket itself: it belongs to whoever opened it.
func (l *Loop) Listen(sock ListenSocket, h AcceptHandler) (*Listener, error) {
	ln := &Listener{loop: l, h: h, fd: sock.FD, open: true}
	ln.slot, ln.gen = l.slots.add(ln)
	if err := l.be.addListener(ln, sock); err != nil {
		l.slots.remove(ln.slot)
		return nil, err
	}
	return ln, nil
}

// Resume starts or goes on accepting.
func (ln *Listener) Resume() {
	if ln.open && !ln.on {
		ln.on = true
		ln.loop.be.startAccept(ln)
	}
}

// Pause stops accepting, behind what is under way; connections wait in the
// kernel's queue.
func (ln *Listener) Pause() {
	if ln.open && ln.on {
		ln.on = false
		ln.loop.be.stopAccept(ln)
	}
}

// Accepting tells whether the listener is neither paused nor closed.
func (ln *Listener) Accepting() bool { return ln.on }

// Pending tells whether connections are under way: taken from the kernel's queue,
// and not handed over.
func (ln *Listener) Pending() bool { return ln.loop.be.accepting(ln) }

// Close stops accepting for good. What is under way is handed over, then Closed
// is called.
func (ln *Listener) Close() {
	if ln.open {
		was := ln.on
		ln.open, ln.on = false, false
		ln.loop.be.closeListener(ln, was)
	}
}

// closed ends the registration: the backend has nothing under way any more.
func (ln *Listener) closed() {
	ln.loop.slots.remove(ln.slot)
	if !ln.loop.ended {
		ln.h.Closed()
	}
}
