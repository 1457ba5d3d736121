package fleet

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay/control"
)

// reload carries a reload through to the point where the old workers drain.
func (s *fakeService) reload(specs ...Spec) *control.Operation {
	op := s.command(Command{Kind: CommandReload})
	if len(s.World.Describes) == 0 {
		return op
	}
	s.described(nil, specs...)
	s.allReady()
	if s.Machine.Change != nil {
		s.World.Clock = max(s.World.Clock, s.Machine.Change.Until)
		s.Machine.Step(Tick{})
	}
	return op
}

// draining lists the workers that drain, oldest first.
func (s *fakeService) draining() (list []*Worker) {
	for _, w := range s.Machine.Workers {
		if w.State == WorkerDraining {
			list = append(list, w)
		}
	}
	return list
}

// outlive lets time pass until a worker has ended.
func (s *fakeService) outlive(t *testing.T, w *Worker) {
	t.Helper()
	for s.World.proc(w.PID) != nil {
		if p := s.World.proc(w.PID); p.Killed {
			s.Machine.Step(s.World.reap(p))
		} else if !s.tick() {
			t.Fatal("nothing comes of it")
		}
	}
}

// goOn lets changes go well that wait, or are in progress.
func (s *fakeService) goOn(specs ...Spec) {
	for range 5 {
		if len(s.World.Describes) > 0 {
			s.described(nil, specs...)
		}
		s.allReady()
		if s.Machine.Change != nil {
			s.World.Clock = max(s.World.Clock, s.Machine.Change.Until)
		}
		s.Machine.Step(Tick{})
	}
}

// TestHurry: where workers drain without a limit, only the oldest is hurried,
// and only when it is in the way; it is told how long it has, and so is
// whoever waits. What comes then goes on when it has gone.
func TestHurry(t *testing.T) {
	spec := Spec{Name: "a", Count: 1, StartTimeout: NoTimeout, StopTimeout: NoTimeout}
	other := Spec{Name: "b", Count: 1, StartTimeout: NoTimeout, StopTimeout: NoTimeout, NotReloadable: true}
	replace := func(s *fakeService) {
		s.Machine.Step(Replace{ID: s.Machine.Programs[0].Slots[0].Worker, Why: "it is old"})
		s.allReady()
	}
	for _, tt := range []struct {
		name    string
		once    func(s *fakeService) // makes one more drain
		before  int                  // so often before anything is in the way
		waiting bool                 // the last time somebody waits for an operation
	}{
		{"reload", func(s *fakeService) { s.reload(spec, other) }, 2, true},
		{"replacement", replace, 2, false},
		{"scale", func(s *fakeService) {
			s.command(Command{Kind: CommandScale, Program: "a", Count: 2})
			s.allReady()
			s.command(Command{Kind: CommandScale, Program: "a", Count: 1})
		}, 3, true},
		{"hold", func(s *fakeService) {
			s.Machine.Step(Command{Kind: CommandHold})
			s.reload(spec, other)
		}, 2, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := newFakeService(spec, other)
			if err != nil {
				t.Fatal(err)
			}
			s.allReady()
			for range tt.before {
				tt.once(s)
				s.World.Clock += Instant(time.Hour)
				s.Machine.Step(Tick{})
			}
			for _, w := range s.draining() {
				if w.Deadline != 0 {
					t.Fatalf("worker %d is hurried although nothing waits for it", w.ID)
				}
			}
			began, processes := s.World.Clock, len(s.Machine.Workers)
			tt.once(s)
			oldest := s.draining()[0]
			if want := began.add(forcedDrain + killGrace); oldest.Deadline != want {
				t.Errorf("the oldest has until %d, want %d", oldest.Deadline, want)
			}
			told := slices.ContainsFunc(s.World.given, func(o fakeOrder) bool { return o.Kind == orderDrain && o.Drain.Limit == forcedDrain })
			if !told {
				t.Error("it is not told how long it has")
			}
			for _, w := range s.draining()[1:] {
				if w.Deadline != 0 && w.Deadline != oldest.Deadline || w.Build != oldest.Build && w.Deadline != 0 {
					t.Errorf("worker %d, which is in nobody's way, has until %d", w.ID, w.Deadline)
				}
			}
			if n := len(s.Machine.Workers); n > processes+1 {
				t.Errorf("%d processes live, before %d", n, processes)
			}
			waits := slices.ContainsFunc(s.Machine.Operations, func(op *control.Operation) bool { return op.State == control.OperationRunning && op.Waits != "" })
			if waits != tt.waiting {
				t.Errorf("an operation that says what it waits for: %v, want %v", waits, tt.waiting)
			}
			s.outlive(t, oldest)
			s.goOn(spec, other)
			for _, op := range s.Machine.Operations {
				if op.State != control.OperationDone || op.Waits != "" {
					t.Errorf("operation %s is %s, %q, %q", op.Kind, op.State, op.Error, op.Waits)
				}
			}
		})
	}
}

