package jay

// Ref is a connection in the hands of other goroutines. It is a small value,
// comparable and safe to keep: once the connection has closed, its methods
// return ErrClosed. Calls of one goroutine take effect in their order. The
// zero Ref is of a closed connection.
type Ref struct{ c *Conn }

// ID returns the connection's id, 0 for the zero Ref.
func (r Ref) ID() uint64 {
	if r.c == nil {
		return 0
	}
	return r.c.id
}

// Closed reports whether the connection has closed.
func (r Ref) Closed() bool { return r.c == nil || r.c.gone.Load() }

// Do runs fn on the connection's loop, soon. It returns ErrClosed, and fn is
// never called, when the connection has closed; if it closes before fn's turn
// comes, fn is not called either.
func (r Ref) Do(fn func(c *Conn)) error {
	if r.Closed() {
		return ErrClosed
	}
	c := r.c
	if !c.worker.loop.Post(func() { c.do(fn) }) {
		return ErrClosed
	}
	return nil
}

// Send writes a copy of p; see [Conn.Write] for what becomes of it. It returns
// ErrOutputLimit, and nothing is written, when more than Server.MaxOutput would
// wait for the loop to take it: the loop is busy, or the senders are too many.
func (r Ref) Send(p []byte) error {
	if r.Closed() {
		return ErrClosed
	}
	if !r.c.reserve(len(p)) {
		r.c.worker.stats.refusedSends.Add(1)
		return ErrOutputLimit
	}
	p = append([]byte(nil), p...)
	return r.Do(func(c *Conn) {
		c.posted.Add(-int32(len(p)))
		_, _ = c.Write(p)
	})
}

// reserve counts n bytes that will wait for the loop, if that is not too many.
// Any goroutine may call it.
func (c *Conn) reserve(n int) bool {
	for {
		had := c.posted.Load()
		if n > min(c.worker.maxOutput, 1<<30)-int(had) {
			return false
		}
		if c.posted.CompareAndSwap(had, had+int32(n)) {
			return true
		}
	}
}

// Close closes the connection as [Conn.Close] does.
func (r Ref) Close() error { return r.Do((*Conn).Close) }

// Abort closes the connection as [Conn.Abort] does.
func (r Ref) Abort() error { return r.Do((*Conn).Abort) }

func (c *Conn) do(fn func(*Conn)) {
	if c.gone.Load() {
		return
	}
	c.worker.enter(c)
	fn(c)
	c.worker.leave()
}
