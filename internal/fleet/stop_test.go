package fleet

import (
	"slices"
	"testing"
	"time"

	"github.com/jay-go/jay/control"
)

// TestStop: everything drains, within the time of its program, and nothing is started.
func TestStop(t *testing.T) {
	const limit = 10 * time.Second // of the program
	for _, tt := range []struct {
		name   string
		stops  []Command
		killed bool          // at once
		told   time.Duration // how long the workers have, last; 0: nothing
		dump   bool
	}{
		{"gracefully", []Command{{}}, false, limit, false},
		{"twice", []Command{{}, {}}, false, limit, false},
		{"without a limit", []Command{{NoLimit: true}}, false, NoTimeout, false},
		{"with a limit after all", []Command{{NoLimit: true}, {}}, false, limit, false},
		{"never later than was said", []Command{{}, {NoLimit: true}}, false, limit, false},
		{"at once", []Command{{Now: true}}, true, 0, false},
		{"and then at once", []Command{{}, {Now: true}}, true, limit, false},
		{"with the goroutines", []Command{{Dump: true}}, false, limit, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newService(t, one(2, false))
			for _, ev := range tt.stops {
				ev.Kind = CommandStop
				s.Machine.Step(ev)
			}
			deadline := Instant(0)
			if tt.told > 0 {
				deadline = s.World.Clock.add(tt.told + killGrace)
			}
			for _, w := range s.Machine.Workers {
				if p := s.World.proc(w.PID); p.Killed != tt.killed || w.Deadline != deadline || w.Drain != ReasonStop && !tt.killed {
					t.Errorf("killed %v, deadline %d, reason %q; want %v, %d", p.Killed, w.Deadline, w.Drain, tt.killed, deadline)
				}
			}
			if tt.told != 0 {
				last := s.World.given[len(s.World.given)-1].Drain
				if last.Limit != tt.told || last.Dump != tt.dump || len(last.Ending) != 1 {
					t.Errorf("the workers are told %+v, want %v and that the socket ends", last, tt.told)
				}
			}
			if len(s.World.Sockets) > 0 && !s.World.Sockets[0].Refusing {
				t.Error("clients are let in still")
			}
			for _, p := range slices.Clone(s.World.Procs) {
				s.Machine.Step(s.World.reap(p))
			}
			if s.Machine.Phase != PhaseStopped || len(s.World.Procs)+len(s.World.Sockets) > 0 || s.Machine.NextDeadline() != 0 {
				t.Errorf("it is %s, with %d processes and %d sockets", s.Machine.Phase, len(s.World.Procs), len(s.World.Sockets))
			}
		})
	}
}

// TestStopFailsWhatWaits: every operation ends, and none begins.
func TestStopFailsWhatWaits(t *testing.T) {
	s := newService(t, single(1))
	ops := []*control.Operation{
		s.command(Command{Kind: CommandReload}),
		s.command(Command{Kind: CommandScale, Program: "a", Count: 2}),
		s.command(Command{Kind: CommandRestart}),
	}
	s.Machine.Step(Command{Kind: CommandStop})
	ops = append(ops, s.command(Command{Kind: CommandReload}), s.command(Command{Kind: CommandRestart}), s.command(Command{Kind: CommandHold}))
	for _, op := range ops {
		if op.State != control.OperationFailed || op.Error != ErrStopping.Error() {
			t.Errorf("%s is %s: %s", op.Kind, op.State, op.Error)
		}
	}
	for _, d := range slices.Clone(s.World.Describes) { // they come too late
		s.Machine.Step(Described{Token: d.Token, File: s.World.openFile(), Specs: []Spec{single(1)}})
	}
	if s.Machine.Phase != PhaseStopping || s.Machine.Restart || len(s.World.Files) != 1 {
		t.Errorf("it is %s, restarts: %v, %d files are open", s.Machine.Phase, s.Machine.Restart, len(s.World.Files))
	}
}

// TestHold: workers drain and none is started until a reload, while the sockets stay
// open.
func TestHold(t *testing.T) {
	s := newService(t, one(1, false))
	if op := s.command(Command{Kind: CommandHold}); op.State != control.OperationDone {
		t.Fatalf("it is %s", op.State)
	}
	s.endDrained()
	s.pass(time.Hour)
	if n := len(s.World.Procs); n != 0 || s.World.Sockets[0].Refusing {
		t.Fatalf("%d processes; clients are refused: %v", n, s.World.Sockets[0].Refusing)
	}
	s.reload(one(1, false))
	if s.Machine.Held || !s.Machine.AllReady() {
		t.Errorf("held: %v, %d processes", s.Machine.Held, len(s.World.Procs))
	}
}

