package loop

import (
	"testing"
	"time"
)

// A func that posts the next one, on the loop.
func BenchmarkPost(b *testing.B) {
	for _, k := range backends {
		b.Run(k.name, func(b *testing.B) {
			b.ReportAllocs()
			l, err := New(Config{Backend: k.name})
			if err != nil {
				b.Fatal(err)
			}
			n := 0
			var next func()
			next = func() {
				if n++; n == b.N {
					l.Stop()
				} else {
					l.Post(next)
				}
			}
			l.Post(next)
			if err := l.Run(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// A func posted from another goroutine to a loop that sleeps, and the answer.
func BenchmarkPostWakes(b *testing.B) {
	for _, k := range backends {
		b.Run(k.name, func(b *testing.B) {
			l, err := New(Config{Backend: k.name})
			if err != nil {
				b.Fatal(err)
			}
			ended := make(chan error)
			go func() { ended <- l.Run() }()
			ran := make(chan struct{})
			answer := func() { ran <- struct{}{} }
			for b.Loop() {
				l.Post(answer)
				<-ran
			}
			l.Stop()
			if err := <-ended; err != nil {
				b.Fatal(err)
			}
		})
	}
}

// AfterFunc and Stop beside 100,000 live timers.
func BenchmarkAfterFuncStop(b *testing.B) {
	l := newLoop(Config{})
	for i := range 100_000 {
		l.AfterFunc(time.Hour+time.Duration(i*7919%100_000)*time.Millisecond, func() {})
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l.AfterFunc(time.Hour+time.Duration(i%100_000)*time.Millisecond, func() {}).Stop()
	}
}

// SetDeadline beside 100,000 live entries.
func BenchmarkSetDeadline(b *testing.B) {
	l := newLoop(Config{})
	entries := make([]Deadline, 100_000)
	e := expirer(func() {})
	for i := range entries {
		l.SetDeadline(&entries[i], l.TickIn(time.Duration(i)*time.Millisecond), e)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l.SetDeadline(&entries[i%len(entries)], l.TickIn(time.Duration(i%300)*time.Second), e)
	}
}

// A turn in which nothing is due but 100,000 deadlines and timers live.
func BenchmarkIdleTurn(b *testing.B) {
	l := newLoop(Config{})
	be, err := backends[0].open(l)
	if err != nil {
		b.Fatal(err)
	}
	l.be = be
	defer be.close()
	entries := make([]Deadline, 100_000)
	for i := range entries {
		l.SetDeadline(&entries[i], l.TickIn(time.Hour), expirer(func() {}))
		l.AfterFunc(time.Hour, func() {})
	}
	for b.Loop() {
		l.begin()
		l.turn()
		l.timeout()
	}
}
