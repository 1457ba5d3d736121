package jay

import (
	"github.com/jay-go/jay/internal/sys"
)

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
		k := p.get(min(len(b), largeChunk))
		n := copy(k.b[:cap(k.b)], b)
		k.b = k.b[:n]
		b = b[n:]
		q.link(p, k)
	}
}

// shareFrom is from what size on shared bytes are queued behind others that
// they do not follow in memory. Smaller ones are copied: they may be a small part
// of what they keep from being freed.
const shareFrom = 16 << 10

// share queues b itself. When it lies behind the piece of shared bytes that
// was queued last, the two are one piece.
func (q *queue) share(p *chunkPool, b []byte) {
	t := q.tail
	if t == nil {
		q.size += len(b)
		q.head = p.share(b)
		q.tail = q.head
		return
	}
	if t.refs > 0 && cap(t.b)-len(t.b) >= len(b) {
		if both := t.b[:len(t.b)+len(b)]; &both[len(t.b)] == &b[0] {
			q.size += len(b)
			if t.refs == 1 {
				t.b = both
				p.held += len(b)
				return
			}
			p.put(t)
			q.head = p.share(both)
			q.tail = q.head
			return
		}
	}
	if len(b) < shareFrom {
		q.push(p, b)
		return
	}
	q.size += len(b)
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

// drop forgets everything.
func (q *queue) drop(p *chunkPool) {
	for k := q.head; k != nil; {
		next := k.next
		k.next = nil
		p.put(k)
		k = next
	}
	*q = queue{}
}
