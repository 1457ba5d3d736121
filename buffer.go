package jay

import (
	"runtime"

	"github.com/jay-go/jay/internal/poison"
)

// Buffer is where a protocol collects what belongs to one connection and does
// not fit into one call: the body of a request, the pieces of a message, a
// response that is not complete. Its memory, by what it takes and not by what
// is in it, counts against the worker's budget ([Server.MaxBuffered]) until
// Free, and at the latest until the connection has ended and Handler.Close has
// returned. It grows in pieces, so nothing is copied and no memory is left over;
// they are joined when Bytes is called.
//
// The zero Buffer is empty and holds no memory. A Buffer belongs to its
// connection's loop; it must not be copied while it holds memory.
type Buffer struct {
	c          *Conn
	head, tail *chunk
	n          int
}

// Len returns the number of bytes in the buffer.
func (b *Buffer) Len() int { return b.n }

// Cap returns how many bytes of memory the buffer takes.
func (b *Buffer) Cap() (n int) {
	for k := b.head; k != nil; k = k.next {
		n += cap(k.b)
	}
	return n
}

// Bytes returns what is in the buffer, without a copy: it is valid until the
// next call of another method than Len and Cap, and until the connection ends.
func (b *Buffer) Bytes() []byte {
	switch {
	case b.n == 0:
		return nil
	case b.head.next != nil:
		b.join()
	}
	return b.head.b
}

// join makes one piece of all. For as long as that takes, a message may exceed
// the budget: it has been afforded already.
func (b *Buffer) join() {
	one := b.take(b.n)
	for k := b.head; k != nil; {
		next := k.next
		one.b = append(one.b, k.b...)
		b.give(k)
		k = next
	}
	b.head, b.tail = one, one
}

// take gets memory for n bytes and counts it, give is its opposite.
func (b *Buffer) take(n int) *chunk {
	if b.c == nil {
		return &chunk{b: make([]byte, 0, takes(n))}
	}
	k := b.c.worker.pool.get(n)
	b.c.pages += int32(cap(k.b) >> pageBits)
	return k
}

func (b *Buffer) give(k *chunk) {
	k.next = nil
	if c := b.c; c != nil && c.state != stateEnded {
		c.pages -= int32(cap(k.b) >> pageBits)
		c.worker.pool.put(k)
	}
}

// Grow makes sure that there is room for at least one more byte: see Room. total,
// where it is known, is how many bytes there will be in the end. It returns
// ErrClosed when c has ended, and ErrBudget, without taking any memory, when the
// worker's budget is spent and c holds much already; what is in the buffer stays.
// With a nil c, as a test of a parser may have it, nothing is counted.
func (b *Buffer) Grow(c *Conn, total int) error { return b.grow(c, 0, total) }

// grow is Grow where n bytes are about to be added.
func (b *Buffer) grow(c *Conn, n, total int) error {
	if len(b.Room()) > 0 {
		return nil
	}
	size := min(max(b.n, n, smallChunk), largeChunk)
	if total > b.n {
		size = min(size, total-b.n)
	}
	if c != nil && c.state == stateEnded {
		return ErrClosed
	}
	if c != nil {
		if err := c.afford(takes(size)); err != nil {
			return err
		}
	}
	b.c = c
	k := b.take(size)
	if b.tail == nil {
		b.head = k
	} else {
		b.tail.next = k
	}
	b.tail = k
	return nil
}

// Append adds p. With an error, see Grow, nothing was added.
func (b *Buffer) Append(c *Conn, p []byte) error { return b.AppendOf(c, p, 0) }

// AppendOf is Append where the buffer will hold total bytes in the end.
func (b *Buffer) AppendOf(c *Conn, p []byte, total int) error {
	if room := b.Room(); len(p) <= len(room) {
		b.Extend(copy(room, p))
		return nil
	}
	return appendTo(b, c, p, total)
}

// AppendString is Append for a string.
func (b *Buffer) AppendString(c *Conn, s string) error {
	if room := b.Room(); len(s) <= len(room) {
		b.Extend(copy(room, s))
		return nil
	}
	return appendTo(b, c, s, 0)
}

