package fleet

import (
	"slices"
	"testing"

	"github.com/jay-go/jay/control"
)

// TestDroppedSocket: what becomes of the socket of an address that a reload has
// dropped, while the old worker drains.
func TestDroppedSocket(t *testing.T) {
	both := Spec{Name: "a", Count: 1, Listen: []string{"127.0.0.1:80", "127.0.0.1:81"}, StartTimeout: NoTimeout, StopTimeout: NoTimeout}
	one := both
	one.Listen = both.Listen[:1]
	for _, tt := range []struct {
		name           string
		then           func(s *fakeService, old uint32)
		open, refusing bool
	}{
		{"it lets nobody in while the old worker serves who waits", func(*fakeService, uint32) {}, true, true},
		{"the old worker accepts no more", func(s *fakeService, old uint32) { s.Machine.Step(Unlistened{old}) }, false, false},
		{"it does not say so", func(s *fakeService, _ uint32) {
			s.World.Clock += Instant(letGoTime)
			s.Machine.Step(Tick{})
		}, false, false},
		{"it dies", func(s *fakeService, _ uint32) { s.Machine.Step(s.World.reap(s.World.Procs[0])) }, false, false},
		{"a reload that has the address again, in time", func(s *fakeService, _ uint32) {
			s.command(Command{Kind: CommandReload})
			s.described(nil, both)
		}, true, false},
		{"such a reload, and the old worker accepts no more", func(s *fakeService, old uint32) {
			s.command(Command{Kind: CommandReload})
			s.described(nil, both)
			s.Machine.Step(Unlistened{old})
		}, true, false},
		{"such a reload, which fails", func(s *fakeService, old uint32) {
			s.command(Command{Kind: CommandReload})
			s.described(nil, both)
			s.Machine.Step(s.World.reap(s.World.Procs[len(s.World.Procs)-1]))
		}, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := newFakeService(both)
			if err != nil {
				t.Fatal(err)
			}
			s.allReady()
			old, dropped := s.Machine.Workers[0].ID, s.Machine.Sockets[1].ID
			s.reload(one)
			last := s.World.given[len(s.World.given)-1]
			if last.Kind != orderDrain || !slices.Equal(last.Drain.Ending, []int{dropped}) {
				t.Errorf("the old worker is told %+v; want that socket %d ends", last, dropped)
			}
			tt.then(s, old)
			open, refusing := false, false
			for _, k := range s.World.Sockets {
				if k.FD == dropped {
					open, refusing = true, k.Refusing
				}
			}
			if open != tt.open || refusing != tt.refusing {
				t.Errorf("open %v, refusing %v; want %v, %v", open, refusing, tt.open, tt.refusing)
			}
			if len(s.World.Problems) > 0 {
				t.Error(s.World.Problems)
			}
		})
	}
}

// TestSocketsOfStopped: once everything has ended a slot has no socket, and
// whoever asks then is told so.
func TestSocketsOfStopped(t *testing.T) {
	s, err := newFakeService(Spec{Name: "a", Count: 1, Listen: []string{"127.0.0.1:80"}, StartTimeout: NoTimeout, StopTimeout: NoTimeout})
	if err != nil {
		t.Fatal(err)
	}
	s.allReady()
	s.command(Command{Kind: CommandStop})
	s.Machine.Step(s.World.reap(s.World.Procs[0]))
	p := s.Machine.Programs[0]
	if s.Machine.Phase != PhaseStopped || len(s.Machine.SocketsOf(p, p.Slots[0].Sockets)) != 0 {
		t.Errorf("phase %s, sockets %v", s.Machine.Phase, s.Machine.Sockets)
	}
}

// TestLostPath: a Unix socket whose path is lost has a new one beside it until
// nobody waits in its backlog, also in a new generation.
func TestLostPath(t *testing.T) {
	spec := Spec{Name: "a", Count: 2, Listen: []string{"unix:///s"}, StartTimeout: NoTimeout, StopTimeout: NoTimeout}
	s, err := newFakeService(spec)
	if err != nil {
		t.Fatal(err)
	}
	s.allReady()
	old := s.Machine.Sockets[0].ID
	m := s.Machine
	m.Step(Lost{ID: old, Why: "removed"})
	if len(m.Problems(m.Programs...)) != 1 {
		t.Errorf("the path cannot be made again, and what says so is %q", m.Problems(m.Programs...))
	}
	if op := s.reload(spec); op.State != control.OperationDone || op.Detail["problems"] == nil {
		t.Errorf("a reload meanwhile is %s, and says %v", op.State, op.Detail)
	}
	m.Step(Lost{ID: old})
	if len(m.Problems(m.Programs...)) > 0 {
		t.Error("the path is back, and nothing says so")
	}
	s.World.Sockets[0].Key.Addr = "unix:///removed" // its address is free
	s.World.Clock += Instant(lostAgain)
	m.Step(Lost{ID: old, Why: "removed"})
	want := func(when string, n int) {
		t.Helper()
		for _, p := range s.World.Procs {
			if m.Worker(p.ID).State != WorkerDraining && len(p.Sockets) != n {
				t.Errorf("%s worker %d accepts from sockets %v, want %d", when, p.ID, p.Sockets, n)
			}
		}
		if len(s.World.Sockets) != n || len(m.Problems(m.Programs...)) > 0 || len(s.World.Problems) > 0 {
			t.Errorf("%s there are %+v, %v", when, s.World.Sockets, s.World.Problems)
		}
	}
	want("with a new socket", 2)
	if op := s.reload(spec); op.State != control.OperationDone {
		t.Errorf("a reload is %s: %s", op.State, op.Error)
	}
	want("after a reload", 2)
	m.Step(Emptied{old})
	s.World.Clock += Instant(letGoTime)
	m.Step(Tick{})
	want("when the queue is empty", 1)
}
