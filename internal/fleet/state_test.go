package fleet

import (
	"strings"
	"testing"
	"time"
)

// TestWantedWorkers: what a worker gets follows from the fleet that it is of.
func TestWantedWorkers(t *testing.T) {
	of := func(name string, n int) *Program {
		return &Program{Spec: Spec{Name: name}, Slots: make([]*Slot, n)}
	}
	s := State{Programs: []*Program{of("a", 2), of("kept", 3)}}
	if got := s.WantedWorkers(); got != 5 {
		t.Errorf("%d at rest, want 5", got)
	}
	s.Change = &change{}
	if got := s.WantedWorkers(); got != 5 {
		t.Errorf("%d while the new file is described, want 5", got)
	}
	s.Change = &change{Next: []*Program{of("a", 8)}, Kept: []string{"kept"}}
	if got := s.WantedWorkers(); got != 11 {
		t.Errorf("%d while new code starts, want 11", got)
	}
}

// TestCheckUpgrade: a state that no machine could go on from is refused.
func TestCheckUpgrade(t *testing.T) {
	whole := func() *State {
		return &State{
			Change: &change{}, Builds: []*Build{{ID: 1}}, Sockets: []*Socket{{ID: 5}}, Workers: []*Worker{{ID: 7, Build: 1, Sockets: []int{5}}},
			Programs: []*Program{{Build: 1, Spec: Spec{Name: "web"}, Slots: []*Slot{{Worker: 7, Sockets: []int{5}}}}},
		}
	}
	for _, tt := range []struct {
		name string
		harm func(s *State)
		want string // "" for nothing
	}{
		{"whole", func(*State) {}, ""},
		{"no change", func(s *State) { s.Change = nil }, "no upgrade"},
		{"a worker without its socket", func(s *State) { s.Workers[0].Sockets = []int{6} }, "worker 7: socket 6"},
		{"a worker without its build", func(s *State) { s.Workers[0].Build = 2 }, "worker 7: build 2"},
		{"a slot without its socket", func(s *State) { s.Programs[0].Slots[0].Sockets = []int{9} }, "slot web/0: socket 9"},
		{"a slot with a worker that is not there", func(s *State) { s.Programs[0].Slots[0].Replacement = 3 }, "slot web/0: worker 3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := whole()
			tt.harm(s)
			err := s.CheckUpgrade()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// TestResumeVersion: the state of another version is refused.
func TestResumeVersion(t *testing.T) {
	if _, err := Resume(&fakeWorld{}, State{Version: StateVersion - 1}); err == nil {
		t.Error("it goes on from a state of another version")
	}
}

// TestTakenBeforeAnExec: what a machine has taken, and not followed yet, is followed
// by the one that continues from its state.
func TestTakenBeforeAnExec(t *testing.T) {
	s, err := newFakeService(Spec{Name: "a", Count: 3, StartTimeout: NoTimeout, StopTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	s.allReady()
	s.Machine.Take(Replace{ID: s.Machine.Workers[0].ID, Why: "it has got a signal"})
	s.Machine.Take(Replace{ID: s.Machine.Workers[1].ID, Why: "blocked", Hung: true})
	if n := len(s.World.Procs); n != 3 {
		t.Errorf("%d processes, although nothing is to follow yet", n)
	}
	next := s.clone()
	next.Machine.Step(Tick{})
	if n := len(next.World.Procs); n != 5 {
		t.Errorf("%d processes of the new machine, want another for each of the two that have to go", n)
	}
}

// TestPostpone: time in which nothing could happen is nobody's. Whatever is due is due as
// much later.
func TestPostpone(t *testing.T) {
	const d = time.Hour
	s := newService(t, one(1, false))
	s.Machine.Step(Command{Kind: CommandReload})
	s.described(nil, one(1, false))
	s.Machine.Step(Command{Kind: CommandReload}) // it waits for its time
	s.crash()                                    // the reload fails
	due := s.Machine.NextDeadline()
	if due == 0 {
		t.Fatal("nothing is due")
	}
	s.Machine.Postpone(d)
	if got := s.Machine.NextDeadline(); got != due.add(d) {
		t.Errorf("due at %d, want %v later than %d", got, d, due)
	}
	s.Machine.Step(Command{Kind: CommandStop})
	s.World.Slow = true
	before := *s.Machine.Workers[0]
	s.Machine.Postpone(d)
	if w := s.Machine.Workers[0]; w.Deadline != before.Deadline.add(d) || w.LetGo != before.LetGo.add(d) {
		t.Errorf("the worker has until %d and %d, want %v later than %d and %d", w.Deadline, w.LetGo, d, before.Deadline, before.LetGo)
	}
	s.Machine.Workers[0].RepeatAt = 0
	s.Machine.Postpone(d)
	if at := s.Machine.Workers[0].RepeatAt; at != 0 {
		t.Errorf("what is never due is due at %d", at)
	}
}

// TestLookUps: what is not there is nil, and a machine that starts is not ready.
func TestLookUps(t *testing.T) {
	s, err := newFakeService(single(2))
	if err != nil {
		t.Fatal(err)
	}
	m := s.Machine
	if m.Worker(0) != nil || m.Worker(99) != nil || m.Build(0) != nil || m.Program("none") != nil || m.Operation("none") != nil || m.UpgradeBuild() != nil {
		t.Error("something is found that is not there")
	}
	if m.Program("a") != m.Programs[0] || m.Build(m.Programs[0].Build) != m.Builds[0] || m.Worker(m.Workers[1].ID) != m.Workers[1] {
		t.Error("something that is there is not found")
	}
	m.Step(Ready{m.Workers[0].ID})
	if m.AllReady() || m.Ready(m.Programs[0]) != 1 {
		t.Errorf("%d of two are ready, all of them: %v", m.Ready(m.Programs[0]), m.AllReady())
	}
	m.Step(Ready{m.Workers[1].ID})
	if !m.AllReady() || m.Reloading() {
		t.Error("two of two are ready, and nothing says so")
	}
}

// TestStartAgain: a process that has ended too early to do anything is started again
// while its worker starts, and not when it was ready or has to go.
func TestStartAgain(t *testing.T) {
	s, err := newFakeService(Spec{Name: "a", Count: 2, StartTimeout: NoTimeout, StopTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	first := s.Machine.Workers[0]
	before := first.PID
	if !s.Machine.StartAgain(first) || first.PID == before || len(s.Machine.Workers) != 2 {
		t.Errorf("%d workers, number %d, before %d", len(s.Machine.Workers), first.PID, before)
	}
	s.allReady()
	if s.Machine.StartAgain(first) {
		t.Error("a worker that was ready is started again")
	}
	s.Machine.Step(Command{Kind: CommandStop})
	if s.Machine.StartAgain(first) {
		t.Error("a worker that has to go is started again")
	}
}
