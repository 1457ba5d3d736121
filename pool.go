package jay

import (
	"math/bits"

	"github.com/jay-go/jay/internal/poison"
)

// chunk is a piece of buffer. Chunks come from the worker's pool and return to
// it as soon as they are empty, so a connection at rest holds none.
type chunk struct {
	next *chunk
	b    []byte // len: filled; cap: one of the pool's sizes, or other
	off  int    // b[:off] has been used or sent

	// refs is 0 when b is the pool's. Otherwise b belongs to others as well,
	// nothing is copied into it, and refs is how many queues have the chunk: with
	// more than one it is all that each of them has, and never changes.
	refs int32
}

const (
	smallChunk = 4 << 10
	largeChunk = 64 << 10 // the largest of a queue
	pageBits   = 12       // all memory comes in multiples of 4 KiB
	sizes      = 9        // that chunks come in: 4 KiB, doubling to 1 MiB

	// keepShared is how many chunks the pool keeps for shared bytes: half a MiB
	// of them, which have no bytes of their own.
	keepShared = 8 << 10
)

// keepChunks is how many chunks of each size the pool keeps in the end when
// nothing is in use: about 6 MiB.
var keepChunks = [sizes]int{256, 16, 16, 8, 32, 4, 2, 1, 1}

// chunkPool is a free list of memory. It belongs to one loop.
type chunkPool struct {
	free  [sizes]*chunk
	nFree [sizes]int
	idle  int // bytes of the free ones

	// limit is how much may be held and idle together, but for keepChunks: what
	// one connection has given back another needs, in a flood, before it would be
	// collected.
	limit int

	// held is the memory that is in use: what the budget is spent on. It counts
	// what chunks take, not what is in them; bytes that several queues have in
	// one chunk count once.
	held int

	// dropped is the memory that was given back and not kept, until it has been
	// collected; collecting is what of that a collection which is under way finds.
	dropped, collecting int

	bare  *chunk // without bytes of their own
	nBare int

	common [4]*chunk // those last made by share, to be had by further queues
	oldest int       // of common
}

// sizeOf returns which size of chunk holds n bytes; from sizes on it is none.
func sizeOf(n int) int { return max(bits.Len(uint(n-1))-pageBits, 0) }

// takes returns how much memory a chunk for n bytes takes.
func takes(n int) int {
	if s := sizeOf(n); n <= 0 || s < sizes {
		return smallChunk << s
	}
	return (n + largeChunk - 1) &^ (largeChunk - 1)
}

// collected notes that n bytes that were dropped are gone.
func (p *chunkPool) collected(n int) {
	p.dropped -= n
	p.collecting = 0
}

// spent is the memory that the process takes for what is held, or was.
func (p *chunkPool) spent() int { return p.held + p.dropped }

// get returns an empty chunk with room for n bytes.
func (p *chunkPool) get(n int) *chunk {
	size := takes(n)
	p.held += size
	if s := sizeOf(size); s < sizes && p.free[s] != nil {
		return p.pop(s)
	}
	for s := sizes - 1; s >= 0 && p.spent()+p.idle > p.limit; s-- {
		p.drop(s, p.nFree[s]-keepChunks[s])
	}
	return &chunk{b: make([]byte, 0, size)}
}

func (p *chunkPool) pop(s int) *chunk {
	k := p.free[s]
	p.free[s], k.next = k.next, nil
	p.nFree[s]--
	p.idle -= cap(k.b)
	return k
}

// drop forgets n free chunks of a size.
func (p *chunkPool) drop(s, n int) {
	for ; n > 0; n-- {
		p.dropped += cap(p.pop(s).b)
	}
}

// trim drops a half of the free chunks that are more than keepChunks, and
// reports whether some of those are left.
func (p *chunkPool) trim() (more bool) {
	for s := range sizes {
		over := p.nFree[s] - keepChunks[s]
		p.drop(s, (over+1)/2)
		more = more || over > 1
	}
	return more
}

// excess reports whether there is something to trim.
func (p *chunkPool) excess() bool {
	for s := range sizes {
		if p.nFree[s] > keepChunks[s] {
			return true
		}
	}
	return false
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
	p.held += len(b)
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

// leave ends what somebody holds of k and reports whether nobody else does.
func (p *chunkPool) leave(k *chunk) (free bool) {
	switch k.refs {
	case 0:
		p.held -= cap(k.b)
		return true
	case 1:
		p.held -= len(k.b)
		p.forget(k)
		return true
	}
	k.refs--
	return false
}

// put takes back a chunk that nobody reads any more.
func (p *chunkPool) put(k *chunk) {
	if !p.leave(k) {
		return
	}
	if k.refs == 1 {
		p.dropped += len(k.b)
		k.b, k.off = nil, 0
		if p.nBare < keepShared {
			k.next, p.bare = p.bare, k
			p.nBare++
		}
		return
	}
	poison.Fill(k.b[:cap(k.b)])
	k.b, k.off = k.b[:0], 0
	if s := sizeOf(cap(k.b)); !poison.On && s < sizes && (p.nFree[s] < keepChunks[s] || p.spent()+p.idle+cap(k.b) <= p.limit) {
		k.next, p.free[s] = p.free[s], k
		p.nFree[s]++
		p.idle += cap(k.b)
		return
	}
	p.dropped += cap(k.b)
}

// grown returns a chunk with what is in k and room for all of size bytes; k is
// given back.
func (p *chunkPool) grown(k *chunk, size int) *chunk {
	next := p.get(size)
	if k != nil {
		next.b = append(next.b, k.b[k.off:]...)
		p.put(k)
	}
	return next
}

// nextSize returns how large a chunk that is to hold need bytes, and had room
// for have, should be: it doubles as it fills, so that each byte is copied about
// once, and from 1 MiB on grows by half. Where the total is known it is not
// made larger than that; memory for a total that was merely announced is not
// taken before a part of it has arrived.
func nextSize(have, need, total int) int {
	const promise = 64 << 10
	size := 2 * have
	if have >= smallChunk<<(sizes-1) {
		size = have + have/2
	}
	if total >= need && (size+size/8 > total || total <= promise) {
		size = total
	}
	return max(need, size)
}
