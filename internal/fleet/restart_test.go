package fleet

import (
	"errors"
	"testing"
	"time"

	"github.com/jay-go/jay/control"
)

// TestStopBeforeTheExecOfARestart: a stop that comes when all workers have gone is
// obeyed, and everybody who waits is answered.
func TestStopBeforeTheExecOfARestart(t *testing.T) {
	spec := Spec{Name: "a", Count: 1, StartTimeout: time.Second, StopTimeout: time.Second}
	s, err := newFakeService(spec)
	if err != nil {
		t.Fatal(err)
	}
	s.allReady()
	refused := s.command(Command{Kind: CommandRestart})
	s.described(errors.New("exit 1"))
	if refused.State != control.OperationFailed || s.Machine.Phase != PhaseRunning {
		t.Errorf("a restart with a bad file is %s, the service %s", refused.State, s.Machine.Phase)
	}
	first, second := s.command(Command{Kind: CommandRestart}), s.command(Command{Kind: CommandRestart})
	if n := len(s.World.Describes); n != 1 {
		t.Errorf("two restarts ask %d times", n)
	}
	s.described(nil, spec)
	for len(s.World.Procs) > 0 {
		s.Machine.Step(s.World.reap(s.World.Procs[0]))
	}
	if !s.Machine.Restart || s.Machine.Phase != PhaseStopped {
		t.Fatalf("it is %s, and restarts: %v", s.Machine.Phase, s.Machine.Restart)
	}
	reload := s.command(Command{Kind: CommandReload})
	s.command(Command{Kind: CommandStop})
	if s.Machine.Restart || first.State != control.OperationFailed || second.State != control.OperationFailed || reload.State != control.OperationFailed {
		t.Errorf("it restarts: %v; the restarts are %s and %s, the reload is %s", s.Machine.Restart, first.State, second.State, reload.State)
	}
}
