package jay

// Charge is memory that a protocol holds for one connection elsewhere than in a
// [Buffer], and that counts against the worker's budget as a Buffer's does: the
// table of a request's fields, say. What is less than 4 KiB does not count.
//
// The zero Charge is nothing. It belongs to its connection's loop and must not be
// copied while it counts something.
type Charge struct {
	c    *Conn
	size int
}

// Set makes it n bytes. With an error, as of [Buffer.Grow], it stays as it was.
func (a *Charge) Set(c *Conn, n int) error {
	n &^= smallChunk - 1
	switch more := n - a.size; {
	case more == 0:
		return nil
	case c.state == stateEnded:
		return ErrClosed
	case more > 0:
		if err := c.afford(more); err != nil {
			return err
		}
	}
	a.Free()
	a.c, a.size = c, n
	c.pages += int32(n >> pageBits)
	c.worker.pool.held += n
	return nil
}

// Free makes it nothing.
func (a *Charge) Free() {
	if c := a.c; c != nil && c.state != stateEnded {
		c.pages -= int32(a.size >> pageBits)
		c.worker.pool.held -= a.size
		c.worker.pool.dropped += a.size
	}
	*a = Charge{}
}
