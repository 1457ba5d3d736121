package loop

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestStatsWhileACallbackBlocks(t *testing.T) {
	var l *Loop
	var f *fake
	look := func(what string) func() {
		return func() {
			before := l.Stats().Busy
			f.advance(7 * time.Second)
			st := asOther(l.Stats)
			if st.Busy-before != 7*time.Second || st.BusyIn != what {
				t.Errorf("in a %s that has blocked for 7s: busy for %v in %q", what, st.Busy-before, st.BusyIn)
			}
		}
	}
	ends := 0
	l, f = newFake(t, Config{TurnEnd: func() bool {
		if ends++; ends == 1 {
			look("end of turn")()
		}
		return false
	}})
	var d Deadline
	l.Post(look("posted func"))
	l.SetDeadline(&d, l.TickIn(time.Minute), expirer(look("deadline")))
	l.AfterFunc(2*time.Minute, look("timer"))
	f.event(3*time.Minute, f.source(), look("event"))
	f.run()
	if st := l.Stats(); st.Longest != 7*time.Second || st.Busy != 0 || st.BusyIn != "" {
		t.Errorf("at the end %+v, want Longest 7s and not busy", st)
	}
}

// TestStackNamesTheCallback: the stack is that of the loop, also after a panic
// has moved it to another goroutine.
func TestStackNamesTheCallback(t *testing.T) {
	l, f := newFake(t, Config{Recover: func(*PanicError) {}})
	look := func() {
		trace := asOther(func() string { trace, _ := l.Stack(); return string(trace) })
		if !strings.Contains(trace, "TestStackNamesTheCallback") || !strings.Contains(trace, "(*Loop).turn(") {
			t.Errorf("the stack of the loop is\n%s", trace)
		}
	}
	l.Post(look)
	l.Post(func() { panic("on purpose") })
	l.Post(look)
	f.run()
}

// asOther calls f on another goroutine, where Stats has to work too.
func asOther[T any](f func() T) T {
	c := make(chan T)
	go func() { c <- f() }()
	return <-c
}

func TestSaturation(t *testing.T) {
	for _, tt := range []struct {
		name            string
		busy, idle      time.Duration // again and again
		passes          int
		after           time.Duration // then asleep this long
		want, tolerance float64
	}{
		{"at rest", 0, 100 * time.Millisecond, 100, 0, 0, 0},
		{"half", 5 * time.Millisecond, 5 * time.Millisecond, 1000, 0, 0.5, 0.02},
		{"saturated", 10 * time.Millisecond, 0, 1000, 0, 1, 0.001},
		{"one long callback", time.Minute, 0, 1, 0, 1, 0.001},
		{"saturated, then at rest for long", 10 * time.Millisecond, 0, 1000, time.Minute, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, f := newFake(t, Config{})
			src := f.source()
			left := tt.passes
			var st Stats
			var pass func()
			pass = func() {
				f.advance(tt.busy)
				if left--; left > 0 {
					f.event(tt.idle, src, pass)
					return
				}
				st = l.Stats()
			}
			f.event(0, src, pass)
			f.run()
			if tt.after > 0 {
				f.advance(tt.after)
				st = l.Stats()
			}
			if math.Abs(st.Saturation-tt.want) > tt.tolerance {
				t.Errorf("saturation is %v, want %v", st.Saturation, tt.want)
			}
		})
	}
}
