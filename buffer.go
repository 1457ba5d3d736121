package jay

import "github.com/jay-go/jay/internal/poison"

// Buffer is where a protocol collects what belongs to one connection and does
// not fit into one call: the body of a request, the pieces of a message, a
// response that is not complete. Its memory, by what it takes and not by what
// is in it, counts against the worker's budget ([Server.MaxBuffered]) until
// Free, and at the latest until the connection has ended and Handler.Close has
// returned.
//
// The zero Buffer is empty and holds no memory. A Buffer belongs to its
// connection's loop; it must not be copied while it holds memory.
type Buffer struct {
	c *Conn
	k *chunk // nil: no memory
}

// Len returns the number of bytes in the buffer.
func (b *Buffer) Len() int {
	if b.k == nil {
		return 0
	}
	return len(b.k.b)
}

// Cap returns how many bytes the buffer has memory for.
func (b *Buffer) Cap() int {
	if b.k == nil {
		return 0
	}
	return cap(b.k.b)
}

// Bytes returns what is in the buffer, without a copy: it is valid until the
// next call of Grow, Append, Reset or Free, and until the connection ends.
func (b *Buffer) Bytes() []byte {
	if b.k == nil {
		return nil
	}
	return b.k.b
}

// Grow makes room for n more bytes. total, where it is known, is how many there
// will be in the end: no more memory is taken than that needs. It returns
// ErrClosed when c has ended, and ErrBudget, without taking any memory, when the
// worker's budget is spent and c holds much already; what is in the buffer stays.
func (b *Buffer) Grow(c *Conn, n, total int) error {
	if b.Cap()-b.Len() >= n && b.k != nil {
		return nil
	}
	if c.has(flagEnded) {
		return ErrClosed
	}
	size := nextSize(b.Cap(), b.Len()+n, total)
	if err := c.afford(size); err != nil {
		return err
	}
	had := b.Cap()
	b.k, b.c = c.worker.pool.grown(b.k, size), c
	c.hold(cap(b.k.b) - had)
	return nil
}

// Append adds p; see Grow for the errors, after which nothing was added.
func (b *Buffer) Append(c *Conn, p []byte) error { return b.AppendOf(c, p, 0) }

// AppendOf is Append where the buffer will hold total bytes in the end.
func (b *Buffer) AppendOf(c *Conn, p []byte, total int) error {
	if len(p) == 0 {
		return nil
	}
	if err := b.Grow(c, len(p), total); err != nil {
		return err
	}
	b.k.b = append(b.k.b, p...)
	return nil
}

// AppendString is Append for a string.
func (b *Buffer) AppendString(c *Conn, s string) error {
	if len(s) == 0 {
		return nil
	}
	if err := b.Grow(c, len(s), 0); err != nil {
		return err
	}
	b.k.b = append(b.k.b, s...)
	return nil
}

// Room returns the memory behind what is in the buffer, and Extend adds the
// first n bytes of it, which the caller has filled.
func (b *Buffer) Room() []byte {
	if b.k == nil {
		return nil
	}
	return b.k.b[len(b.k.b):cap(b.k.b)]
}

// Extend: see Room.
func (b *Buffer) Extend(n int) {
	if n > 0 {
		b.k.b = b.k.b[:len(b.k.b)+n]
	}
}

// Truncate forgets all but the first n bytes and keeps the memory.
func (b *Buffer) Truncate(n int) {
	if b.k != nil {
		poison.Fill(b.k.b[n:])
		b.k.b = b.k.b[:n]
	}
}

// Free forgets everything and gives the memory back. The buffer can be used
// again, also for another connection.
func (b *Buffer) Free() {
	if b.k == nil {
		return
	}
	c := b.c
	if !c.has(flagEnded) {
		c.hold(-cap(b.k.b))
		c.worker.pool.put(b.k)
	}
	b.k, b.c = nil, nil
}

// hold counts n more bytes of the connection's Buffers.
func (c *Conn) hold(n int) { c.pages += int32(n >> pageBits) }

// letGo ends what the connection's Buffers hold of the budget. Those that were
// not freed keep their memory for as long as somebody refers to them.
func (c *Conn) letGo() {
	c.worker.pool.held -= int(c.pages) << pageBits
	c.pages = 0
	c.flags |= flagEnded
}

// collected is the memory of what the connection has received and its protocol
// keeps.
func (c *Conn) collected() int {
	n := int(c.pages) << pageBits
	if c.in != nil {
		n += cap(c.in.b)
	}
	return n
}

// afford returns ErrBudget when n more bytes of memory exceed the worker's
// budget and c holds much already, or would.
func (c *Conn) afford(n int) error {
	if c.worker.exceeds(n) && c.collected()+n > c.worker.modest() {
		return ErrBudget
	}
	return nil
}

// exceeds reports whether n more bytes exceed the budget.
func (w *Worker) exceeds(n int) bool {
	return w.pool.held+int(w.posted.Load())+n > w.maxBuffered
}

// modestSize is what a connection may hold of input, and of output, however
// spent the worker's budget is.
const modestSize = 64 << 10

// modest returns how much a connection may hold though the budget is spent: its
// part of a further quarter of it, at least modestSize and at most HighWater.
func (w *Worker) modest() int {
	return max(modestSize, min(w.highWater, w.maxBuffered/4/max(w.live, 1)))
}
