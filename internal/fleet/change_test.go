package fleet

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay/control"
)

// TestReload: the stages of a reload that goes well.
func TestReload(t *testing.T) {
	s := newService(t, single(2))
	old := slices.Clone(s.World.Procs)
	op := s.command(Command{Kind: CommandReload})
	if !s.Machine.Reloading() || len(s.World.Describes) != 1 {
		t.Fatalf("reloading: %v, %d files are asked", s.Machine.Reloading(), len(s.World.Describes))
	}
	s.described(nil, single(2))
	if n := len(s.World.Procs); n != 4 {
		t.Fatalf("%d processes, want the new beside the old", n)
	}
	s.Machine.Step(Ready{s.World.Procs[2].ID})
	s.pass(10 * settleChanged)
	if op.State != control.OperationRunning || s.Machine.Generation != 1 {
		t.Fatalf("with one of two ready it is %s, generation %d", op.State, s.Machine.Generation)
	}
	s.Machine.Step(Ready{s.World.Procs[3].ID})
	s.pass(settleChanged - 1)
	if old[0].Drained || op.State != control.OperationRunning {
		t.Fatal("the old drain before the new have stayed ready for a second")
	}
	s.pass(1)
	if op.State != control.OperationDone || op.Detail["generation"] != 2 || s.World.reloads != 1 || s.Machine.Reloading() {
		t.Fatalf("it is %s, %v, told %d times", op.State, op.Detail, s.World.reloads)
	}
	for _, p := range old {
		if w := s.Machine.Worker(p.ID); !p.Drained || w.Drain != ReasonReload || w.Deadline != s.World.Clock.add(time.Minute+killGrace) {
			t.Errorf("the old worker is told %v: %+v", p.Drained, w)
		}
	}
	s.pass(time.Minute + killGrace)
	if !old[0].Killed || s.Machine.Worker(old[0].ID).Killed != "not drained in time" {
		t.Error("a worker that does not end in time is not killed")
	}
	if s.endDrained(); len(s.World.Files) != 1 {
		t.Errorf("%d program files are open, want that of the new generation", len(s.World.Files))
	}
}

// TestReloadFails: whatever fails ends the reload, its new workers go, and the old ones
// have noticed nothing.
func TestReloadFails(t *testing.T) {
	other := single(1)
	other.Name = "b"
	other.Listen = []string{"127.0.0.1:81"}
	for _, tt := range []struct {
		name string
		fail func(s *fakeService)
		want string
	}{
		{"the file does not describe itself", func(s *fakeService) { s.described(errors.New("exit 1")) }, "exit 1"},
		{"a socket cannot be bound", func(s *fakeService) { s.World.FailOpen = 1; s.described(nil, single(1), other) },
			"program b: listen 127.0.0.1:81: address already in use"},
		{"an address is none", func(s *fakeService) {
			other := other
			other.Listen = []string{"tcp://:x"}
			s.described(nil, single(1), other)
		}, "program b: "},
		{"the first worker cannot be started", func(s *fakeService) { s.World.FailStart = 1; s.described(nil, single(1)) }, "start worker a/0: fork: "},
		{"a worker exits", func(s *fakeService) { s.described(nil, single(1), other); s.crash() }, "new worker b/0: exit 1"},
		{"a worker that was ready exits", func(s *fakeService) { s.described(nil, single(1)); s.allReady(); s.crash() }, "new worker a/0: exit 1"},
		{"a worker is not ready in time", func(s *fakeService) {
			s.described(nil, single(1))
			s.pass(time.Minute)
			s.endDrained()
		}, "new worker a/0: not ready in time: exit 1"},
		{"everything stops", func(s *fakeService) { s.described(nil, single(1)); s.Machine.Step(Command{Kind: CommandStop}) }, "the service is stopping"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newService(t, single(1))
			first := s.World.Procs[0]
			op := s.command(Command{Kind: CommandReload})
			tt.fail(s)
			if op.State != control.OperationFailed || !strings.Contains(op.Error, tt.want) {
				t.Fatalf("it is %s: %q, want %q", op.State, op.Error, tt.want)
			}
			if first.Drained != (s.Machine.Phase != PhaseRunning) || s.Machine.Generation != 1 || s.Machine.Reloading() {
				t.Errorf("the old worker drains: %v, generation %d", first.Drained, s.Machine.Generation)
			}
			s.endDrained()
			if n := len(s.World.Procs) + len(s.Machine.Programs); s.Machine.Phase == PhaseRunning && n != 2 || len(s.World.Sockets) != 0 {
				t.Errorf("%d processes and programs are left, and sockets %v", n, s.World.Sockets)
			}
		})
	}
}

