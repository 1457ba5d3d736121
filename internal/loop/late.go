//go:build jaylate

package loop

import (
	"hash/maphash"
	"math/rand/v2"
	"time"
)

// In a build with the tag jaylate, which tests use, every backend completes late:
// each completion comes one to four turns after it would have, and in another
// order than those of other connections; what was under way at a stop comes
// behind it; a Send takes nothing at once and completes in parts, also behind a
// Close, and until then its bytes are watched. Whoever keeps to the contract of
// [StreamHandler] and [AcceptHandler] does not notice.
type lateBackend struct {
	backend // the one that does the work
	l       *Loop
	turn    uint64
	rand    *rand.Rand
	due     []lateCompletion
	ready   []lateCompletion // the due ones of this turn
	next    int              // ready[next:] have not run
	queues  map[*lateListener]bool
	seed    maphash.Seed
}

// lateCompletion is run for the owner of a slot, unless that has changed.
type lateCompletion struct {
	turn      uint64
	slot, gen uint32
	run       func()
}

// mostLate is how many turns late a completion is at most.
const mostLate = 4

// lateFault ends the process, as a panic on the loop would be recovered. Only the
// test of it replaces it.
var lateFault = func(what string) { go panic(what) }

func late(l *Loop, be backend) backend {
	return &lateBackend{backend: be, l: l, rand: rand.New(rand.NewPCG(1, 2)), queues: map[*lateListener]bool{}, seed: maphash.MakeSeed()}
}

func (b *lateBackend) later(slot, gen uint32, run func()) {
	b.due = append(b.due, lateCompletion{b.turn + 1 + b.rand.Uint64N(mostLate), slot, gen, run})
}

// poll does not wait while something is due in a later turn.
func (b *lateBackend) poll(timeout time.Duration) error {
	if len(b.due) > 0 {
		timeout = 0
	}
	b.turn++
	b.ready, b.next = b.ready[:0], 0
	rest := b.due[:0]
	for _, c := range b.due {
		if c.turn <= b.turn {
			b.ready = append(b.ready, c)
		} else {
			rest = append(rest, c)
		}
	}
	clear(b.due[len(rest):])
	b.due = rest
	b.rand.Shuffle(len(b.ready), func(i, j int) { b.ready[i], b.ready[j] = b.ready[j], b.ready[i] })
	return b.backend.poll(timeout)
}

func (b *lateBackend) deliver() {
	b.backend.deliver()
	for b.next < len(b.ready) {
		c := b.ready[b.next]
		b.ready[b.next].run = nil
		b.next++
		if b.l.slots.get(c.slot, c.gen) != nil {
			c.run()
			b.l.lap()
		}
	}
}

// close closes what was accepted and will not be handed over.
func (b *lateBackend) close() error {
	for ln := range b.queues {
		ln.drop()
	}
	return b.backend.close()
}
