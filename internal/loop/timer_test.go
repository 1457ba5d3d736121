package loop

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAfterFunc(t *testing.T) {
	for _, d := range []time.Duration{-time.Second, 0, 1, time.Millisecond, time.Hour, 1000 * time.Hour} {
		t.Run(d.String(), func(t *testing.T) {
			l, f := newFake(t, Config{})
			calls, at := 0, time.Duration(0)
			l.AfterFunc(d, func() { calls++; at = f.elapsed() })
			f.run()
			if calls != 1 || at != max(d, 0) {
				t.Errorf("%d calls, the last after %v; want one after %v", calls, at, max(d, 0))
			}
			if len(f.polls) > 3 {
				t.Errorf("the wait took the polls %v", f.polls)
			}
		})
	}
}

func TestAfterFuncForEver(t *testing.T) {
	l, f := newFake(t, Config{})
	f.advance(time.Hour)
	timer := l.AfterFunc(math.MaxInt64, func() { t.Error("a timer of 292 years has fired") })
	f.event(time.Hour, f.source(), func() {
		if !timer.Stop() {
			t.Error("it was not live any more")
		}
	})
	f.run()
}

func TestEqualTimesRunInOrder(t *testing.T) {
	l, f := newFake(t, Config{})
	var got log
	for i := range 100 {
		if i%7 == 0 {
			l.Every(time.Hour, got.add(fmt.Sprint(i)))
		} else {
			l.AfterFunc(time.Hour, got.add(fmt.Sprint(i)))
		}
	}
	f.event(90*time.Minute, f.source(), func() { l.timers = nil })
	f.run()
	for i, s := range got {
		if s != fmt.Sprint(i) {
			t.Fatalf("ran in the order %v", got)
		}
	}
	if len(got) != 100 {
		t.Errorf("%d timers ran, want 100", len(got))
	}
}

// A timer of no delay, set in a timer, runs in the next turn: completions come
// in between.
func TestTimerSetInTimer(t *testing.T) {
	var got log
	l, f := newFake(t, Config{TurnEnd: func() bool { return false }})
	l.AfterFunc(0, func() {
		got.add("first")()
		l.AfterFunc(0, got.add("second"))
		f.event(0, f.source(), got.add("event"))
	})
	f.run()
	if want := "first event second"; strings.Join(got, " ") != want {
		t.Errorf("ran %v, want %s", got, want)
	}
}

func TestEveryDoesNotDrift(t *testing.T) {
	l, f := newFake(t, Config{})
	var at []time.Duration
	var timer *Timer
	timer = l.Every(time.Second, func() {
		at = append(at, f.elapsed())
		f.advance(300 * time.Millisecond) // busy, but not for an interval
		if len(at) == 1000 {
			timer.Stop()
		}
	})
	f.run()
	for i, got := range at {
		if want := time.Duration(i+1) * time.Second; got != want {
			t.Fatalf("call %d came at %v, want %v", i, got, want)
		}
	}
}

// After a gap (a busy loop, a suspended machine) one call comes at once and
// the next in step with the first.
func TestEveryDoesNotCatchUp(t *testing.T) {
	l, f := newFake(t, Config{})
	var at []time.Duration
	var timer *Timer
	timer = l.Every(time.Second, func() {
		at = append(at, f.elapsed())
		if len(at) == 2 {
			f.advance(24*time.Hour + 500*time.Millisecond)
		}
		if len(at) == 5 {
			timer.Stop()
		}
	})
	f.run()
	const day = 24 * time.Hour
	want := []time.Duration{time.Second, 2 * time.Second, day + 2500*time.Millisecond, day + 3*time.Second, day + 4*time.Second}
	if !slices.Equal(at, want) {
		t.Errorf("calls at %v\nwant     %v", at, want)
	}
}

func TestEveryRefusesNoInterval(t *testing.T) {
	for _, d := range []time.Duration{0, -1} {
		t.Run(d.String(), func(t *testing.T) {
			l, _ := newFake(t, Config{})
			defer func() {
				if e := recover(); !strings.Contains(fmt.Sprint(e), "must be positive") {
					t.Errorf("Every(%v) panicked with %v", d, e)
				}
			}()
			l.Every(d, func() {})
		})
	}
}

