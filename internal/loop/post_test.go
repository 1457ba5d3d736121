package loop

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Eight goroutines post while the loop runs and after it was stopped: each
// one's funcs run in its order, and what came before Stop is not lost.
func TestPostFromManyGoroutines(t *testing.T) {
	const posters, each = 8, 5000
	for _, k := range backends {
		t.Run(k.name, func(t *testing.T) {
			l, err := New(Config{Backend: k.name, PostBudget: 100})
			if err != nil {
				t.Fatal(err)
			}
			ran := make([]int, posters) // loop only, then after Run
			ended := make(chan error, 1)
			go func() { ended <- l.Run() }()
			var wg sync.WaitGroup
			for p := range posters {
				wg.Go(func() {
					for i := range each {
						err := l.Post(func() {
							if ran[p] != i {
								t.Errorf("poster %d: func %d ran after %d others", p, i, ran[p])
							}
							ran[p]++
						})
						if err != nil {
							t.Errorf("poster %d: Post %d before Stop: %v", p, i, err)
						}
					}
				})
			}
			wg.Wait()
			l.Stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			for p, n := range ran {
				if n != each {
					t.Errorf("poster %d: %d of %d funcs ran", p, n, each)
				}
			}
		})
	}
}

// Posts that race the end of the loop either run before Run returns or not at
// all, and those that come later are told.
func TestPostRacesTheEnd(t *testing.T) {
	for _, k := range backends {
		t.Run(k.name, func(t *testing.T) {
			for range 50 {
				l, err := New(Config{Backend: k.name})
				if err != nil {
					t.Fatal(err)
				}
				var returned atomic.Bool
				var wg sync.WaitGroup
				for range 4 {
					wg.Go(func() {
						for l.Post(func() {
							if returned.Load() {
								t.Error("a func ran after Run had returned")
							}
						}) != ErrEnded {
						}
					})
				}
				l.Stop()
				if err := l.Run(); err != nil {
					t.Error(err)
				}
				returned.Store(true)
				wg.Wait()
				if l.Post(func() {}) == nil {
					t.Error("Post succeeds after Run returned")
				}
			}
		})
	}
}

// A Post that has found the loop asleep wakes a backend that still exists: the
// end of the loop waits for it.
func TestEndWaitsForWakes(t *testing.T) {
	l, f := newFake(t, Config{})
	slow := &slowWake{fake: f, entered: make(chan struct{}), leave: make(chan struct{})}
	l.be = slow
	l.mail.asleep.Store(true)
	go l.Post(func() {})
	<-slow.entered
	closed := make(chan struct{})
	go func() {
		l.mail.close()
		close(closed)
	}()
	for l.Post(func() {}) == nil { // until close has begun
	}
	select {
	case <-closed:
		t.Error("the mailbox is closed, and a wake is still running")
	case <-time.After(20 * time.Millisecond): // long enough for one that does not wait
	}
	close(slow.leave)
	<-closed
}

type slowWake struct {
	*fake
	entered, leave chan struct{}
}

func (s *slowWake) wake() {
	close(s.entered)
	<-s.leave
}

// However much is posted while the loop is busy, the backend is woken once.
func TestWakesAreCoalesced(t *testing.T) {
	l, f := newFake(t, Config{})
	f.bell = make(chan struct{}, 1)
	ended := make(chan error, 1)
	go func() { ended <- l.Run() }()

	entered, leave := make(chan struct{}), make(chan struct{})
	l.Post(func() { close(entered); <-leave })
	<-entered
	before := f.wakes.Load()
	if before > 1 {
		t.Errorf("one Post to a loop that may sleep caused %d wakes", before)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				l.Post(func() {})
			}
		})
	}
	wg.Wait()
	if n := f.wakes.Load() - before; n != 0 {
		t.Errorf("8000 Posts to a busy loop caused %d wakes, want none", n)
	}
	close(leave)
	l.Stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n := f.wakes.Load(); n > 2 {
		t.Errorf("%d wakes in all, want at most one each for the first Post and Stop", n)
	}
}

// From the loop itself Post wakes nobody.
func TestPostOnTheLoopDoesNotWake(t *testing.T) {
	l, f := newFake(t, Config{})
	n := 0
	var again func()
	again = func() {
		if n++; n < 5000 {
			l.Post(again)
		}
	}
	l.Post(again)
	f.run()
	if n != 5000 || f.wakes.Load() != 0 {
		t.Errorf("%d ran with %d wakes, want 5000 with none", n, f.wakes.Load())
	}
}

// What waits for a loop that is busy is bounded; what was posted before runs, in
// order, and then there is room again.
func TestPostIsBounded(t *testing.T) {
	const most = 1000
	for _, k := range backends {
		t.Run(k.name, func(t *testing.T) {
			l, err := New(Config{Backend: k.name, MaxPosted: most})
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- l.Run() }()
			busy, goOn := make(chan bool), make(chan bool)
			_ = l.Post(func() { busy <- true; <-goOn })
			<-busy
			var ran atomic.Int64
			for i := range most + 10 {
				err := l.Post(func() { ran.Add(1) })
				if want := i < most; (err == nil) != want || err != nil && err != ErrBusy {
					t.Fatalf("Post %d of %d: %v", i, most, err)
				}
			}
			if err := l.PostAnyway(func() { ran.Add(1) }); err != nil {
				t.Errorf("PostAnyway: %v", err)
			}
			close(goOn)
			done := make(chan bool)
			for l.Post(func() { close(done) }) == ErrBusy {
				time.Sleep(time.Millisecond)
			}
			<-done
			if n := ran.Load(); n != most+1 {
				t.Errorf("%d funcs ran, want %d", n, most+1)
			}
			l.Stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}
