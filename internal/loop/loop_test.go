package loop

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// expirer is an Expirer made of a func.
type expirer func()

func (f expirer) Expire() { f() }

func TestTurnOrder(t *testing.T) {
	var got log
	turns := 0
	l, f := newFake(t, Config{TurnEnd: func() bool { turns++; got.add("end")(); return false }})
	src := f.source()
	var d Deadline
	l.SetDeadline(&d, l.TickIn(Tick), expirer(got.add("deadline")))
	l.AfterFunc(Tick, got.add("timer"))
	f.event(Tick, src, func() { got.add("event")(); l.Post(got.add("posted")) })
	f.run()
	if want := "end event deadline timer posted end"; strings.Join(got, " ") != want {
		t.Errorf("a turn ran %q, want %q", strings.Join(got, " "), want)
	}
}

func TestTurnEndMore(t *testing.T) {
	left := 3
	_, f := newFake(t, Config{TurnEnd: func() bool { left--; return left > 0 }})
	f.run()
	if want := []time.Duration{0, 0, -1}; !slices.Equal(f.polls, want) {
		t.Errorf("polls waited %v, want %v: not at all while TurnEnd leaves work", f.polls, want)
	}
}

func TestPostBudget(t *testing.T) {
	var perTurn []int
	ran := 0
	l, f := newFake(t, Config{PostBudget: 10, TurnEnd: func() bool {
		perTurn = append(perTurn, ran)
		ran = 0
		return false
	}})
	for range 25 {
		l.Post(func() { ran++ })
	}
	f.run()
	if want := []int{10, 10, 5}; !slices.Equal(perTurn, want) {
		t.Errorf("posted funcs per turn %v, want %v", perTurn, want)
	}
}

// A func that posts itself again and again leaves room for everything else.
func TestPostForEverLeavesTheTurn(t *testing.T) {
	l, f := newFake(t, Config{PostBudget: 4})
	runs, stop := 0, false
	var again func()
	again = func() {
		if runs++; !stop {
			l.Post(again)
		}
	}
	l.Post(again)
	f.event(0, f.source(), func() { stop = true })
	f.run()
	if runs > 8 {
		t.Errorf("the event came after %d posted funcs, want at most two budgets", runs)
	}
}

func TestStaleGenerationIsDropped(t *testing.T) {
	var got log
	_, f := newFake(t, Config{})
	old := f.source()
	var next *Watch
	f.event(time.Second, old, func() {
		got.add("first")()
		old.Unwatch()
		next = f.source()
		if next.slot != old.slot {
			t.Errorf("the slot %d was not used again but %d: the test tests nothing", old.slot, next.slot)
		}
		f.event(time.Second, next, got.add("new owner"))
	})
	f.event(time.Second, old, got.add("stale, same batch"))
	f.event(2*time.Second, old, got.add("stale, later"))
	f.run()
	if want := "first,new owner"; strings.Join(got, ",") != want {
		t.Errorf("delivered %v, want %s", got, want)
	}
}

func TestNowIsThatOfTheTurn(t *testing.T) {
	l, f := newFake(t, Config{})
	start := f.now()
	f.event(time.Second, f.source(), func() {
		f.advance(time.Minute)
		if got := l.Now().Sub(start); got != time.Second {
			t.Errorf("Now is %v after the start, want the turn's beginning, 1s", got)
		}
	})
	f.run()
}

// The time between New and Run belongs to no callback and to no deadline.
func TestRunLongAfterNew(t *testing.T) {
	l, f := newFake(t, Config{})
	f.advance(time.Hour)
	var d Deadline
	expired := time.Duration(-1)
	l.Post(func() {
		if got := l.Now(); !got.Equal(f.now()) {
			t.Errorf("Now in the first turn is %v ago", f.now().Sub(got))
		}
		l.SetDeadline(&d, l.TickIn(time.Second), expirer(func() { expired = f.elapsed() - time.Hour }))
	})
	f.run()
	if expired < time.Second || expired > time.Second+Tick {
		t.Errorf("a deadline of 1s expired after %v", expired)
	}
	if st := l.Stats(); st.Longest != 0 || st.Saturation != 0 {
		t.Errorf("idle between New and Run, then %+v", st)
	}
}

func TestStopAfterEarlierPosts(t *testing.T) {
	var got log
	l, f := newFake(t, Config{PostBudget: 2, TurnEnd: func() bool { return false }})
	for i := range 5 {
		l.Post(got.add(fmt.Sprint(i)))
	}
	l.Stop()
	f.run()
	if strings.Join(got, "") != "01234" {
		t.Errorf("before Stop ran %v, want 0 to 4", got)
	}
	if l.Post(func() {}) == nil {
		t.Error("Post on a loop that has ended reports true")
	}
	select {
	case <-l.Done():
	default:
		t.Error("Done is not closed after Run returned")
	}
}

// The turn in which Stop comes is finished, also behind a panic.
func TestStopFinishesTheTurn(t *testing.T) {
	var got log
	l, f := newFake(t, Config{
		TurnEnd: func() bool { got.add("end")(); return false },
		Recover: func(*PanicError) { got.add("recovered")() },
	})
	l.Stop()
	l.Post(func() { panic("after Stop") })
	f.run()
	if want := "recovered end"; strings.Join(got, " ") != want {
		t.Errorf("after Stop came %q, want %q", strings.Join(got, " "), want)
	}
}

// What is still registered when the loop ends is closed, so that nothing
// outlives Run.
func TestEndClosesWhatIsLeft(t *testing.T) {
	l, f := newFake(t, Config{})
	w := f.source()
	var s Stream
	if err := l.Attach(&s, Socket{FD: 1}, nil); err != nil {
		t.Fatal(err)
	}
	ln, err := l.Listen(ListenSocket{FD: 2}, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.run()
	if want := []any{w, &s, ln, f}; !slices.Equal(f.closed, want) {
		t.Errorf("closed %v, want watch, stream, listener, then the backend", f.closed)
	}
}

func TestRunTwice(t *testing.T) {
	l, f := newFake(t, Config{})
	f.run()
	if err := l.Run(); err == nil || !strings.Contains(err.Error(), "once") {
		t.Errorf("the second Run returned %v, want an error that says a loop runs once", err)
	}
}

func TestBackendNames(t *testing.T) {
	for _, tt := range []struct{ name, want, err string }{
		{"", backends[0].name, ""},
		{"auto", backends[0].name, ""},
		{"goroutine", "goroutine", ""},
		{"kqueue9", "", "use auto, " + backends[0].name},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Resolve(tt.name)
			if got != tt.want {
				t.Errorf("Resolve = %q, want %q", got, tt.want)
			}
			if (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want one with %q", err, tt.err)
			}
			if _, err2 := New(Config{Backend: tt.name + "x"}); err2 == nil {
				t.Errorf("New with backend %q did not fail", tt.name+"x")
			}
		})
	}
}
