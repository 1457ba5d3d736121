package loop

// AcceptHandler gets the completions of one [Listener].
type AcceptHandler interface {
	// Accepted hands over a new connection, which now belongs to the
	// handler.
	Accepted(s Socket)
	// AcceptFailed reports an error of accepting. The listener goes on;
	// a handler that wants it to rest pauses it.
	AcceptFailed(err error)
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

// Pause stops accepting; connections wait in the kernel's queue.
func (ln *Listener) Pause() {
	if ln.open && ln.on {
		ln.on = false
		ln.loop.be.stopAccept(ln)
	}
}

// Accepting tells whether the listener is neither paused nor closed.
func (ln *Listener) Accepting() bool { return ln.on }

// Close ends the registration.
func (ln *Listener) Close() {
	if ln.open {
		ln.loop.be.closeListener(ln)
		ln.loop.slots.remove(ln.slot)
		ln.open, ln.on = false, false
	}
}
