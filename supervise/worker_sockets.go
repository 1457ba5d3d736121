package supervise

// OnSockets sets a function that is called, on a goroutine of its own, when
// the set of Sockets has changed: a worker of a ReusePort program gets the
// socket of a slot that was scaled away, and may have to give it back. Those
// that were taken away are closed when it returns: it must have taken them out
// of every epoll by then, for a registration outlives the descriptor. It
// is called at once where the set has changed before. A worker whose program sets
// none is replaced when its set changes.
func (w *Worker) OnSockets(fn func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.onSockets = fn
	if w.missed && fn != nil {
		w.missed = false
		go follow(fn, w.taken)
		w.taken = nil
	}
}

// follow has a program follow a change of its sockets, and closes those that it
// has lost.
func follow(changed func(), lost []Socket) {
	changed()
	for _, s := range lost {
		_ = s.Close() // it may have been closed by Unlisten
	}
}

// notFollowing is why a worker without OnSockets has to leave.
const notFollowing = "its sockets have changed, and its program does not follow them"