// TestCommandsAreOne: whatever is asked for while something is carried out waits
// as one command of its kind and program, and all learn what came of it.
func TestCommandsAreOne(t *testing.T) {
	spec := Spec{Name: "a", Count: 1, StartTimeout: NoTimeout, StopTimeout: NoTimeout}
	other := spec
	other.Name = "b"
	s, err := newFakeService(spec, other)
	if err != nil {
		t.Fatal(err)
	}
	s.allReady()
	first := s.command(Command{Kind: CommandScale, Program: "a", Count: 2})
	var scales, reloads []*control.Operation
	for i := range 300 {
		scales = append(scales, s.command(Command{Kind: CommandScale, Program: "a", Count: 3 + i%2}))
		reloads = append(reloads, s.command(Command{Kind: CommandReload}))
		scales = append(scales, s.command(Command{Kind: CommandScale, Program: "a", Count: 1 + i%5}))
	}
	of := s.command(Command{Kind: CommandScale, Program: "b", Count: 2})
	if n := len(s.Machine.Queue); n != 3 {
		t.Fatalf("%d commands wait, want a reload and a scale of each program", n)
	}
	if first.State != control.OperationRunning {
		t.Fatalf("the first is %s", first.State)
	}
	s.allReady()
	for range 5 {
		if len(s.World.Describes) > 0 {
			s.described(nil, spec, other)
		}
		s.allReady()
		s.tick()
	}
	for _, op := range append(append(slices.Clone(scales), reloads...), first, of) {
		if op.State != control.OperationDone {
			t.Fatalf("%s is %s: %s", op.Kind, op.State, op.Error)
		}
	}
	if n := len(s.Machine.Programs[0].Slots); n != 5 {
		t.Errorf("%d workers, want as many as the last command asked for, 5", n)
	}
	for i, want := range []any{3, 1, 4, 2} {
		if d := scales[i].Detail; d["workers"] != 5 || d["together"] != len(scales) || d["asked"] != want {
			t.Errorf("scale %d says %v; want 5 workers, %d commands together, asked %v", i, d, len(scales), want)
		}
	}
	if d := scales[len(scales)-1].Detail; d["asked"] != nil {
		t.Errorf("the last scale says %v", d)
	}
	if d := first.Detail; d["together"] != nil {
		t.Errorf("the first scale, which ran alone, says %v", d)
	}
}

// TestTooManyCommands: those beyond the bound are refused, and say so.
func TestTooManyCommands(t *testing.T) {
	s, err := newFakeService(Spec{Name: "a", Count: 1, StartTimeout: NoTimeout, StopTimeout: NoTimeout})
	if err != nil {
		t.Fatal(err)
	}
	s.allReady()
	var last *control.Operation
	for range maxWaiting {
		last = s.command(Command{Kind: CommandReload})
	}
	if last.State != control.OperationRunning || !s.Machine.Busy() {
		t.Fatalf("command %d is %s: %s", maxWaiting, last.State, last.Error)
	}
	if op := s.command(Command{Kind: CommandReload}); op.State != control.OperationFailed || !strings.Contains(op.Error, "1000 commands") {
		t.Errorf("one more is %s: %s", op.State, op.Error)
	}
	if op := s.command(Command{Kind: CommandStop}); op.State == control.OperationFailed {
		t.Errorf("a stop is refused: %s", op.Error)
	}
}
