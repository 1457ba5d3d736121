package supervise

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
			s.Machine.step(evReplace{ID: old, Why: hung, Hung: true})
			s.allReady()
		}, true, false, 1, hung},
		{"hung, and the other does not become ready", func(s *fakeService, old uint32) {
			s.Machine.step(evReplace{ID: old, Why: hung, Hung: true})
			s.World.Clock += instant(hungGrace)
			s.Machine.step(evTick{})
		}, true, false, 1, hung},
		{"hung, and no other can be started", func(s *fakeService, old uint32) {
			s.World.FailStart = 100
			s.Machine.step(evReplace{ID: old, Why: hung, Hung: true})
			for s.World.proc(int(old)) != nil && !s.World.proc(int(old)).Killed {
				s.tick()
			}
		}, true, false, 1, hung},
		{"hung, and goes on before another is ready", func(s *fakeService, old uint32) {
			s.Machine.step(evReplace{ID: old, Why: hung, Hung: true})
			s.Machine.step(evRecovered{old})
			s.World.Clock += instant(2 * hungGrace)
			s.Machine.step(evTick{})
			s.allReady()
		}, false, true, 1, ""},
		{"it has served its time", func(s *fakeService, old uint32) {
			s.Machine.step(evReplace{ID: old, Why: "100 requests"})
			s.allReady()
		}, false, true, 0, ""},
		{"it has served its time and hangs", func(s *fakeService, old uint32) {
			s.Machine.step(evReplace{ID: old, Why: "100 requests"})
			s.Machine.step(evReplace{ID: old, Why: hung, Hung: true})
			s.allReady()
		}, true, false, 1, hung},
		{"hung while it drains", func(s *fakeService, old uint32) {
			s.Machine.step(evCommand{Kind: commandStop, NoLimit: true})
			s.Machine.step(evReplace{ID: old, Why: hung, Hung: true})
		}, true, true, 0, hung},
		{"hung, and the service is reloaded", func(s *fakeService, old uint32) {
			s.Machine.step(evReplace{ID: old, Why: hung, Hung: true})
			s.command(evCommand{Kind: commandReload})
			s.described(nil, s.Machine.Programs[0].Spec)
			s.allReady()
			s.tick()
		}, true, false, 1, hung},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := newFakeService(programSpec{Name: "a", Count: 1, StartTimeout: time.Minute, StopTimeout: noTimeout})
			if err != nil {
				t.Fatal(err)
			}
			s.allReady()
			s.World.Clock += instant(healthyTime)
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
				s.Machine.step(s.World.reap(p))
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
	spec := programSpec{Name: "a", Count: 1, StartTimeout: time.Minute, StopTimeout: time.Second}
	s, err := newFakeService(spec)
	if err != nil {
		t.Fatal(err)
	}
	s.allReady()
	old := s.Machine.Workers[0]
	op := s.command(evCommand{Kind: commandReload})
	s.described(nil, spec)
	s.allReady()
	i := slices.IndexFunc(s.Machine.Workers, func(w *worker) bool { return w != old })
	s.Machine.step(evReplace{ID: s.Machine.Workers[i].ID, Why: "hung: blocked", Hung: true})
	if got := s.Machine.operation(op.ID); got.State != control.OperationFailed || !strings.Contains(got.Error, "hung: blocked") {
		t.Errorf("the reload is %s, %q; want failed, and why", got.State, got.Error)
	}
	if p := s.World.proc(old.PID); p.Drained || p.Killed || s.Machine.ready(s.Machine.Programs[0]) != 1 {
		t.Errorf("the old worker does not serve any more: %+v", p)
	}
}

func TestServed(t *testing.T) {
	spec := &programSpec{MaxRequests: 1000, MaxAge: time.Hour, MaxRSS: 100 << 20}
	for _, tt := range []struct {
		name     string
		spec     *programSpec
		requests int64
		rss      int64
		age      time.Duration
		early    float64
		want     string
	}{
		{"nothing", spec, 999, 100<<20 - 1, time.Hour - 1, 0, ""},
		{"requests", spec, 1000, 0, 0, 0, "it has served 1000 requests of at most 1000"},
		{"requests, early", spec, 950, 0, 0, 0.5, "it has served 950 requests of at most 1000"},
		{"never a tenth early", spec, 899, 0, 0, 0.99, ""},
		{"age", spec, 0, 0, time.Hour, 0, "it is 1h0m0s old of at most 1h0m0s"},
		{"memory", spec, 0, 100 << 20, 0, 0, "it takes 100.0M of memory of at most 100.0M"},
		{"no limits", &programSpec{}, 1 << 60, 1 << 60, 1 << 60, 1, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.spec.served(tt.requests, tt.rss, tt.age, tt.early); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
