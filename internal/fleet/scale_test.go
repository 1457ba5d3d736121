package fleet

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay/control"
)

// TestScale: new slots are done when they are ready, removed ones drain, and nobody
// else is disturbed.
func TestScale(t *testing.T) {
	s := newService(t, single(2))
	op := s.command(Command{Kind: CommandScale, Program: "a", Count: 4})
	if len(s.World.Procs) != 4 || op.State != control.OperationRunning {
		t.Fatalf("%d processes, it is %s", len(s.World.Procs), op.State)
	}
	if s.allReady(); op.State != control.OperationDone || op.Detail["workers"] != 4 {
		t.Fatalf("it is %s: %v", op.State, op.Detail)
	}
	op = s.command(Command{Kind: CommandScale, Program: "a", Count: 1})
	var drained []bool
	for _, p := range s.World.Procs {
		drained = append(drained, p.Drained)
	}
	if op.State != control.OperationDone || !slices.Equal(drained, []bool{false, true, true, true}) {
		t.Errorf("it is %s, and drained are %v", op.State, drained)
	}
	if w := s.draining()[0]; w.Drain != ReasonScale {
		t.Errorf("they are told %s", w.Drain)
	}
}

// TestScaleFails: the count is as before when the first new worker does not come up, and
// commands that cannot be meant say why.
func TestScaleFails(t *testing.T) {
	for _, tt := range []struct {
		name    string
		command Command
		then    func(s *fakeService)
		want    string
	}{
		{"a new worker exits", Command{Program: "a", Count: 4}, func(s *fakeService) { s.crash() }, "scale a: new worker 3: exit 1; 2 workers stay"},
		{"a new worker hangs", Command{Program: "a", Count: 3}, func(s *fakeService) {
			p := s.World.Procs[3]
			s.Machine.Step(Ready{p.ID})
			s.Machine.Step(Replace{ID: p.ID, Why: "blocked", Hung: true})
		}, ""}, // it was done when that worker was ready
		{"a new worker cannot be bound to a socket", Command{Program: "own", Count: 2}, nil, "scale own: listen tcp://127.0.0.1:80: address already in use"},
		{"no such program", Command{Program: "none", Count: 1}, nil, "scale none: no such program"},
		{"too many", Command{Program: "a", Count: MaxWorkers + 1}, nil, "scale a=1025: program a: 1025 workers in all"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			own := one(1, true)
			own.Name = "own"
			s := newService(t, single(2), own)
			if strings.Contains(tt.want, "already in use") {
				s.World.FailOpen = 1
			}
			tt.command.Kind = CommandScale
			op := s.command(tt.command)
			if tt.then != nil {
				tt.then(s)
			}
			if tt.want == "" {
				if op.State != control.OperationDone {
					t.Errorf("it is %s: %s", op.State, op.Error)
				}
				return
			}
			if op.State != control.OperationFailed || !strings.HasPrefix(op.Error, tt.want) {
				t.Fatalf("it is %s: %q, want %q", op.State, op.Error, tt.want)
			}
			s.endDrained()
			for len(s.World.Procs) > 3 {
				s.endDrained()
			}
			if n := len(s.Machine.Programs[0].Slots); n != 2 || s.Machine.Ready(s.Machine.Programs[0]) != 2 || !s.Machine.AllReady() {
				t.Errorf("%d slots, %d of them ready", n, s.Machine.Ready(s.Machine.Programs[0]))
			}
		})
	}
}

// TestAsked: whoever asks for one more counts on what waits already.
func TestAsked(t *testing.T) {
	s := newService(t, single(2))
	p := s.Machine.Programs[0]
	s.command(Command{Kind: CommandScale, Program: "a", Count: 3})
	if n := s.Machine.Asked(p); n != 3 {
		t.Errorf("%d with one under way, want 3", n)
	}
	s.command(Command{Kind: CommandScale, Program: "a", Count: 5})
	s.command(Command{Kind: CommandScale, Program: "b", Count: 9})
	if n := s.Machine.Asked(p); n != 5 {
		t.Errorf("%d with another that waits, want 5", n)
	}
}

// TestScaledCountStays: a reload keeps the count that a scale has set, unless the file
// has changed its mind.
func TestScaledCountStays(t *testing.T) {
	s := newService(t, single(1))
	s.command(Command{Kind: CommandScale, Program: "a", Count: 3})
	s.allReady()
	s.reload(single(1))
	if n := len(s.Machine.Programs[0].Slots); n != 3 {
		t.Errorf("%d workers after a reload, want 3 as scaled", n)
	}
	s.reload(single(2))
	if n := len(s.Machine.Programs[0].Slots); n != 2 {
		t.Errorf("%d workers after a reload with another count, want 2", n)
	}
}

// TestScaleMovesSockets: sockets of slots that go belong to those that stay, whose
// workers are given them; further slots have sockets of their own.
func TestScaleMovesSockets(t *testing.T) {
	s := newService(t, one(4, true))
	s.command(Command{Kind: CommandScale, Program: "a", Count: 2})
	var have [][]int
	for _, w := range s.Machine.Workers[:2] {
		have = append(have, w.Sockets)
	}
	if !slices.Equal(have[0], []int{2, 4}) || !slices.Equal(have[1], []int{3, 5}) {
		t.Errorf("the workers that stay have %v", have)
	}
	s.command(Command{Kind: CommandScale, Program: "a", Count: 3})
	s.allReady()
	if n := len(s.World.Sockets); n != 4 {
		t.Errorf("%d sockets are open, want the same 4", n)
	}
	s.pass(2 * time.Minute)
	s.endDrained()
	if w := s.Machine.Workers[2]; len(w.Sockets) != 1 {
		t.Errorf("the new worker has %v", w.Sockets)
	}
}
