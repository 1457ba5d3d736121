package loop

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestDeadlineExpiresWithinATick(t *testing.T) {
	for _, start := range []time.Duration{0, 1, Tick - 1, Tick, 999 * Tick, wheelSlots * Tick, 77777*Tick + 3} {
		for _, d := range []time.Duration{-time.Second, 0, 1, Tick - 1, Tick, Tick + 1, time.Second,
			(wheelSlots - 1) * Tick, wheelSlots * Tick, (wheelSlots + 1) * Tick, 10 * wheelSlots * Tick, time.Hour} {
			l, f := newFake(t, Config{})
			var dl Deadline
			expired := time.Duration(-1)
			f.event(start, f.source(), func() {
				l.SetDeadline(&dl, l.TickIn(d), expirer(func() { expired = f.elapsed() - start }))
				if _, set := dl.At(); !set {
					t.Error("At says that it is not set")
				}
			})
			f.run()
			if wait := max(d, 0); expired < wait || expired > wait+Tick {
				t.Errorf("set at %v to expire in %v, it expired after %v", start, d, expired)
			}
			if _, set := dl.At(); set || l.wheel.live != 0 {
				t.Errorf("after it expired: set %v, %d live", set, l.wheel.live)
			}
			if limit := 5 + int(d/((wheelSlots-1)*Tick)); len(f.polls) > limit {
				t.Errorf("set at %v to expire in %v, it took %d polls, want at most %d", start, d, len(f.polls), limit)
			}
		}
	}
}

// A callback late in a long turn gets its whole time.
func TestDeadlineBehindABusyCallback(t *testing.T) {
	l, f := newFake(t, Config{})
	src := f.source()
	var d Deadline
	var set, expired time.Duration
	f.event(0, src, func() { f.advance(5 * time.Second) })
	f.event(0, src, func() {
		set = f.elapsed()
		l.SetDeadline(&d, l.TickIn(time.Second), expirer(func() { expired = f.elapsed() }))
	})
	f.run()
	if got := expired - set; got < time.Second || got > time.Second+Tick {
		t.Errorf("a deadline of 1s expired after %v", got)
	}
}

func TestDeadlineOfCenturies(t *testing.T) {
	for _, d := range []time.Duration{50_000 * time.Hour, math.MaxInt64 - 1, math.MaxInt64} {
		t.Run(d.String(), func(t *testing.T) {
			l, f := newFake(t, Config{})
			var dl Deadline
			f.event(time.Hour, f.source(), func() {
				l.SetDeadline(&dl, l.TickIn(d), expirer(func() { t.Errorf("it expired after %v", f.elapsed()) }))
			})
			f.event(48*time.Hour, f.source(), func() { l.StopDeadline(&dl) })
			f.run()
			if limit := 10 + int(48*time.Hour/(wheelSlots*Tick-Tick)); len(f.polls) > limit {
				t.Errorf("two days took %d polls, want at most %d: one a revolution", len(f.polls), limit)
			}
		})
	}
}

func TestDeadlineSetAgain(t *testing.T) {
	l, f := newFake(t, Config{})
	var d Deadline
	var got []time.Duration
	note := expirer(func() { got = append(got, f.elapsed()) })
	l.SetDeadline(&d, l.TickIn(time.Second), note)
	l.SetDeadline(&d, l.TickIn(3*time.Second), note)
	f.event(2*time.Second, f.source(), func() { l.SetDeadline(&d, l.TickIn(2*time.Second), note) })
	f.run()
	if len(got) != 1 || got[0] != 4*time.Second {
		t.Errorf("set to 1s, 3s, and at 2s to 2s more: expired at %v, want 4s only", got)
	}
}

func TestDeadlineSetInExpire(t *testing.T) {
	for _, d := range []time.Duration{0, Tick, wheelSlots * Tick} {
		l, f := newFake(t, Config{})
		var dl Deadline
		var got []time.Duration
		var e expirer
		e = func() {
			if got = append(got, f.elapsed()); len(got) < 20 {
				l.SetDeadline(&dl, l.TickIn(d), e)
			}
		}
		l.SetDeadline(&dl, l.TickIn(0), e)
		f.run()
		step := max(d, Tick) // never twice in a tick
		for i := 1; i < len(got); i++ {
			if gap := got[i] - got[i-1]; gap < step || gap > step+Tick {
				t.Errorf("in %v: gap %d is %v", d, i, gap)
			}
		}
		if len(got) != 20 || len(f.polls) > 2*20+1 {
			t.Errorf("in %v: %d calls, %d polls; want 20 calls, two polls each at most", d, len(got), len(f.polls))
		}
	}
}

func TestStopDeadline(t *testing.T) {
	l, f := newFake(t, Config{})
	var d Deadline
	l.StopDeadline(&d) // was never set
	l.SetDeadline(&d, l.TickIn(time.Second), expirer(func() { t.Error("a stopped deadline expired") }))
	l.StopDeadline(&d)
	l.StopDeadline(&d)
	f.run()
	if len(f.polls) != 1 || f.polls[0] >= 0 {
		t.Errorf("with nothing on the wheel polls waited %v, want one, for ever", f.polls)
	}
}

