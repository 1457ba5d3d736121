package loop

import (
	"sync"
	"sync/atomic"
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
// goroutine. Any goroutine may call it; it never blocks. It reports false,
// and drops fn, once the loop has ended. What is posted after Stop may be
// dropped without this sign.
func (l *Loop) Post(fn func()) bool {
	m := &l.mail
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return false
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
	return true
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

// refill swaps the queue for the spent batch.
func (m *mailbox) refill() bool {
	m.mu.Lock()
	m.batch, m.queue = m.queue, m.batch[:0]
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
