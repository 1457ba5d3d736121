package supervise

import (
	"testing"
	"time"

	"github.com/jay-go/jay/control"
)

// TestOrders: nothing counts on a worker that has not taken its orders. They are
// given again, and who takes none is replaced, or ended.
func TestOrders(t *testing.T) {
	own := programSpec{Name: "a", Count: 2, Listen: []string{"127.0.0.1:80"}, ReusePort: true, StartTimeout: noTimeout, StopTimeout: noTimeout}
	lose := func(s *fakeService) {
		for _, p := range s.World.Procs {
			p.Orders = nil
		}
	}
	wait := func(s *fakeService) {
		s.World.Clock += instant(orderPatience)
		s.Machine.step(evTick{})
	}
	for _, tt := range []struct {
		name    string
		between func(s *fakeService) // what happens to the orders of a scale to 1
		done    bool                 // the scale
		sockets int                  // of the worker that stays
		leaves  bool                 // that worker has to
	}{
		{"taken", func(s *fakeService) { s.takeOrders(s.World.Procs[0]) }, true, 2, false},
		{"on their way", func(*fakeService) {}, false, 1, false},
		{"lost", lose, false, 1, false},
		{"lost, and repeated", func(s *fakeService) { lose(s); wait(s); s.takeOrders(s.World.Procs[0]) }, true, 2, false},
		{"not delivered, and repeated", func(s *fakeService) {
			w := s.Machine.Workers[0]
			lose(s)
			s.Machine.step(evUndelivered{w.ID, w.Ordered, "no room"})
			if soon := s.World.now().add(orderAgain); s.Machine.nextDeadline() > soon {
				t.Errorf("it is repeated at %d, want by %d", s.Machine.nextDeadline(), soon)
			}
			s.tick()
			s.takeOrders(s.World.Procs[0])
		}, true, 2, false},
		{"lost, and repeated twice, of which the first is late", func(s *fakeService) {
			wait(s)
			s.takeOrders(s.World.Procs[0])
		}, true, 2, false},
		{"another one is taken", func(s *fakeService) {
			s.Machine.step(evTaken{s.Machine.Workers[0].ID, 999})
		}, false, 1, false},
		{"never taken", func(s *fakeService) {
			for range 3 * orderTries {
				lose(s)
				wait(s)
			}
			lose(s)
		}, false, 1, true},
		{"never taken, and replaced", func(s *fakeService) {
			for range 3 * orderTries {
				lose(s)
				wait(s)
			}
			s.allReady()
		}, true, 1, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := newFakeService(own)
			if err != nil {
				t.Fatal(err)
			}
			s.allReady()
			s.World.Slow = true
			stays := s.Machine.Workers[0]
			op := s.command(evCommand{Kind: commandScale, Program: "a", Count: 1})
			tt.between(s)
			if done := op.State == control.OperationDone; done != tt.done {
				t.Errorf("the scale is %s, %s; want done %v", op.State, op.Error, tt.done)
			}
			if n := len(s.World.proc(stays.PID).Sockets); n != tt.sockets {
				t.Errorf("the worker that stays accepts from %d sockets, want %d", n, tt.sockets)
			}
			if leaves := stays.Leave != ""; leaves != tt.leaves {
				t.Errorf("it leaves: %q, want %v", stays.Leave, tt.leaves)
			}
			if len(s.World.Problems) > 0 {
				t.Error(s.World.Problems)
			}
		})
	}
}

// TestDrainThatIsNotTaken: the order is repeated with the time that is left. A
// worker without a limit that never takes it accepts for ever, and is ended.
func TestDrainThatIsNotTaken(t *testing.T) {
	for _, limit := range []time.Duration{noTimeout, time.Hour} {
		spec := programSpec{Name: "a", Count: 1, StartTimeout: noTimeout, StopTimeout: limit}
		s, err := newFakeService(spec)
		if err != nil {
			t.Fatal(err)
		}
		s.allReady()
		s.World.Slow = true
		old := s.World.Procs[0]
		s.command(evCommand{Kind: commandReload})
		s.described(nil, spec)
		s.allReady()
		for range 4 * orderTries {
			if old.Orders = nil; old.Killed {
				break
			}
			s.tick()
			for _, m := range old.Orders {
				if passed := time.Duration(s.World.Clock); m.Kind == orderDrain && limit > 0 && (m.Drain.Limit > limit || m.Drain.Limit < limit-passed) {
					t.Errorf("after %v the worker is given %v, of %v", passed, m.Drain.Limit, limit)
				}
			}
		}
		if !old.Killed {
			t.Errorf("limit %v: a worker that does not take the order to drain lives on", limit)
		}
	}
}

func TestDrainOvertakes(t *testing.T) {
	now := time.Now()
	at := func(d time.Duration) time.Time { return now.Add(d) }
	for _, tt := range []struct {
		name           string
		earlier, later Drain
		want           bool
	}{
		{"repeated", Drain{Reason: Reload, Deadline: at(time.Minute)}, Drain{Reason: Reload, Deadline: at(time.Minute - 10*time.Millisecond)}, false},
		{"repeated without a deadline", Drain{Reason: Reload}, Drain{Reason: Reload}, false},
		{"a stop", Drain{Reason: Reload, Deadline: at(time.Minute)}, Drain{Reason: Stop, Deadline: at(time.Hour)}, true},
		{"a stop, repeated", Drain{Reason: Stop, Deadline: at(time.Minute)}, Drain{Reason: Stop, Deadline: at(time.Minute)}, false},
		{"a deadline, where there was none", Drain{Reason: Reload}, Drain{Reason: Reload, Deadline: at(time.Minute)}, true},
		{"a sooner deadline", Drain{Reason: Reload, Deadline: at(time.Hour)}, Drain{Reason: Reload, Deadline: at(time.Minute)}, true},
		{"a later deadline", Drain{Reason: Stop, Deadline: at(time.Minute)}, Drain{Reason: Stop, Deadline: at(time.Hour)}, false},
	} {
		if got := tt.later.overtakes(&tt.earlier); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
