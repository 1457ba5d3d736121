package fleet

import (
	"slices"
	"testing"
	"time"
)

// single is a program with one worker and no address.
func single(count int) Spec {
	return Spec{Name: "a", Count: count, StartTimeout: time.Minute, StopTimeout: time.Minute}
}

// newService is a service whose workers are ready, of which the world complains about
// nothing when the test has ended.
func newService(t *testing.T, specs ...Spec) *fakeService {
	t.Helper()
	s, err := newFakeService(specs...)
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

// pass lets time pass.
func (s *fakeService) pass(d time.Duration) {
	s.World.Clock += Instant(d)
	s.Machine.Step(Tick{})
}

// crash ends the newest process, and returns how long its slot then waits.
func (s *fakeService) crash() time.Duration {
	s.Machine.Step(s.World.reap(s.World.Procs[len(s.World.Procs)-1]))
	if sl := s.Machine.Programs[0].Slots[0]; sl.State == SlotBackoff {
		return time.Duration(sl.RetryAt - s.World.Clock)
	}
	return 0
}

// TestBackoff: a slot whose worker dies young waits longer each time, and is given up
// in the end; one that was healthy is started at once.
func TestBackoff(t *testing.T) {
	s := newService(t, single(1))
	s.pass(healthyTime)
	if wait := s.crash(); wait != 0 || len(s.World.Procs) != 1 {
		t.Fatalf("after a healthy second the slot waits %v, with %d processes", wait, len(s.World.Procs))
	}
	ms := time.Millisecond
	for i, want := range []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 6400 * ms, 10000 * ms, 10000 * ms} {
		if got := s.crash(); got != want {
			t.Fatalf("after %d starts in vain it waits %v, want %v", i+1, got, want)
		}
		if len(s.World.Procs) != 0 {
			t.Fatal("it is started before its time")
		}
		s.tick()
	}
	s.crash()
	p := s.Machine.Programs[0]
	if sl := p.Slots[0]; sl.State != SlotFailed || s.Machine.NextDeadline() != 0 {
		t.Fatalf("after %d starts in vain the slot is %q, the next deadline %d", sl.Streak, sl.State, s.Machine.NextDeadline())
	}
	if p.Restarts != 11 || p.LastExit != "exit 1" {
		t.Errorf("%d restarts, the last for %q", p.Restarts, p.LastExit)
	}
	for name, again := range map[string]func(s *fakeService){
		"a scale": func(s *fakeService) { s.command(Command{Kind: CommandScale, Program: "a", Count: 2}) },
		"a reload": func(s *fakeService) {
			s.command(Command{Kind: CommandReload})
			s.described(nil, single(1))
		},
	} {
		s := s.clone()
		if again(s); len(s.World.Procs) == 0 {
			t.Errorf("%s starts nothing", name)
		}
	}
}

// TestStreakEnds: a worker that has lived for a second ends the streak of its slot.
func TestStreakEnds(t *testing.T) {
	s := newService(t, single(1))
	for range 5 {
		s.crash()
		s.tick()
	}
	s.allReady()
	s.pass(healthyTime)
	s.crash()
	if sl := s.Machine.Programs[0].Slots[0]; sl.Streak != 0 || sl.State != SlotWanted {
		t.Errorf("the streak is %d, the slot %q", sl.Streak, sl.State)
	}
}

// TestStartWindow: many slots in a crash loop start no more often together than a
// program may.
func TestStartWindow(t *testing.T) {
	const slots = 6
	s := newService(t, single(slots))
	var starts []Instant
	for range slots {
		starts = append(starts, s.World.Clock)
	}
	for s.World.Clock < Instant(time.Minute) {
		for len(s.World.Procs) > 0 {
			s.crash()
		}
		if !s.tick() {
			break
		}
		for range s.World.Procs {
			starts = append(starts, s.World.Clock)
		}
	}
	if len(starts) < 3*startsInWindow {
		t.Fatalf("only %d starts", len(starts))
	}
	for i := range starts[:len(starts)-startsInWindow] {
		if took := time.Duration(starts[i+startsInWindow] - starts[i]); took < startWindow {
			t.Fatalf("%d starts within %v", startsInWindow+1, took)
		}
	}
}

// TestForkFails: what keeps processes from being started is no fault of the
// program's. Its slot is tried again for ever, and the log has one line for it.
func TestForkFails(t *testing.T) {
	s := newService(t, single(1))
	s.pass(healthyTime)
	s.World.FailStart = 50
	s.crash()
	for range 49 {
		if !s.tick() {
			t.Fatal("it is not tried again")
		}
	}
	p := s.Machine.Programs[0]
	if p.Slots[0].State != SlotBackoff || p.LastExit != "start: fork: resource temporarily unavailable" {
		t.Fatalf("the slot is %q, the last exit %q", p.Slots[0].State, p.LastExit)
	}
	s.tick()
	if len(s.World.Procs) != 1 {
		t.Error("it does not start when that has passed")
	}
	want := []string{"start worker", "workers can be started again"}
	if got := slices.DeleteFunc(s.World.lines, func(l string) bool { return !slices.Contains(want, l) }); !slices.Equal(got, want) {
		t.Errorf("the log has %q, want %q", got, want)
	}
}

// TestStartTimeout: a worker that is not ready in time is killed, and its slot waits.
func TestStartTimeout(t *testing.T) {
	s, err := newFakeService(single(1))
	if err != nil {
		t.Fatal(err)
	}
	s.pass(time.Minute - 1)
	if s.World.Procs[0].Killed {
		t.Fatal("it is killed before its time")
	}
	s.pass(1)
	if p := s.World.Procs[0]; !p.Killed {
		t.Fatal("it is not killed")
	}
	s.crash()
	if exit := s.World.exits[0]; exit.Cause != "not ready in time: exit 1" || exit.Planned {
		t.Errorf("its exit is %+v", exit)
	}
	s.Machine.Step(Ready{ID: 1}) // too late
	if n := s.Machine.Ready(s.Machine.Programs[0]); n != 0 {
		t.Errorf("%d workers are ready", n)
	}
}

// TestIncarnations: no worker has the number of an earlier one, or none, and cells of the
// board are taken again.
func TestIncarnations(t *testing.T) {
	w := &fakeWorld{Clock: 1}
	m, err := New(w, Described{File: w.openFile(), Specs: []Spec{single(3)}}, 1<<32-2)
	if err != nil {
		t.Fatal(err)
	}
	w.machine = m
	m.Step(Tick{})
	var ids []uint32
	var cells []int
	for _, w := range m.Workers {
		ids, cells = append(ids, w.ID), append(cells, w.Cell)
	}
	if !slices.Equal(ids, []uint32{1<<32 - 2, 1<<32 - 1, 1}) || !slices.Equal(cells, []int{0, 1, 2}) {
		t.Errorf("the workers are %v, in the cells %v", ids, cells)
	}
	for _, w := range m.Workers {
		if m.Worker(w.ID) != w {
			t.Errorf("worker %d is not found", w.ID)
		}
	}
	for _, id := range []uint32{0, 2, 3, 1 << 31, 1<<32 - 3} {
		if w := m.Worker(id); w != nil {
			t.Errorf("worker %d is %+v", id, w)
		}
	}
	s := &fakeService{w, m}
	s.allReady()
	s.pass(healthyTime)
	m.Step(w.reap(w.Procs[1]))
	if last := m.Workers[len(m.Workers)-1]; last.Cell != 1 || last.Slot != 1 || last.ID != 2 {
		t.Errorf("the next worker is %+v, want it in cell 1", last)
	}
}