// Slots whose entries were stopped cost one wake-up each, at most.
func TestStoppedDeadlinesDoNotSpin(t *testing.T) {
	l, f := newFake(t, Config{})
	var d [500]Deadline
	for i := range d {
		l.SetDeadline(&d[i], uint32(i), expirer(func() { t.Error("a stopped deadline expired") }))
		l.StopDeadline(&d[i])
	}
	var last Deadline
	expired := false
	l.SetDeadline(&last, 600, expirer(func() { expired = true }))
	f.run()
	if !expired || len(f.polls) > len(d)+5 {
		t.Errorf("expired %v after %d polls, want at most one a slot", expired, len(f.polls))
	}
}

// Expire stops and sets others of its own slot and of later ones.
func TestExpireStopsOthers(t *testing.T) {
	l, f := newFake(t, Config{})
	var d [6]Deadline
	var got []int
	for i := range d {
		l.SetDeadline(&d[i], l.TickIn(time.Second), expirer(func() {
			got = append(got, i)
			switch i {
			case 0:
				l.StopDeadline(&d[1]) // the next in the list
				l.StopDeadline(&d[5]) // the last
				l.StopDeadline(&d[0]) // itself
			case 2:
				l.SetDeadline(&d[3], l.TickIn(time.Second), d[3].h)
			}
		}))
	}
	f.run()
	if want := []int{0, 2, 4, 3}; len(got) != 4 || [4]int(got) != [4]int(want) {
		t.Errorf("expired %v, want %v", got, want)
	}
}

// 100,000 deadlines, set, moved and stopped at random, against a list of when
// they should expire. What activity does to a connection's entry.
func TestWheelAgainstReference(t *testing.T) {
	const n = 100_000
	rnd := rand.New(rand.NewPCG(3, 4))
	l, f := newFake(t, Config{})
	deadlines := make([]Deadline, n)
	due := make([]time.Duration, n) // 0: not set
	set := func(i int) {
		d := time.Duration(rnd.Int64N(int64(300 * time.Second)))
		due[i] = f.elapsed() + d
		l.SetDeadline(&deadlines[i], l.TickIn(d), expirer(func() {
			if late := f.elapsed() - due[i]; due[i] == 0 || late < 0 || late > Tick {
				t.Errorf("deadline %d due at %v expired at %v", i, due[i], f.elapsed())
			}
			due[i] = 0
		}))
	}
	src := f.source()
	f.event(0, src, func() {
		for i := range n {
			set(i)
		}
	})
	for k := range 1000 {
		f.event(time.Duration(k)*250*time.Millisecond, src, func() {
			for range 50 {
				if i := rnd.IntN(n); rnd.IntN(2) == 0 {
					set(i)
				} else {
					l.StopDeadline(&deadlines[i])
					due[i] = 0
				}
			}
		})
	}
	f.run()
	for i, at := range due {
		if at != 0 {
			t.Fatalf("deadline %d, due at %v, never expired", i, at)
		}
	}
	// 550 s at most: one poll a tick, one an event, and the ends.
	if limit := int(550*time.Second/Tick) + 1000 + 100; len(f.polls) > limit {
		t.Errorf("%d polls, want at most %d", len(f.polls), limit)
	}
}

// An idle time without deadlines is not run through tick by tick.
func TestWheelAfterIdleMonths(t *testing.T) {
	l, f := newFake(t, Config{})
	var d Deadline
	expired := time.Duration(0)
	f.event(5000*time.Hour, f.source(), func() {
		l.SetDeadline(&d, l.TickIn(time.Second), expirer(func() { expired = f.elapsed() - 5000*time.Hour }))
		if behind := l.TickNow() - l.wheel.now; behind != 0 {
			t.Errorf("the empty wheel is %d ticks behind", behind)
		}
	})
	f.run()
	if expired != time.Second {
		t.Errorf("expired after %v, want 1s", expired)
	}
}

// Ticks are compared by difference, so their 32 bits may wrap.
func TestWheelWrapsAround(t *testing.T) {
	l, f := newFake(t, Config{})
	const wrap = (1 << 32) * Tick
	var d [3]Deadline
	var got []time.Duration
	f.event(wrap-time.Second, f.source(), func() {
		for i, in := range []time.Duration{0, time.Second, 1000 * time.Second} {
			l.SetDeadline(&d[i], l.TickIn(in), expirer(func() { got = append(got, f.elapsed()-(wrap-time.Second)-in) }))
		}
	})
	f.run()
	if len(got) != 3 || len(f.polls) > 30 {
		t.Fatalf("%d expired with %d polls, want 3 with a few", len(got), len(f.polls))
	}
	for i, late := range got {
		if late < 0 || late > Tick {
			t.Errorf("deadline %d was %v late", i, late)
		}
	}
}
