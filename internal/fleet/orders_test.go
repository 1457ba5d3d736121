package fleet

import (
	"testing"
	"time"

	"github.com/jay-go/jay/control"
)

// TestOrders: nothing counts on a worker that has not taken its orders. They are
// given again, and who takes none is replaced, or ended.
func TestOrders(t *testing.T) {
	own := Spec{Name: "a", Count: 2, Listen: []string{"127.0.0.1:80"}, ReusePort: true, StartTimeout: NoTimeout, StopTimeout: NoTimeout}
	lose := func(s *fakeService) {
		for _, p := range s.World.Procs {
			p.Orders = nil
		}
	}
	wait := func(s *fakeService) {
		s.World.Clock += Instant(orderPatience)
		s.Machine.Step(Tick{})
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
			s.Machine.Step(Undelivered{w.ID, w.Ordered, "no room"})
			if soon := s.World.Now().add(orderAgain); s.Machine.NextDeadline() > soon {
				t.Errorf("it is repeated at %d, want by %d", s.Machine.NextDeadline(), soon)
			}
			s.tick()
			s.takeOrders(s.World.Procs[0])
		}, true, 2, false},
		{"lost, and repeated twice, of which the first is late", func(s *fakeService) {
			wait(s)
			s.takeOrders(s.World.Procs[0])
		}, true, 2, false},
		{"another one is taken", func(s *fakeService) {
			s.Machine.Step(Taken{s.Machine.Workers[0].ID, 999})
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
			op := s.command(Command{Kind: CommandScale, Program: "a", Count: 1})
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
	for _, limit := range []time.Duration{NoTimeout, time.Hour} {
		spec := Spec{Name: "a", Count: 1, StartTimeout: NoTimeout, StopTimeout: limit}
		s, err := newFakeService(spec)
		if err != nil {
			t.Fatal(err)
		}
		s.allReady()
		s.World.Slow = true
		old := s.World.Procs[0]
		s.command(Command{Kind: CommandReload})
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

// TestSocketsThenDrain: who drains is not told any more from which sockets to accept,
// though that order was lost as well.
func TestSocketsThenDrain(t *testing.T) {
	s := newService(t, one(2, true))
	s.World.Slow = true
	s.command(Command{Kind: CommandScale, Program: "a", Count: 1})
	s.Machine.Step(Command{Kind: CommandStop})
	p := s.World.Procs[0]
	if len(p.Orders) != 2 {
		t.Fatalf("the worker that stayed is told %+v, want its sockets and to drain", p.Orders)
	}
	p.Orders = nil
	s.pass(orderPatience)
	if len(p.Orders) != 1 || p.Orders[0].Kind != orderDrain || p.Orders[0].Drain.Reason != ReasonStop {
		t.Errorf("it is told once more %+v, want only to drain", p.Orders)
	}
	if s.takeOrders(p); len(s.Machine.Worker(p.ID).Orders) != 0 || s.Machine.Worker(p.ID).Repeated != 0 {
		t.Errorf("orders are left: %+v", s.Machine.Worker(p.ID))
	}
}
