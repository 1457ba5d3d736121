package fleet

import (
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay/control"
)

func exclusiveSpec(name string) Spec {
	return Spec{Name: name, Count: 1, StartTimeout: 10 * time.Second, StopTimeout: 10 * time.Second, Exclusive: true}
}

// living are the processes of a program in the order of their starts.
func (s *fakeService) living(program string) (list []*fakeProc) {
	for _, w := range s.Machine.Workers {
		if w.Program == program {
			list = append(list, s.World.proc(w.PID))
		}
	}
	return list
}

// endDrained lets every process exit that was told to go.
func (s *fakeService) endDrained() {
	for _, p := range append([]*fakeProc(nil), s.World.Procs...) {
		if p.ends() {
			s.Machine.Step(s.World.reap(p))
		}
	}
}

// newStoreService is a service with a worker "a" and an exclusive "store", both ready.
func newStoreService(t *testing.T) *fakeService {
	t.Helper()
	s, err := newFakeService(Spec{Name: "a", Count: 1, StartTimeout: time.Second, StopTimeout: time.Second}, exclusiveSpec("store"))
	if err != nil {
		t.Fatal(err)
	}
	s.allReady()
	t.Cleanup(func() {
		for _, problem := range s.World.Problems {
			t.Error(problem)
		}
	})
	return s
}

// TestExclusiveExchange: a reload leaves an exclusive worker alone until all
// others have proved themselves, and then waits for its end.
func TestExclusiveExchange(t *testing.T) {
	s := newStoreService(t)
	old := s.living("store")[0]
	op := s.command(Command{Kind: CommandReload})
	s.described(nil, Spec{Name: "a", Count: 1, StartTimeout: time.Second, StopTimeout: time.Second}, exclusiveSpec("store"))
	if n := len(s.living("a")); n != 2 || old.Drained {
		t.Fatalf("%d workers of a; the store drains: %v", n, old.Drained)
	}
	s.allReady()
	if old.Drained {
		t.Fatal("the store drains before the new workers have settled")
	}
	s.tick()
	if !old.Drained || len(s.living("store")) != 1 {
		t.Fatalf("the store drains: %v, %d of them live", old.Drained, len(s.living("store")))
	}
	if at := s.Machine.NextDeadline(); at <= s.World.Clock { // the drain ends later
		t.Errorf("the machine wants to be called at %d, at %d, though it only waits", at, s.World.Clock)
	}
	if want := "worker store/0 (pid 2) has to end first"; op.Waits != want {
		t.Errorf("the reload waits for %q, want %q", op.Waits, want)
	}
	s.endDrained()
	if n := len(s.living("store")); n != 1 || op.Waits != "" {
		t.Fatalf("%d stores live; the reload waits for %q", n, op.Waits)
	}
	s.allReady()
	if op.State != control.OperationRunning {
		t.Fatal("the reload does not wait whether the new store stays ready")
	}
	s.tick()
	if op.State != control.OperationDone || s.Machine.Generation != 2 {
		t.Fatalf("the reload is %s (%s), generation %d", op.State, op.Error, s.Machine.Generation)
	}
}

// TestExclusiveComesBack: where the new worker fails, the code before is started
// again, by itself, and the rest of the service was never replaced.
func TestExclusiveComesBack(t *testing.T) {
	for name, fail := range map[string]func(s *fakeService, p *fakeProc){
		"it exits": func(s *fakeService, p *fakeProc) { s.Machine.Step(s.World.reap(p)) },
		"it is not ready": func(s *fakeService, p *fakeProc) {
			s.World.Clock = s.Machine.Worker(p.ID).Deadline
			s.Machine.Step(Tick{})
			s.endDrained()
		},
		"it hangs": func(s *fakeService, p *fakeProc) {
			s.Machine.Step(Replace{ID: p.ID, Why: "blocked", Hung: true})
			s.endDrained()
		},
		"it exits while ready": func(s *fakeService, p *fakeProc) { s.allReady(); s.Machine.Step(s.World.reap(p)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStoreService(t)
			first := s.living("a")[0]
			op := s.command(Command{Kind: CommandReload})
			s.described(nil, Spec{Name: "a", Count: 1, StartTimeout: time.Second, StopTimeout: time.Second}, exclusiveSpec("store"))
			s.allReady()
			s.tick()
			s.Machine.Step(s.World.reap(s.living("store")[0]))
			fail(s, s.living("store")[0])
			if op.State != control.OperationFailed || !strings.Contains(op.Error, "new worker store/0") {
				t.Fatalf("the reload is %s: %s", op.State, op.Error)
			}
			store := s.Machine.Worker(s.living("store")[0].ID)
			if store.Generation != 1 || first.Drained {
				t.Errorf("the store is of generation %d, the worker of a drains: %v", store.Generation, first.Drained)
			}
		})
	}
}

// TestExclusiveLeaves: whatever replaces one worker, the next starts when it has
// ended, and one that hangs is not waited for.
func TestExclusiveLeaves(t *testing.T) {
	for name, tt := range map[string]struct {
		ev     Replace
		killed bool
	}{
		"it has served its time": {Replace{Why: "100 requests"}, false},
		"it hangs":               {Replace{Why: "blocked", Hung: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStoreService(t)
			old := s.living("store")[0]
			tt.ev.ID = old.ID
			s.Machine.Step(tt.ev)
			if len(s.living("store")) != 1 || old.Killed != tt.killed || !old.Drained && !old.Killed {
				t.Fatalf("%d stores live; killed: %v, told to go: %v", len(s.living("store")), old.Killed, old.Drained)
			}
			if at := s.Machine.NextDeadline(); at != 0 && at <= s.World.Now() {
				t.Errorf("the machine wants to be called at %d, at %d, though nothing is to be done", at, s.World.Now())
			}
			s.endDrained()
			if list := s.living("store"); len(list) != 1 || list[0] == old {
				t.Fatalf("the next store has not started: %d live", len(list))
			}
		})
	}
}

// TestExclusiveScale: one is all that there can be.
func TestExclusiveScale(t *testing.T) {
	s := newStoreService(t)
	op := s.command(Command{Kind: CommandScale, Program: "store", Count: 2})
	if op.State != control.OperationFailed || op.Error != "store=2: the program is exclusive, so it has one worker" {
		t.Errorf("the scale is %s: %s", op.State, op.Error)
	}
	// A program that becomes exclusive is not as scaled any more.
	s.command(Command{Kind: CommandScale, Program: "a", Count: 3})
	s.allReady()
	s.command(Command{Kind: CommandReload})
	s.described(nil, exclusiveSpec("a"), exclusiveSpec("store"))
	for range 4 {
		s.endDrained()
		s.allReady()
		s.tick()
	}
	if n := len(s.living("a")); n != 1 || s.Machine.Generation != 2 {
		t.Errorf("%d workers of a live in generation %d", n, s.Machine.Generation)
	}
}
