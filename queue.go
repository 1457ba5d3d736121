package jay

import (
	"github.com/jay-go/jay/internal/sys"
)

// chunk is a piece of buffer. Chunks come from the worker's pool and return to
// it as soon as they are empty, so a connection at rest holds none.
type chunk struct {
	next *chunk
	b    []byte // len: filled; cap: smallChunk, largeChunk or other
	off  int    // b[:off] has been sent

	// refs is 0 when b is the pool's. Otherwise b belongs to others as well,
	// nothing is copied into it, and refs is how many queues have the chunk: with
	// more than one it is all that each of them has, and never changes.
	refs int32
}

const (
	smallChunk = 4 << 10
	largeChunk = 64 << 10

	// What the pool keeps of each size when nothing is in use: about 1 MiB
	// and 2 MiB, and half a MiB of chunks for shared bytes, which have none
	// of their own.
	keepSmall  = 256
	keepLarge  = 32
	keepShared = 8 << 10
)

// chunkPool is a free list. It belongs to one loop.
type chunkPool struct {
	small, large   *chunk
	nSmall, nLarge int

	bare  *chunk // without bytes of their own
	nBare int

	common [4]*chunk // those last made by share, to be had by further queues
	oldest int       // of common
}

// get returns an empty chunk with room for n bytes, as far as the sizes go.
func (p *chunkPool) get(n int) *chunk {
	if n <= smallChunk {
		if k := p.small; k != nil {
			p.small, k.next = k.next, nil
			p.nSmall--
			return k
		}
		return &chunk{b: make([]byte, 0, smallChunk)}
	}
	if k := p.large; k != nil {
		p.large, k.next = k.next, nil
		p.nLarge--
		return k
	}
	return &chunk{b: make([]byte, 0, largeChunk)}
}

// share returns a chunk of bytes that are not the pool's, for a queue that has
// nothing else. It may be one that other queues have.
func (p *chunkPool) share(b []byte) *chunk {
	for _, k := range p.common {
		if k != nil && k.off == 0 && k.next == nil && len(k.b) == len(b) && &k.b[0] == &b[0] {
			k.refs++
			return k
		}
	}
	k := p.alone(b)
	p.common[p.oldest] = k
	p.oldest = (p.oldest + 1) % len(p.common)
	return k
}

// alone returns a chunk of bytes that are not the pool's, for one queue.
func (p *chunkPool) alone(b []byte) *chunk {
	k := p.bare
	if k == nil {
		return &chunk{b: b, refs: 1}
	}
	p.bare, k.next = k.next, nil
	p.nBare--
	k.b, k.refs = b, 1
	return k
}

// forget keeps share from finding a chunk that will be used for other bytes.
func (p *chunkPool) forget(k *chunk) {
	for i := range p.common {
		if p.common[i] == k {
			p.common[i] = nil
		}
	}
}

func (p *chunkPool) put(k *chunk) {
	if k.refs > 1 {
		k.refs--
		return
	}
	if k.refs == 1 {
		p.forget(k)
		k.b, k.off = nil, 0
		if p.nBare < keepShared {
			k.next, p.bare = p.bare, k
			p.nBare++
		}
		return
	}
	k.b, k.off = k.b[:0], 0
	switch {
	case cap(k.b) == smallChunk && p.nSmall < keepSmall:
		k.next, p.small = p.small, k
		p.nSmall++
	case cap(k.b) == largeChunk && p.nLarge < keepLarge:
		k.next, p.large = p.large, k
		p.nLarge++
	}
}

// queue is a connection's unsent output, in order.
type queue struct {
	head, tail *chunk
	size       int
}

// free returns the room behind what is queued, making some if there is
// little. Bytes appended to it are queued by push without being copied.
func (q *queue) free(p *chunkPool) []byte {
	const little = 512
	if q.tail == nil || q.tail.refs > 0 || cap(q.tail.b)-len(q.tail.b) < little {
		q.link(p, p.get(smallChunk))
	}
	return q.tail.b[len(q.tail.b):]
}

// push queues a copy of b, or b itself where it was appended to free.
func (q *queue) push(p *chunkPool, b []byte) {
	if len(b) == 0 {
		return
	}
	q.size += len(b)
	if t := q.tail; t != nil && t.refs == 0 && len(t.b) < cap(t.b) {
		room := t.b[len(t.b):cap(t.b)]
		if len(b) <= len(room) && &room[0] == &b[0] {
			t.b = t.b[:len(t.b)+len(b)]
			return
		}
		n := copy(room, b)
		t.b = t.b[:len(t.b)+n]
		b = b[n:]
	}
	for len(b) > 0 {
		k := p.get(len(b))
		n := copy(k.b[:cap(k.b)], b)
		k.b = k.b[:n]
		b = b[n:]
		q.link(p, k)
	}
}

// share queues b itself. When it lies behind the piece of shared bytes that
// was queued last, the two are one piece.
func (q *queue) share(p *chunkPool, b []byte) {
	q.size += len(b)
	t := q.tail
	if t == nil {
		q.head = p.share(b)
		q.tail = q.head
		return
	}
	if t.refs > 0 && cap(t.b)-len(t.b) >= len(b) {
		if both := t.b[:len(t.b)+len(b)]; &both[len(t.b)] == &b[0] {
			if t.refs == 1 {
				t.b = both
				return
			}
			p.put(t)
			q.head = p.share(both)
			q.tail = q.head
			return
		}
	}
	q.link(p, p.alone(b))
}

// own gives the queue a chunk of its own in place of one that others have too.
func (q *queue) own(p *chunkPool) {
	if k := q.head; k != nil && k.refs > 1 {
		p.put(k)
		q.head = p.alone(k.b)
		q.tail = q.head
	}
}

func (q *queue) link(p *chunkPool, k *chunk) {
	q.own(p)
	if q.tail == nil {
		q.head = k
	} else {
		q.tail.next = k
	}
	q.tail = k
}

// gather appends the queued pieces to bufs, as many as one call can send.
func (q *queue) gather(bufs [][]byte) [][]byte {
	for k := q.head; k != nil && len(bufs) < sys.MaxIovecs; k = k.next {
		if b := k.b[k.off:]; len(b) > 0 {
			bufs = append(bufs, b)
		}
	}
	return bufs
}

// advance forgets n bytes that were sent.
func (q *queue) advance(p *chunkPool, n int) {
	q.size -= n
	for k := q.head; k != nil; k = q.head {
		if rest := len(k.b) - k.off; n < rest {
			if n > 0 {
				q.own(p)
				q.head.off += n
			}
			return
		} else {
			n -= rest
		}
		q.head = k.next
		k.next = nil
		p.put(k)
	}
	q.tail = nil
}

// drop forgets everything. With keep the chunks go back to the pool; without,
// somebody may still read them and the garbage collector has them.
func (q *queue) drop(p *chunkPool, keep bool) {
	for k := q.head; keep && k != nil; {
		next := k.next
		k.next = nil
		p.put(k)
		k = next
	}
	*q = queue{}
}
