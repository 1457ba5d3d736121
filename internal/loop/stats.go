package loop

import (
	"sync/atomic"
	"time"

	"github.com/jay-go/jay/internal/stack"
)

// doing says what kind of callback the loop is in.
type doing uint32

const (
	doingEvent doing = iota
	doingDeadline
	doingTimer
	doingPosted
	doingFlush
)

func (d doing) String() string {
	return [...]string{"event", "deadline", "timer", "posted func", "end of turn"}[d]
}

// Stats are figures of a loop at one moment.
type Stats struct {
	// Saturation is the share of time, 0 to 1, that the loop spent in
	// callbacks during about the last second.
	Saturation float64
	// Longest is the longest callback so far.
	Longest time.Duration
	// P99 is the time within which 99 of 100 callbacks of the last few seconds
	// ended, the later ones counting more; a little high, by at most 1/8 or, of
	// short ones, 8 ns. The ends of turns do not count. It keeps its value
	// while there are no callbacks.
	P99 time.Duration
	// Busy is how long the callback that runs now has been running; 0 when
	// the loop waits. BusyIn names its kind. BusySince, from the loop's start,
	// is the same for as long as it is the same callback.
	Busy      time.Duration
	BusyIn    string
	BusySince time.Duration
	// Panics counts callbacks that did not return.
	Panics uint64
}

// meter collects the figures of Stats. The loop writes, anyone reads.
type meter struct {
	busySince atomic.Int64 // since the epoch, plus one; 0: waiting
	doing     atomic.Uint32
	longest   atomic.Int64
	panics    atomic.Uint64
	share     atomic.Uint64 // of the last full window, in millionths
	p99       atomic.Int64

	windowAt atomic.Int64  // when the present window began
	busy     time.Duration // loop only: time in callbacks since then
	took     histogram     // loop only: of callbacks
}

const meterWindow = time.Second

// Stats returns the figures of this moment. Any goroutine may call it, also
// while a callback blocks the loop.
func (l *Loop) Stats() Stats {
	m := &l.meter
	now := l.since()
	st := Stats{
		Saturation: float64(m.share.Load()) / 1e6,
		Longest:    time.Duration(m.longest.Load()),
		P99:        time.Duration(m.p99.Load()),
		Panics:     m.panics.Load(),
	}
	if since := m.busySince.Load(); since != 0 {
		st.BusySince = time.Duration(since - 1)
		st.Busy = max(now-st.BusySince, 0)
		st.BusyIn = doing(m.doing.Load()).String()
	}
	if stale := now - time.Duration(m.windowAt.Load()); stale > 2*meterWindow {
		st.Saturation = min(float64(st.Busy)/float64(stale), 1)
	}
	return st
}

// Stack returns the stack of the goroutine that runs the callbacks, as a crash
// would print it, and where in the program that is: "main.answer (main.go:34)".
// Any goroutine may call it, above all while a callback blocks the loop; the
// process stands still meanwhile.
func (l *Loop) Stack() (trace []byte, where string) {
	trace = stack.Of(stack.All(), l.goroutine.Load())
	return trace, stack.Where(trace)
}

// Timers returns the number of live timers. Loop only.
func (l *Loop) Timers() int { return len(l.timers) }

// Turns returns how often the loop has run what was due: it has woken up as
// often, at most. Loop only.
func (l *Loop) Turns() uint64 { return l.turned }

// begin marks the start of a turn.
func (m *meter) begin(l *Loop, now time.Duration) {
	l.lapAt = now
	if d := now - time.Duration(m.windowAt.Load()); d >= meterWindow {
		m.share.Store(uint64(float64(m.busy) / float64(d) * 1e6))
		m.windowAt.Store(int64(now))
		m.busy = 0
		m.p99.Store(int64(m.took.p99()))
		m.took.fade()
	}
	m.busySince.Store(int64(now) + 1)
}

// rest marks the end of a turn whose callbacks took busy.
func (m *meter) rest(busy time.Duration) {
	m.busy += busy
	m.busySince.Store(0)
}

// stage says what kind the next callbacks are of.
func (l *Loop) stage(what doing) { l.meter.doing.Store(uint32(what)) }

// lap marks the end of one callback and the start of the next.
func (l *Loop) lap() { l.meter.took.add(l.mark()) }

// mark is lap for work that is nobody's callback. It returns how long that took.
func (l *Loop) mark() time.Duration {
	now := l.since()
	d := now - l.lapAt
	if d > time.Duration(l.meter.longest.Load()) {
		l.meter.longest.Store(int64(d))
	}
	l.lapAt = now
	l.meter.busySince.Store(int64(now) + 1)
	return d
}