// TestRestartOfAService: the file is asked while the service goes on, those who ask for
// the same are one, and the time without a limit is the drain's.
func TestRestartOfAService(t *testing.T) {
	s := newService(t, single(1))
	first := s.command(Command{Kind: CommandRestart})
	reload := s.command(Command{Kind: CommandReload})
	s.command(Command{Kind: CommandRestart, NoLimit: true})
	if len(s.World.Describes) != 2 || s.World.Describes[0].Kind != CommandRestart || s.Machine.Phase != PhaseRunning {
		t.Fatalf("asked are %v, it is %s", s.World.Describes, s.Machine.Phase)
	}
	s.described(nil, single(1))
	if s.Machine.Phase != PhaseStopping || !s.Machine.Restart || reload.State != control.OperationFailed || first.State != control.OperationRunning {
		t.Fatalf("it is %s; the reload is %s, the restart %s", s.Machine.Phase, reload.State, first.State)
	}
	if limit := s.World.given[len(s.World.given)-1].Drain.Limit; limit != NoTimeout {
		t.Errorf("the worker has %v", limit)
	}
	s.endDrained()
	if b := s.Machine.Build(s.Machine.RestartBuild); s.Machine.Phase != PhaseStopped || b == nil || !slices.Contains(s.World.Files, b.File) {
		t.Errorf("it is %s, and the file to execute is %+v of %v", s.Machine.Phase, b, s.World.Files)
	}
}

// TestTrial: until a file that a restart has executed has proved itself no change begins,
// and it may have to go again.
func TestTrial(t *testing.T) {
	for name, tt := range map[string]struct {
		over         Event
		state, after string // of the restart and of a reload that was asked for meanwhile
		phase        Phase
	}{
		"it serves":       {TrialOver{}, control.OperationDone, control.OperationRunning, PhaseRunning},
		"it does not":     {TrialOver{ErrBusy}, control.OperationFailed, control.OperationRunning, PhaseRunning},
		"and goes back":   {GoBack{}, control.OperationRunning, control.OperationFailed, PhaseStopping},
		"it is stopped":   {Command{Kind: CommandStop}, control.OperationFailed, control.OperationFailed, PhaseStopping},
		"it is still new": {Tick{}, control.OperationRunning, control.OperationRunning, PhaseRunning},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, single(1))
			s.beginTrial()
			restart := s.Machine.Operation(s.Machine.Trial.Ops[0])
			reload := s.command(Command{Kind: CommandReload})
			if len(s.World.Describes) > 0 {
				t.Fatal("the reload does not wait")
			}
			s.Machine.Step(tt.over)
			if restart.State != tt.state || reload.State != tt.after || s.Machine.Phase != tt.phase {
				t.Errorf("the restart is %s, the reload %s, the service %s", restart.State, reload.State, s.Machine.Phase)
			}
			if _, ok := tt.over.(GoBack); ok && !s.Machine.Restart {
				t.Error("nothing is to be executed")
			}
			s.Machine.Step(TrialOver{}) // once more does nothing
		})
	}
}

// TestGoBack: a restart whose file does not serve is ended quickly. Who is not ready is
// not waited for, and who drains without a limit gets one.
func TestGoBack(t *testing.T) {
	spec := endless(2)
	s, err := newFakeService(spec)
	if err != nil {
		t.Fatal(err)
	}
	s.beginTrial()
	s.Machine.Step(Ready{s.World.Procs[0].ID})
	s.Machine.Step(GoBack{})
	ready, starting := s.World.Procs[0], s.World.Procs[1]
	if ready.Killed || !ready.Drained || !starting.Killed {
		t.Errorf("of the ready one killed %v, drained %v; of the other killed %v", ready.Killed, ready.Drained, starting.Killed)
	}
	if w := s.Machine.Worker(ready.ID); w.Deadline != s.World.Clock.add(forcedDrain+killGrace) {
		t.Errorf("the ready one has until %d", w.Deadline)
	}
	s.endDrained()
	if s.Machine.Phase != PhaseStopped || !s.Machine.Restart {
		t.Errorf("it is %s, to be executed again: %v", s.Machine.Phase, s.Machine.Restart)
	}
	s.Machine.Step(GoBack{}) // once more does nothing
}

// TestStopWhileItDrains: who drains already may get less time, and never more.
func TestStopWhileItDrains(t *testing.T) {
	for name, tt := range map[string]struct{ was, is, want time.Duration }{
		"less":              {time.Minute, time.Second, time.Second},
		"more":              {time.Minute, time.Hour, time.Minute},
		"a limit after all": {NoTimeout, time.Second, time.Second},
		"none any more":     {time.Minute, NoTimeout, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			spec := single(1)
			spec.StopTimeout = tt.was
			s := newService(t, spec)
			spec.StopTimeout = tt.is
			s.reload(spec)
			s.Machine.Step(Command{Kind: CommandStop})
			if w := s.Machine.Workers[0]; w.Drain != ReasonStop || w.Deadline != s.World.Clock.add(tt.want+killGrace) {
				t.Errorf("it drains for %s until %d, want %v from %d", w.Drain, w.Deadline, tt.want, s.World.Clock)
			}
		})
	}
}
