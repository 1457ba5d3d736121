//go:build jaylate

package loop

// lateListener stands between a listener and the backend below, as lateStream
// does for a stream.
type lateListener struct {
	Listener
	b     *lateBackend
	outer *Listener
	came  []lateAccepted // and was not handed over
	over  bool           // nothing more comes
}

// lateAccepted is a connection, or an error, behind which nothing more is accepted
// until the owner knows of it.
type lateAccepted struct {
	sock Socket
	err  error
}

// lateListenerOf returns nil for a listener of the backend below.
func lateListenerOf(ln *Listener) *lateListener {
	ll, _ := ln.impl.(*lateListener)
	return ll
}

func (b *lateBackend) addListener(ln *Listener, sock ListenSocket) error {
	ll := &lateListener{b: b, outer: ln, Listener: Listener{loop: b.l, fd: sock.FD, open: true}}
	ll.h = ll
	ll.slot, ll.gen = b.l.slots.add(&ll.Listener)
	if err := b.backend.addListener(&ll.Listener, sock); err != nil {
		b.l.slots.remove(ll.slot)
		return err
	}
	ln.impl = ll
	b.queues[ll] = true
	return nil
}

func (ll *lateListener) later(run func()) { ll.b.later(ll.outer.slot, ll.outer.gen, run) }

func (b *lateBackend) startAccept(ln *Listener) {
	if ll := lateListenerOf(ln); ll != nil {
		ll.Resume()
		return
	}
	b.backend.startAccept(ln)
}

func (b *lateBackend) stopAccept(ln *Listener) {
	ll := lateListenerOf(ln)
	if ll == nil {
		b.backend.stopAccept(ln)
		return
	}
	ll.later(func() {
		if !ln.on {
			ll.Pause()
		}
	})
}

func (ll *lateListener) Accepted(s Socket) {
	ll.came = append(ll.came, lateAccepted{sock: s})
	ll.later(ll.handOver)
}

func (ll *lateListener) AcceptFailed(err error) {
	ll.Pause()
	ll.came = append(ll.came, lateAccepted{err: err})
	ll.later(ll.handOver)
}

func (ll *lateListener) handOver() {
	a := ll.came[0]
	ll.came = ll.came[1:]
	defer ll.end()
	if a.err == nil {
		ll.outer.h.Accepted(a.sock)
		return
	}
	defer func() {
		if ll.outer.on {
			ll.Resume()
		}
	}()
	ll.outer.h.AcceptFailed(a.err)
}

// Closed is the backend's below.
func (ll *lateListener) Closed() {
	ll.over = true
	ll.later(ll.end)
}

// end closes the outer listener behind what it has handed over.
func (ll *lateListener) end() {
	if ll.over && len(ll.came) == 0 && ll.b.queues[ll] {
		delete(ll.b.queues, ll)
		ll.outer.closed()
	}
}

func (ll *lateListener) drop() {
	for _, a := range ll.came {
		if a.sock.Conn != nil {
			_ = a.sock.Conn.Close()
		} else if c, err := connOf(a.sock.FD); a.err == nil && err == nil {
			_ = c.Close()
		}
	}
}

func (b *lateBackend) accepting(ln *Listener) bool {
	if ll := lateListenerOf(ln); ll != nil {
		return len(ll.came) > 0 || ll.Pending()
	}
	return b.backend.accepting(ln)
}

func (b *lateBackend) closeListener(ln *Listener, on bool) {
	if ll := lateListenerOf(ln); ll != nil {
		ll.Close()
		return
	}
	b.backend.closeListener(ln, on)
}
