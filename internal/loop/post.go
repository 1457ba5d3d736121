package loop

import (
	"errors"
	"math"
	"sync"
	"sync/atomic"
)

// Why Post dropped a func.
var (
	// ErrBusy: Config.MaxPosted funcs wait already.
	ErrBusy = errors.New("too much waits for the event loop: it is busy, or the callers are too many")
	// ErrEnded: the loop has ended.
	ErrEnded = errors.New("the event loop has ended")
)

// mailbox is the queue of posted funcs. Wake-ups are coalesced: the backend
// is woken once, and only while the loop sleeps or is about to.
type mailbox struct {
	mu     sync.Mutex
	queue  []func() // guarded by mu
	closed bool     // guarded by mu

	asleep atomic.Bool    // the next Post must wake the loop
	waking sync.WaitGroup // calls of wake; Add is guarded by mu

	batch []func() // loop only: taken off the queue, not yet run
	next  int      // loop only
}

// Post runs fn on the loop, after everything posted before it by the same
// goroutine. Any goroutine may call it; it never blocks. It drops fn and returns
// ErrBusy when Config.MaxPosted funcs wait, and ErrEnded once the loop has ended.
// What is posted after Stop may be dropped without an error.
func (l *Loop) Post(fn func()) error { return l.post(fn, l.cfg.maxPosted()) }

// PostAnyway is Post without the bound, for callers whose funcs are few by
// themselves: one for each thing that is closed, say.
func (l *Loop) PostAnyway(fn func()) error { return l.post(fn, math.MaxInt) }

func (l *Loop) post(fn func(), most int) error {
	m := &l.mail
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return ErrEnded
	}
	if len(m.queue) >= most {
		m.mu.Unlock()
		return ErrBusy
	}
	m.queue = append(m.queue, fn)
	wake := m.asleep.Load() && m.asleep.CompareAndSwap(true, false)
	if wake {
		m.waking.Add(1)
	}
	m.mu.Unlock()
	if wake {
		l.be.wake()
		m.waking.Done()
	}
	return nil
}

// run runs what the turn's budget allows and reports whether some are left.
func (m *mailbox) run(l *Loop) (more bool) {
	for l.posts > 0 {
		if m.next == len(m.batch) && !m.refill() {
			return false
		}
		fn := m.batch[m.next]
		m.batch[m.next] = nil
		m.next++
		l.posts--
		fn()
		l.lap()
	}
	return m.pending()
}

// keepBatch is how long an array of funcs may be that is used again.
const keepBatch = 64 << 10

// refill swaps the queue for the spent batch.
func (m *mailbox) refill() bool {
	spent := m.batch[:0]
	if cap(spent) > keepBatch {
		spent = nil
	}
	m.mu.Lock()
	m.batch, m.queue = m.queue, spent
	m.mu.Unlock()
	m.next = 0
	return len(m.batch) > 0
}

func (m *mailbox) pending() bool {
	if m.next < len(m.batch) {
		return true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.queue) > 0
}

// sleep announces that the loop is about to block; false means that it must
// not, because something was posted. The announcement comes before the look at
// the queue, as Post looks at it after queueing: one of the two sees the other.
func (m *mailbox) sleep() bool {
	m.asleep.Store(true)
	if m.pending() {
		m.asleep.Store(false)
		return false
	}
	return true
}

// close refuses further funcs; those still queued are dropped. When it
// returns, no Post will touch the backend any more.
func (m *mailbox) close() {
	m.mu.Lock()
	m.closed = true
	m.queue, m.batch, m.next = nil, nil, 0
	m.mu.Unlock()
	m.waking.Wait()
}
