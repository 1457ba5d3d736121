package loop

import (
	"container/heap"
	"fmt"
	"math"
	"time"
)

// Timer calls a func once or again and again. It runs on the monotonic clock;
// setting the wall clock does not touch it.
type Timer struct {
	loop  *Loop
	fn    func()
	at    time.Duration // since the loop's epoch
	every time.Duration // 0: once
	index int           // in the heap; -1: not in it
	seq   uint64        // equal times run in the order they were set
}

// AfterFunc calls fn on the loop once d has passed. Setting and stopping cost
// O(log n) in the number of live timers.
func (l *Loop) AfterFunc(d time.Duration, fn func()) *Timer {
	return l.addTimer(d, 0, fn)
}

// Every calls fn each d, for the first time after d. The times do not drift;
// those that a busy or suspended process missed are skipped, not caught up
// on. It panics if d is not positive.
func (l *Loop) Every(d time.Duration, fn func()) *Timer {
	if d <= 0 {
		panic(fmt.Sprintf("loop: Every(%v): the interval must be positive", d))
	}
	return l.addTimer(d, d, fn)
}

func (l *Loop) addTimer(d, every time.Duration, fn func()) *Timer {
	l.timerSeq++
	at := l.since() + max(d, 0)
	if at < 0 {
		at = math.MaxInt64 // too far for the clock: never
	}
	t := &Timer{loop: l, fn: fn, at: at, every: every, seq: l.timerSeq}
	heap.Push(&l.timers, t)
	return t
}

// Stop ends the timer and reports whether a call was still to come. It may be
// called from the timer's own func.
func (t *Timer) Stop() bool {
	t.every = 0
	if t.index < 0 {
		return false
	}
	heap.Remove(&t.loop.timers, t.index)
	return true
}

// runTimers runs the timers that are due and were set before this turn began,
// so a timer that sets itself with no delay cannot keep the turn from ending.
func (l *Loop) runTimers() {
	if len(l.timers) == 0 {
		return
	}
	l.stage(doingTimer)
	now := l.turnAt
	for len(l.timers) > 0 {
		t := l.timers[0]
		if t.at > now || t.seq > l.lastTimer {
			return
		}
		l.schedule(t, now)
		t.fn()
		l.lap()
	}
}

// schedule takes t off the heap or moves it to its next time. It happens
// before the call, so that the call may stop the timer, or panic.
func (l *Loop) schedule(t *Timer, now time.Duration) {
	if t.every == 0 {
		heap.Remove(&l.timers, t.index)
		return
	}
	missed := (now - t.at) / t.every
	t.at += (missed + 1) * t.every
	heap.Fix(&l.timers, t.index)
}

// timerHeap orders timers by time, then by the order in which they were set.
type timerHeap []*Timer

func (h timerHeap) Len() int { return len(h) }

func (h timerHeap) Less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].seq < h[j].seq
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *timerHeap) Push(x any) {
	t := x.(*Timer)
	t.index = len(*h)
	*h = append(*h, t)
}

func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	t.index = -1
	return t
}