// appendTo is AppendOf for what does not fit into the memory that there is.
func appendTo[T []byte | string](b *Buffer, c *Conn, p T, total int) error {
	before := b.n
	for len(p) > 0 {
		if err := b.grow(c, len(p), total); err != nil {
			b.Truncate(before)
			return err
		}
		n := copy(b.Room(), p)
		b.Extend(n)
		p = p[n:]
	}
	return nil
}

// Room returns the memory behind what is in the buffer, and Extend adds the
// first n bytes of it, which the caller has filled.
func (b *Buffer) Room() []byte {
	if b.tail == nil {
		return nil
	}
	return b.tail.b[len(b.tail.b):cap(b.tail.b)]
}

// Extend: see Room.
func (b *Buffer) Extend(n int) {
	if n > 0 {
		b.tail.b = b.tail.b[:len(b.tail.b)+n]
		b.n += n
	}
}

// Truncate forgets all but the first n bytes. Memory of one piece is kept.
func (b *Buffer) Truncate(n int) {
	b.n = n
	for k := b.head; k != nil; k = k.next {
		if n > len(k.b) {
			n -= len(k.b)
			continue
		}
		poison.Fill(k.b[n:])
		k.b = k.b[:n]
		for over := k.next; over != nil; {
			next := over.next
			b.give(over)
			over = next
		}
		k.next, b.tail = nil, k
	}
}

// Free forgets everything and gives the memory back. The buffer can be used
// again, also for another connection.
func (b *Buffer) Free() {
	if b.head != nil {
		b.free()
	}
}

func (b *Buffer) free() {
	for k := b.head; k != nil; {
		next := k.next
		b.give(k)
		k = next
	}
	*b = Buffer{}
}

// WriteBuffer is WriteWhole for what is in b, which is empty afterwards. What is
// long is not copied.
func (c *Conn) WriteBuffer(b *Buffer) (n int, err error) {
	c.mine()
	if c.layer != nil || b.n < shareFrom || b.c != c || c.has(flagFiles) {
		n, err = c.WriteWhole(b.Bytes())
		if err == nil {
			b.Free()
		}
		return n, err
	}
	if !c.writable() {
		return 0, ErrClosed
	}
	if c.out.size+b.n > c.via.maxOutput {
		return 0, c.overflow(ErrOutputLimit, b.n, false)
	}
	n = b.n
	for k := b.head; k != nil; {
		next := k.next
		k.next = nil
		c.pages -= int32(cap(k.b) >> pageBits)
		c.out.size += len(k.b)
		c.out.link(&c.worker.pool, k)
		k = next
	}
	*b = Buffer{}
	c.queued()
	return n, nil
}

// letGo ends what the connection's Buffers hold of the budget. Those that were
// not freed keep their memory for as long as somebody refers to them.
func (c *Conn) letGo() {
	held := int(c.pages) << pageBits
	c.worker.pool.held -= held
	c.worker.pool.dropped += held
	c.pages = 0
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
	total := c.collected() + n
	if total > modestSize && c.worker.exceeds(n) && total > c.modest() {
		return ErrBudget
	}
	return nil
}

// exceeds reports whether n more bytes exceed the budget. If they do so only for
// what has been given back, that is collected first: nobody is refused for it.
func (w *Worker) exceeds(n int) bool {
	p := &w.pool
	n += p.held + int(w.posted.Load()) + w.others()
	if n+p.dropped > w.maxBuffered && n <= w.maxBuffered && p.dropped >= w.collectFrom() {
		runtime.GC()
		p.collected(p.dropped)
	}
	return n+p.dropped > w.maxBuffered
}

// modestSize is what a connection may hold of input, and of output, however
// spent the worker's budget is.
const modestSize = 64 << 10

// modest returns how much a connection may hold though the budget is spent: its
// part of a further quarter of it, at least modestSize and at most HighWater.
func (c *Conn) modest() int {
	return max(modestSize, min(c.via.highWater, c.worker.maxBuffered/4/max(c.worker.live*len(c.worker.proc.workers), 1)))
}
