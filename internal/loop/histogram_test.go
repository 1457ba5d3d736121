package loop

import (
	"testing"
	"time"
)

// TestHistogram: each duration alone is its own p99, within the width of its
// bucket.
func TestHistogram(t *testing.T) {
	for d := time.Duration(0); d < 2*time.Hour; d += d/100 + 1 {
		var h histogram
		h.add(d)
		if got := h.p99(); got <= d || got > d+max(d/8, histogramUnit) {
			t.Fatalf("p99 of %v alone: %v", d, got)
		}
	}
	var h histogram
	if got := h.p99(); got != 0 {
		t.Errorf("p99 of nothing: %v", got)
	}
	h.add(-time.Second) // a clock that went back
	h.add(1 << 62)
	if got := h.p99(); got < 2*time.Hour {
		t.Errorf("p99 with the longest duration: %v", got)
	}
}

// TestP99: one slow callback of a hundred is not in the p99, two are; what has
// passed is forgotten in a few seconds, and the rest keeps its value.
func TestP99(t *testing.T) {
	for _, tt := range []struct {
		name            string
		slow, passes    int           // in each hundred callbacks of a second; seconds of them
		quick, idle     time.Duration // quick callbacks afterwards, then rest
		atLeast, atMost time.Duration
	}{
		{"one of a hundred", 1, 5, 0, 0, 100 * time.Microsecond, 120 * time.Microsecond},
		{"two of a hundred", 2, 5, 0, 0, 50 * time.Millisecond, 60 * time.Millisecond},
		{"two of a hundred, kept at rest", 2, 5, 0, time.Hour, 50 * time.Millisecond, 60 * time.Millisecond},
		{"two of a hundred, then none", 2, 5, 8 * time.Second, 0, 100 * time.Microsecond, 120 * time.Microsecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, f := newFake(t, Config{TurnEnd: func() bool { return false }})
			src := f.source()
			callback := func(at, took time.Duration) {
				f.event(at, src, func() { f.advance(took) })
			}
			at := time.Duration(0)
			seconds := tt.passes + int(tt.quick/time.Second)
			for second := range seconds {
				for i := range 100 {
					took := 100 * time.Microsecond
					if second < tt.passes && i < tt.slow {
						took = 50 * time.Millisecond
					}
					at = time.Duration(second)*time.Second + time.Duration(i)*10*time.Millisecond
					callback(at, took)
				}
			}
			callback(at+time.Second+tt.idle, 0)
			f.run()
			if got := l.Stats().P99; got < tt.atLeast || got > tt.atMost {
				t.Errorf("p99 %v, want %v to %v", got, tt.atLeast, tt.atMost)
			}
		})
	}
}
