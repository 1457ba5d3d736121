package loop

import (
	"math/bits"
	"time"
)

// Tick is the resolution of a [Deadline]: it expires at its time or up to one
// tick later, never earlier.
const Tick = 50 * time.Millisecond

const wheelSlots = 2048 // one revolution: 102.4 s

// farthest is the furthest that a deadline can lie ahead: ticks are compared
// by their difference, which has 32 bits.
const farthest = 2e9 * Tick

// Expirer is told when a deadline has passed.
type Expirer interface{ Expire() }

// Deadline is an entry of the loop's coarse timing wheel, meant to be a field
// of the object that it guards: setting and stopping cost O(1) and allocate
// nothing. The zero value is stopped.
type Deadline struct {
	next, prev *Deadline // circular through the slot's head; nil: stopped
	h          Expirer
	at         uint32 // the tick in which it expires
}

// wheel is a hashed timing wheel: entries further away than one revolution
// wait in its furthest slot and are put in again from there.
type wheel struct {
	heads [wheelSlots]Deadline
	used  [wheelSlots / 64]uint64 // which heads have entries
	now   uint32                  // the last tick that was run
	live  int
}

// tickOf rounds a time up to a tick, so that nothing expires early.
func tickOf(since time.Duration) uint32 { return uint32((since + Tick - 1) / Tick) }

// TickNow returns the present tick, counted from the loop's start: the cheap
// clock in which coarse times can be stored.
func (l *Loop) TickNow() uint32 { return uint32(l.turnAt / Tick) }

// TickIn returns the first tick by which d has passed since the present
// callback began. More than three years count as three.
func (l *Loop) TickIn(d time.Duration) uint32 { return tickOf(l.lapAt + min(max(d, 0), farthest)) }

// SetDeadline makes d expire at a tick that TickIn returned, replacing what it
// was set to before.
func (l *Loop) SetDeadline(d *Deadline, at uint32, h Expirer) {
	if d.next != nil {
		l.wheel.unlink(d)
	}
	if int32(at-l.wheel.now) <= 0 {
		at = l.wheel.now + 1
	}
	d.at, d.h = at, h
	l.wheel.link(d)
}

// StopDeadline takes d off the wheel; d may be stopped already.
func (l *Loop) StopDeadline(d *Deadline) {
	if d.next != nil {
		l.wheel.unlink(d)
	}
}

// At returns the tick that d was last set to, and whether it still is.
func (d *Deadline) At() (tick uint32, set bool) { return d.at, d.next != nil }

func (w *wheel) link(d *Deadline) {
	ahead := min(d.at-w.now, wheelSlots-1)
	i := (w.now + ahead) % wheelSlots
	head := &w.heads[i]
	if head.next == nil {
		head.next, head.prev = head, head
	}
	d.prev, d.next = head.prev, head
	head.prev.next, head.prev = d, d
	w.used[i/64] |= 1 << (i % 64)
	w.live++
}

// unlink leaves the slot's bit set: an empty slot costs one early wake-up at
// most, finding it here would need the index.
func (w *wheel) unlink(d *Deadline) {
	d.prev.next, d.next.prev = d.next, d.prev
	d.next, d.prev = nil, nil
	w.live--
}

// skip moves an empty wheel to tick now, so that the ticks of an idle time are
// not run one by one later.
func (w *wheel) skip(now uint32) {
	if w.live == 0 {
		w.now = now
	}
}

// runWheel expires what is due. Each entry is off the wheel before its
// callback runs, so it may be set anew there.
func (l *Loop) runWheel() {
	w := &l.wheel
	if w.live == 0 {
		return
	}
	l.stage(doingDeadline)
	for now := l.TickNow(); ; {
		i := w.now % wheelSlots
		if w.used[i/64]&(1<<(i%64)) != 0 {
			l.runSlot(i)
		}
		if w.now == now {
			return
		}
		w.now++
	}
}

// runSlot empties the slot of the present tick. Whatever is set meanwhile goes
// to another slot, because it expires in a later tick.
func (l *Loop) runSlot(i uint32) {
	w := &l.wheel
	head := &w.heads[i]
	for d := head.next; d != nil && d != head; d = head.next {
		w.unlink(d)
		if int32(d.at-w.now) > 0 { // a later revolution
			w.link(d)
			continue
		}
		d.h.Expire()
		l.lap()
	}
	if head.next == head {
		w.used[i/64] &^= 1 << (i % 64)
	}
}

// until returns the time from now to the next slot in use, negative when
// there is none.
func (w *wheel) until(now time.Duration) time.Duration {
	if w.live == 0 {
		return -1
	}
	start := w.now % wheelSlots
	for step := uint32(0); step < wheelSlots; {
		i := (start + step) % wheelSlots
		word := w.used[i/64] >> (i % 64)
		if word == 0 {
			step += 64 - i%64
			continue
		}
		step += uint32(bits.TrailingZeros64(word))
		ahead := int32(w.now + step - uint32(now/Tick))
		return max(time.Duration(ahead)*Tick-now%Tick, 0)
	}
	return -1
}