func TestTimerStop(t *testing.T) {
	for _, tt := range []struct {
		name        string
		every       bool
		inside      bool // from its own func
		calls       int
		first, next bool // what the first Stop and the second one report
	}{
		{"before it is due", false, false, 0, true, false},
		{"a repeated one, before it is due", true, false, 0, true, false},
		{"from its own func", false, true, 1, false, false},
		{"a repeated one, from its own func", true, true, 1, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, f := newFake(t, Config{})
			var timer *Timer
			calls := 0
			stop := func() {
				if a, b := timer.Stop(), timer.Stop(); a != tt.first || b != tt.next {
					t.Errorf("Stop, Stop = %v, %v, want %v, %v", a, b, tt.first, tt.next)
				}
			}
			fn := func() {
				if calls++; tt.inside {
					stop()
				}
			}
			if tt.every {
				timer = l.Every(time.Second, fn)
			} else {
				timer = l.AfterFunc(time.Second, fn)
			}
			if !tt.inside {
				stop()
			}
			if want := map[bool]int{true: 1}[tt.inside]; l.Timers() != want {
				t.Errorf("Timers() = %d, want %d", l.Timers(), want)
			}
			f.run()
			if calls != tt.calls || l.Timers() != 0 {
				t.Errorf("%d calls and %d live, want %d and 0", calls, l.Timers(), tt.calls)
			}
		})
	}
}

// A timer that stops others which are due in the same turn.
func TestTimerStopsOthers(t *testing.T) {
	l, f := newFake(t, Config{})
	var got log
	var timers []*Timer
	for i := range 10 {
		timers = append(timers, l.AfterFunc(time.Second, func() {
			got.add(fmt.Sprint(i))()
			for k := i + 1; k < min(i+3, 10); k++ {
				timers[k].Stop()
			}
		}))
	}
	f.run()
	if want := "0 3 6 9"; strings.Join(got, " ") != want {
		t.Errorf("ran %v, want %s", got, want)
	}
}

// 100,000 live timers, a random half of them stopped at random times, against
// a sorted list.
func TestTimersAgainstReference(t *testing.T) {
	const n = 100_000
	rnd := rand.New(rand.NewPCG(1, 2))
	l, f := newFake(t, Config{})
	type ref struct {
		at, stopAt time.Duration
		i          int
	}
	var got, want []int
	refs := make([]ref, n)
	timers := make([]*Timer, n)
	stops := map[time.Duration][]int{}
	for i := range n {
		r := ref{at: time.Duration(rnd.IntN(1000)) * time.Millisecond, stopAt: math.MaxInt64, i: i}
		timers[i] = l.AfterFunc(r.at, func() {
			got = append(got, i)
			if f.elapsed() != r.at {
				t.Errorf("timer %d of %v ran after %v", i, r.at, f.elapsed())
			}
		})
		if rnd.IntN(2) == 0 {
			r.stopAt = time.Duration(rnd.IntN(1000))*time.Millisecond + time.Microsecond
			stops[r.stopAt] = append(stops[r.stopAt], i)
		}
		refs[i] = r
	}
	if l.Timers() != n {
		t.Fatalf("Timers() = %d, want %d", l.Timers(), n)
	}
	src := f.source()
	for at, list := range stops {
		f.event(at, src, func() {
			for _, i := range list {
				if was := timers[i].Stop(); was != (refs[i].at > at) {
					t.Errorf("at %v Stop of timer %d at %v = %v", at, i, refs[i].at, was)
				}
			}
		})
	}
	byTime := slices.Clone(refs)
	slices.SortFunc(byTime, func(a, b ref) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.i, b.i)) })
	for _, r := range byTime {
		if r.at < r.stopAt {
			want = append(want, r.i)
		}
	}
	f.run()
	if !slices.Equal(got, want) {
		t.Errorf("%d timers ran, %d should have, or their order is wrong", len(got), len(want))
	}
	if l.Timers() != 0 {
		t.Errorf("%d are still live", l.Timers())
	}
}
