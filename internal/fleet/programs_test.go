package fleet

import (
	"strings"
	"testing"

	"github.com/jay-go/jay/control"
)

// TestTooManyWorkers: neither a scale nor a reload makes more workers than the
// board has room for.
func TestTooManyWorkers(t *testing.T) {
	a := Spec{Name: "a", Count: 1, StartTimeout: NoTimeout, StopTimeout: NoTimeout}
	b := a
	b.Name = "b"
	s, err := newFakeService(a, b)
	if err != nil {
		t.Fatal(err)
	}
	s.allReady()
	up := s.command(Command{Kind: CommandScale, Program: "a", Count: MaxWorkers - 1})
	s.allReady()
	if up.State != control.OperationDone {
		t.Fatalf("scale to %d: %s %s", MaxWorkers-1, up.State, up.Error)
	}
	more := s.command(Command{Kind: CommandScale, Program: "b", Count: 2})
	if more.State != control.OperationFailed || !strings.Contains(more.Error, "1025 workers in all") {
		t.Errorf("scale beyond the limit: %s %s", more.State, more.Error)
	}
	b.Count = 2
	reload := s.command(Command{Kind: CommandReload})
	s.described(nil, a, b)
	if reload.State != control.OperationFailed || !strings.Contains(reload.Error, "1025 workers in all") {
		t.Errorf("reload beyond the limit: %s %s", reload.State, reload.Error)
	}
	if n := len(s.World.Procs); n != MaxWorkers {
		t.Errorf("%d processes, want %d", n, MaxWorkers)
	}
}

// TestAddressWrittenInAnotherWay: the new code writes an address differently,
// and does not come up. A worker of the old code finds its socket as ever.
func TestAddressWrittenInAnotherWay(t *testing.T) {
	old := Spec{Name: "a", Count: 1, Listen: []string{"127.0.0.1:80"}, StartTimeout: NoTimeout, StopTimeout: NoTimeout}
	s, err := newFakeService(old)
	if err != nil {
		t.Fatal(err)
	}
	s.allReady()
	changed := old
	changed.Listen = []string{"tcp://127.0.0.1:80"}
	names := func(p *Program) string { return s.Machine.SocketsOf(p, p.Slots[0].Sockets)[0].Configured }

	failed := s.command(Command{Kind: CommandReload})
	s.described(nil, changed)
	if got := names(s.Machine.Change.Next[0]); got != changed.Listen[0] {
		t.Errorf("the new code's address is called %q, want %q", got, changed.Listen[0])
	}
	s.Machine.Step(s.World.reap(s.World.Procs[1]))
	if failed.State != control.OperationFailed {
		t.Fatalf("the reload: %s", failed.State)
	}
	if got := names(s.Machine.Programs[0]); got != old.Listen[0] {
		t.Errorf("the old code's address is called %q, want %q", got, old.Listen[0])
	}
}
