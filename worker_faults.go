package jay

// recovered is told by the loop of a callback that did not return.
func (w *Worker) recovered(err *PanicError) {
	c := w.current.Load()
	w.leave()
	w.stats.panics++
	if w.lent != nil { // a handler may have kept a view of it: the garbage collector has it
		w.pool.leave(w.lent)
		w.lent = nil
	}
	if w.starting {
		w.startFailed(err)
		return
	}
	if c == nil {
		w.onError(nil, err)
		return
	}
	w.enter(c)
	c.panicked(err)
	w.leave()
}

func (w *Worker) onError(c *Conn, err error) {
	switch on := w.server.OnError; {
	case on == nil:
	case c == nil:
		on(nil, err)
		return
	default:
		c.Call(func() { on(c, err) })
		return
	}
	if p, ok := err.(*PanicError); ok {
		w.logPanic(c, p)
	} else if c == nil {
		w.host.logger.Error("the server failed", "err", err)
	}
}
