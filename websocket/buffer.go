package websocket

import "sync"

// buffer is memory that a message needs while it lasts. Buffers come from a
// Handler's pool and return to it, so that a connection at rest has none.
type buffer struct{ b []byte }

// bufferPool hands out empty buffers. Any goroutine may use it.
type bufferPool struct{ pool sync.Pool }

// keepBuffer is how large a buffer may be that the pool keeps.
const keepBuffer = 1 << 20

func (p *bufferPool) get() *buffer {
	if b, ok := p.pool.Get().(*buffer); ok {
		return b
	}
	return new(buffer)
}

func (p *bufferPool) put(b *buffer) {
	if cap(b.b) <= keepBuffer {
		b.b = b.b[:0]
		p.pool.Put(b)
	}
}

// promise is up to what announced length memory is reserved at once. What is
// longer has to arrive first: the buffer then doubles as it fills.
const promise = 256 << 10

// add appends p to the buffer, which will hold at least total bytes.
func (b *buffer) add(p []byte, total int64) {
	if need := len(b.b) + len(p); need > cap(b.b) {
		size := max(need, 2*cap(b.b))
		if total <= promise {
			size = max(size, int(total))
		}
		b.b = append(make([]byte, 0, size), b.b...)
	}
	b.b = append(b.b, p...)
}
