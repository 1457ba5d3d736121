package supervise

import (
	"errors"
	"strings"
	"testing"

	"github.com/jay-go/jay/control"
)

// TestTooManyWorkers: neither a scale nor a reload makes more workers than the
// board has room for.
func TestTooManyWorkers(t *testing.T) {
	a := programSpec{Name: "a", Count: 1, StartTimeout: noTimeout, StopTimeout: noTimeout}
	b := a
	b.Name = "b"
	s, err := newFakeService(a, b)
	if err != nil {
		t.Fatal(err)
	}
	s.allReady()
	up := s.command(evCommand{Kind: commandScale, Program: "a", Count: maxWorkers - 1})
	s.allReady()
	if up.State != control.OperationDone {
		t.Fatalf("scale to %d: %s %s", maxWorkers-1, up.State, up.Error)
	}
	more := s.command(evCommand{Kind: commandScale, Program: "b", Count: 2})
	if more.State != control.OperationFailed || !strings.Contains(more.Error, "1025 workers in all") {
		t.Errorf("scale beyond the limit: %s %s", more.State, more.Error)
	}
	b.Count = 2
	reload := s.command(evCommand{Kind: commandReload})
	s.described(nil, a, b)
	if reload.State != control.OperationFailed || !strings.Contains(reload.Error, "1025 workers in all") {
		t.Errorf("reload beyond the limit: %s %s", reload.State, reload.Error)
	}
	if n := len(s.World.Procs); n != maxWorkers {
		t.Errorf("%d processes, want %d", n, maxWorkers)
	}
}

// TestAddressWrittenInAnotherWay: the new code writes an address differently,
// and does not come up. A worker of the old code finds its socket as ever.
func TestAddressWrittenInAnotherWay(t *testing.T) {
	old := programSpec{Name: "a", Count: 1, Listen: []string{"127.0.0.1:80"}, StartTimeout: noTimeout, StopTimeout: noTimeout}
	s, err := newFakeService(old)
	if err != nil {
		t.Fatal(err)
	}
	s.allReady()
	changed := old
	changed.Listen = []string{"tcp://127.0.0.1:80"}
	names := func(p *program) string { return s.Machine.socketsOf(p, p.Slots[0].Sockets)[0].Configured }

	failed := s.command(evCommand{Kind: commandReload})
	s.described(nil, changed)
	if got := names(s.Machine.Change.Next[0]); got != changed.Listen[0] {
		t.Errorf("the new code's address is called %q, want %q", got, changed.Listen[0])
	}
	s.Machine.step(s.World.reap(s.World.Procs[1]))
	if failed.State != control.OperationFailed {
		t.Fatalf("the reload: %s", failed.State)
	}
	if got := names(s.Machine.Programs[0]); got != old.Listen[0] {
		t.Errorf("the old code's address is called %q, want %q", got, old.Listen[0])
	}
}

func TestSocketIsFoundHoweverItIsWritten(t *testing.T) {
	w := &Worker{sockets: []Socket{
		{Addr: "tcp://127.0.0.1:40123", Configured: "127.0.0.1:0"},
		{Addr: "unix:///run/x.sock", Configured: "unix:///run/x.sock"},
	}}
	for _, name := range []string{"127.0.0.1:0", "tcp://127.0.0.1:0", "tcp://127.0.0.1:40123", "127.0.0.1:40123"} {
		if s, err := w.Socket(name); err != nil || s.Addr != "tcp://127.0.0.1:40123" {
			t.Errorf("Socket(%q): %q, %v", name, s.Addr, err)
		}
	}
	var none error
	if _, none = w.Socket("127.0.0.1:81"); none == nil || errors.Unwrap(none) != nil || !strings.Contains(none.Error(), "127.0.0.1:0") {
		t.Errorf("an unknown address gave %v, want the known ones", none)
	}
}
