package fleet

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay/control"
)

// TestReplace: what becomes of a worker that hangs, or has served its time, and
// of its slot.
func TestReplace(t *testing.T) {
	const hung = "hung: blocked"
	for _, tt := range []struct {
		name string
		do   func(s *fakeService, old uint32)
		// of the worker that was there first
		killed, drained bool
		restarts        int
		cause           string // of its exit; "": it lives
	}{
		{"hung, and another is ready", func(s *fakeService, old uint32) {
			s.Machine.Step(Replace{ID: old, Why: hung, Hung: true})
			s.allReady()
		}, true, false, 1, hung},
		{"hung, and the other does not become ready", func(s *fakeService, old uint32) {
			s.Machine.Step(Replace{ID: old, Why: hung, Hung: true})
			s.World.Clock += Instant(hungGrace)
			s.Machine.Step(Tick{})
		}, true, false, 1, hung},
		{"hung, and no other can be started", func(s *fakeService, old uint32) {
			s.World.FailStart = 100
			s.Machine.Step(Replace{ID: old, Why: hung, Hung: true})
			for s.World.proc(int(old)) != nil && !s.World.proc(int(old)).Killed {
				s.tick()
			}
		}, true, false, 1, hung},
		{"hung, and goes on before another is ready", func(s *fakeService, old uint32) {
			s.Machine.Step(Replace{ID: old, Why: hung, Hung: true})
			s.Machine.Step(Recovered{old})
			s.World.Clock += Instant(2 * hungGrace)
			s.Machine.Step(Tick{})
			s.allReady()
		}, false, true, 1, ""},
		{"it has served its time", func(s *fakeService, old uint32) {
			s.Machine.Step(Replace{ID: old, Why: "100 requests"})
			s.allReady()
		}, false, true, 0, ""},
		{"it has served its time and hangs", func(s *fakeService, old uint32) {
			s.Machine.Step(Replace{ID: old, Why: "100 requests"})
			s.Machine.Step(Replace{ID: old, Why: hung, Hung: true})
			s.allReady()
		}, true, false, 1, hung},
		{"hung while it drains", func(s *fakeService, old uint32) {
			s.Machine.Step(Command{Kind: CommandStop, NoLimit: true})
			s.Machine.Step(Replace{ID: old, Why: hung, Hung: true})
		}, true, true, 0, hung},
		{"hung, and the service is reloaded", func(s *fakeService, old uint32) {
			s.Machine.Step(Replace{ID: old, Why: hung, Hung: true})
			s.command(Command{Kind: CommandReload})
			s.described(nil, s.Machine.Programs[0].Spec)
			s.allReady()
			s.tick()
		}, true, false, 1, hung},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := newFakeService(Spec{Name: "a", Count: 1, StartTimeout: time.Minute, StopTimeout: NoTimeout})
			if err != nil {
				t.Fatal(err)
			}
			s.allReady()
			s.World.Clock += Instant(healthyTime)
			old := s.Machine.Workers[0]
			tt.do(s, old.ID)
			p := s.World.proc(old.PID)
			if p == nil {
				t.Fatal("the worker's process was reaped by nobody and is gone")
			}
			if p.Killed != tt.killed || p.Drained != tt.drained {
				t.Errorf("killed %v, drained %v; want %v, %v", p.Killed, p.Drained, tt.killed, tt.drained)
			}
			if p.Killed {
				s.Machine.Step(s.World.reap(p))
				cause := s.World.exits[len(s.World.exits)-1].Cause
				if !strings.HasPrefix(cause, tt.cause+": ") {
					t.Errorf("its exit has the cause %q, want %q", cause, tt.cause)
				}
			}
			if got := s.Machine.Programs[0].Restarts; got != tt.restarts {
				t.Errorf("%d restarts are counted, want %d", got, tt.restarts)
			}
			if len(s.World.Problems) > 0 {
				t.Error(s.World.Problems)
			}
		})
	}
}

// TestNewWorkerHangs: new code that hangs is not taken.
func TestNewWorkerHangs(t *testing.T) {
	spec := Spec{Name: "a", Count: 1, StartTimeout: time.Minute, StopTimeout: time.Second}
	s, err := newFakeService(spec)
	if err != nil {
		t.Fatal(err)
	}
	s.allReady()
	old := s.Machine.Workers[0]
	op := s.command(Command{Kind: CommandReload})
	s.described(nil, spec)
	s.allReady()
	i := slices.IndexFunc(s.Machine.Workers, func(w *Worker) bool { return w != old })
	s.Machine.Step(Replace{ID: s.Machine.Workers[i].ID, Why: "hung: blocked", Hung: true})
	if got := s.Machine.Operation(op.ID); got.State != control.OperationFailed || !strings.Contains(got.Error, "hung: blocked") {
		t.Errorf("the reload is %s, %q; want failed, and why", got.State, got.Error)
	}
	if p := s.World.proc(old.PID); p.Drained || p.Killed || s.Machine.Ready(s.Machine.Programs[0]) != 1 {
		t.Errorf("the old worker does not serve any more: %+v", p)
	}
}
