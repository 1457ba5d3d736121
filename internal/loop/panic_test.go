package loop

import (
	"errors"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"
)

// leaving lists the ways in which a callback can fail to return.
var leaving = map[string]func(){
	"panic":  func() { panic(io.ErrUnexpectedEOF) },
	"goexit": runtime.Goexit,
}

// Each kind of callback fails in each way; what was due in the same turn runs
// all the same, once, in its order, and the failure is reported once.
func TestCallbackThatDoesNotReturn(t *testing.T) {
	const all = "event 1,event 2,deadline 1,deadline 2,timer 1,timer 2,posted 1,posted 2,end"
	for how, leave := range leaving {
		for _, where := range strings.Split(all, ",") {
			t.Run(how+" in "+where, func(t *testing.T) {
				var got log
				var faults []*PanicError
				armed := false
				step := func(what string) func() {
					return func() {
						if armed {
							got.add(what)()
						}
						if armed && what == where {
							armed = what != "end"
							leave()
						}
					}
				}
				l, f := newFake(t, Config{
					Recover: func(e *PanicError) { faults = append(faults, e) },
					TurnEnd: func() bool { step("end")(); armed = false; return false },
				})
				src := f.source()
				var d [2]Deadline
				for i, n := range []string{"1", "2"} {
					l.SetDeadline(&d[i], l.TickIn(Tick), expirer(step("deadline "+n)))
					l.AfterFunc(Tick, step("timer "+n))
					f.event(Tick, src, func() {
						armed = true
						l.Post(step("posted " + n))
						step("event " + n)()
					})
				}
				f.run()
				if strings.Join(got, ",") != all {
					t.Errorf("ran  %s\nwant %s", strings.Join(got, ","), all)
				}
				checkFault(t, faults, how == "goexit", "TestCallbackThatDoesNotReturn")
				if n := l.Stats().Panics; n != 1 {
					t.Errorf("Stats.Panics is %d, want 1", n)
				}
			})
		}
	}
}

func checkFault(t *testing.T, faults []*PanicError, goexit bool, culprit string) {
	t.Helper()
	if len(faults) != 1 {
		t.Fatalf("%d faults were reported, want 1", len(faults))
	}
	e := faults[0]
	if e.Goexit != goexit || errors.Is(e, io.ErrUnexpectedEOF) == goexit {
		t.Errorf("reported Goexit=%v value=%v, want Goexit=%v", e.Goexit, e.Value, goexit)
	}
	if !strings.Contains(string(e.Stack), culprit) {
		t.Errorf("the stack does not name the culprit %s:\n%s", culprit, e.Stack)
	}
}

// A Recover that fails itself is logged, and neither starves the loop nor
// loses what was due.
func TestRecoverThatDoesNotReturn(t *testing.T) {
	for how, leave := range leaving {
		t.Run(how, func(t *testing.T) {
			var got log
			var logged strings.Builder
			calls := 0
			l, f := newFake(t, Config{
				Logger: slog.New(slog.NewTextHandler(&logged, nil)),
				Recover: func(*PanicError) {
					if calls++; calls > 100 {
						t.Error("Recover is called again and again")
						select {}
					}
					leave()
				},
			})
			src := f.source()
			f.event(Tick, src, func() { panic("first") })
			f.event(Tick, src, got.add("rest of the batch"))
			l.AfterFunc(Tick, got.add("timer"))
			f.event(2*Tick, src, got.add("next turn"))
			f.run()
			if want := "rest of the batch,timer,next turn"; strings.Join(got, ",") != want {
				t.Errorf("after it ran %q, want %q", strings.Join(got, ","), want)
			}
			if calls != 1 || l.Stats().Panics != 2 {
				t.Errorf("Recover was called %d times and Panics is %d, want 1 and 2", calls, l.Stats().Panics)
			}
			if !strings.Contains(logged.String(), "Recover") {
				t.Errorf("logged %q, want it to name Recover", logged.String())
			}
		})
	}
}

func TestNoRecoverLogs(t *testing.T) {
	var logged strings.Builder
	_, f := newFake(t, Config{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	f.event(0, f.source(), func() { panic("spilled milk") })
	f.run()
	if !strings.Contains(logged.String(), "spilled milk") || !strings.Contains(logged.String(), "TestNoRecoverLogs") {
		t.Errorf("logged %q, want the value and the stack", logged.String())
	}
}

// A TurnEnd that always fails costs what it flushes, not the events.
func TestTurnEndAlwaysPanics(t *testing.T) {
	var got log
	faults := 0
	var l *Loop
	l, f := newFake(t, Config{
		TurnEnd: func() bool { panic("always") },
		Recover: func(*PanicError) {
			if faults++; faults == 100 {
				l.Stop()
			}
		},
	})
	f.event(time.Second, f.source(), got.add("event"))
	l.AfterFunc(0, got.add("timer"))
	f.pollTakes = 100 * time.Millisecond
	f.run()
	if want := "timer,event"; strings.Join(got, ",") != want {
		t.Errorf("with a TurnEnd that always panics %q ran, want %q", strings.Join(got, ","), want)
	}
}

// Funcs that post themselves and panic do not keep the events from coming.
func TestPostedPanicsKeepTheBudget(t *testing.T) {
	faults, stop := 0, false
	l, f := newFake(t, Config{PostBudget: 4, Recover: func(*PanicError) {
		if faults++; faults > 100 {
			stop = true
		}
	}})
	var again func()
	again = func() {
		if !stop {
			l.Post(again)
			panic("again")
		}
	}
	l.Post(again)
	f.event(0, f.source(), func() { stop = true })
	f.run()
	if faults > 8 {
		t.Errorf("the event came after %d panics, want at most two budgets", faults)
	}
}

// A timer that sets itself anew and panics does not keep the turn from ending,
// even if the clock stands still.
func TestTimerPanicsEndTheTurn(t *testing.T) {
	faults, stop := 0, false
	l, f := newFake(t, Config{Recover: func(*PanicError) {
		if faults++; faults > 100 {
			stop = true
		}
	}})
	var again func()
	again = func() {
		if !stop {
			l.AfterFunc(0, again)
			panic("again")
		}
	}
	l.AfterFunc(0, again)
	f.event(0, f.source(), func() { stop = true })
	f.run()
	if faults > 4 {
		t.Errorf("the event came after %d panics of a timer, want a turn's worth", faults)
	}
}

func TestLongestCountsWhatPanicked(t *testing.T) {
	l, f := newFake(t, Config{Recover: func(*PanicError) {}})
	f.event(0, f.source(), func() { f.advance(3 * time.Second); panic("late") })
	f.run()
	if got := l.Stats().Longest; got != 3*time.Second {
		t.Errorf("Longest is %v, want 3s", got)
	}
}

func TestPanicError(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  *PanicError
		text string
	}{
		{"value", &PanicError{Value: 42}, "panic: 42"},
		{"error", &PanicError{Value: io.EOF}, "panic: EOF"},
		{"goexit", &PanicError{Goexit: true}, "runtime.Goexit was called in a callback"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.err.Error() != tt.text {
				t.Errorf("Error() = %q, want %q", tt.err.Error(), tt.text)
			}
			if errors.Is(tt.err, io.EOF) != (tt.err.Value == io.EOF) {
				t.Errorf("errors.Is(io.EOF) = %v", errors.Is(tt.err, io.EOF))
			}
		})
	}
}