// TestReloadOfWorkersThatStay: a program that is not reloaded keeps its workers, which
// are told.
func TestReloadOfWorkersThatStay(t *testing.T) {
	stays := Spec{Name: "b", Count: 1, StartTimeout: time.Minute, StopTimeout: time.Minute, NotReloadable: true}
	s := newService(t, single(1), stays)
	s.World.given = nil
	if op := s.reload(single(1), stays); op.State != control.OperationDone {
		t.Fatal(op.State, op.Error)
	}
	if w := s.Machine.Worker(s.Machine.Program("b").Slots[0].Worker); w.Generation != 1 || w.State != WorkerReady {
		t.Errorf("its worker is %+v", w)
	}
	if n := slices.IndexFunc(s.World.given, func(o fakeOrder) bool { return o.Kind == orderReload }); n < 0 {
		t.Errorf("it is not told: %v", s.World.given)
	}
}

// TestSameFile: code that is known to work has to stay ready for a shorter time.
func TestSameFile(t *testing.T) {
	s := newService(t, single(1))
	s.command(Command{Kind: CommandReload})
	s.Machine.Step(Described{Token: s.World.Describes[0].Token, File: s.World.openFile(), Same: true, Specs: []Spec{single(1)}})
	s.allReady()
	s.pass(settleSame)
	if s.Machine.Generation != 2 {
		t.Errorf("it has not settled after %v", settleSame)
	}
}

// TestLateDescription: the response to a question that nobody asks any more changes
// nothing, and its file is closed.
func TestLateDescription(t *testing.T) {
	s := newService(t, single(1))
	s.command(Command{Kind: CommandReload})
	token := s.World.Describes[0].Token
	s.Machine.Step(Described{Token: token, Err: errors.New("too late")})
	for _, ev := range []Described{{Token: token, File: s.World.openFile(), Specs: []Spec{single(1)}}, {Token: 99, Err: errors.New("exit 1")}} {
		s.Machine.Step(ev)
	}
	if len(s.World.Procs) != 1 || len(s.World.Files) != 1 {
		t.Errorf("%d processes, %d files", len(s.World.Procs), len(s.World.Files))
	}
}

// TestUpgrade: the file is executed between two halves, and the second one is a reload
// in the new master. An exec that fails leaves all as it was.
func TestUpgrade(t *testing.T) {
	for name, works := range map[string]bool{"it works": true, "the exec fails": false} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, single(1))
			id := s.command(Command{Kind: CommandUpgrade}).ID
			if s.Machine.ExecDue() || s.World.Describes[0].Kind != CommandUpgrade {
				t.Fatalf("due before the file is known, or asked as %v", s.World.Describes)
			}
			s.described(nil, single(1))
			if !s.Machine.ExecDue() || s.Machine.UpgradeBuild() == nil || len(s.World.Procs) != 1 {
				t.Fatalf("due: %v, the file %+v, %d processes", s.Machine.ExecDue(), s.Machine.UpgradeBuild(), len(s.World.Procs))
			}
			if err := s.Machine.CheckUpgrade(); err != nil {
				t.Fatal(err)
			}
			if !works {
				s.Machine.Step(ExecFailed{errors.New("exec format error")})
				if op := s.Machine.Operation(id); op.State != control.OperationFailed || op.Error != "exec format error" || len(s.World.Files) != 1 {
					t.Errorf("it is %s: %s; %d files are open", op.State, op.Error, len(s.World.Files))
				}
				s.Machine.Step(ExecFailed{errors.New("again")}) // nothing any more
				return
			}
			s.exec(single(2))
			s.allReady()
			s.tick()
			if op := s.Machine.Operation(id); op.State != control.OperationDone || s.Machine.Generation != 2 || !s.Machine.AllReady() || len(s.Machine.Programs[0].Slots) != 2 {
				t.Errorf("it is %s: %s; generation %d", op.State, op.Error, s.Machine.Generation)
			}
		})
	}
}

// TestBacklogChanges: a socket that stays gets the backlog that the new code asks for.
func TestBacklogChanges(t *testing.T) {
	spec := one(1, false)
	spec.Backlog = 128
	s := newService(t, spec)
	spec.Backlog = 512
	s.reload(spec)
	if got := s.World.Sockets[0].Backlog; got != 512 || len(s.World.Sockets) != 1 {
		t.Errorf("the backlog is %d, of %d sockets", got, len(s.World.Sockets))
	}
}

// TestSignalsAreSpaced: changes that signals ask for begin some time apart, those of
// operations at once.
func TestSignalsAreSpaced(t *testing.T) {
	s := newService(t, single(1))
	s.Machine.Step(Command{Kind: CommandReload})
	s.described(errors.New("exit 1"))
	s.Machine.Step(Command{Kind: CommandReload})
	if len(s.World.Describes) != 0 || s.Machine.NextDeadline() != s.World.Clock.add(signalSpacing) {
		t.Fatalf("the second asks at once, or is due at %d", s.Machine.NextDeadline())
	}
	s.command(Command{Kind: CommandReload}) // they are one
	if len(s.World.Describes) != 1 || len(s.Machine.Queue) != 0 {
		t.Fatal("an operation has to wait")
	}
	s.described(errors.New("exit 1"))
	s.Machine.Step(Command{Kind: CommandUpgrade})
	s.tick()
	if len(s.World.Describes) != 1 {
		t.Error("the last signal is forgotten")
	}
}
