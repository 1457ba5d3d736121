package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/exampletest"
	"github.com/jay-go/jay/internal/load"
)

// TestHungLoop: of several loops the one that hangs is named, and its process is
// replaced; status has a row for each.
func TestHungLoop(t *testing.T) {
	t.Parallel()
	s := start(t, "faults", "--workers", "1", "--loops", "2", "--watchdog", "2s")
	s.wait("status has the loops 0 and 1", func(st status, _ int) bool {
		loops := st.Workers[0].Loops
		return len(loops) == 2 && loops[0].Name == "0" && loops[1].Name == "1"
	})
	victim := dial(t, s.addr)
	hung := victim.pid()
	victim.send(get("/block"))
	s.wait("another worker in its place", func(st status, code int) bool {
		return code == 0 && !st.hasWorker(hung) && len(st.Workers) == 1
	})
	st, _ := s.status()
	if said := regexp.MustCompile(`^hung: loop [01]: a callback has blocked the loop for (\S+) in main.answer`); !said.MatchString(st.Programs[0].LastExit) {
		t.Errorf("last exit %q, want %v", st.Programs[0].LastExit, said)
	}
}

// TestHungWorker: a callback that never returns is found, explained and
// replaced, and the clients of the other workers do not notice.
func TestHungWorker(t *testing.T) {
	t.Parallel()
	const watchdog = 2 * time.Second
	for _, path := range []string{"/spin", "/block"} {
		t.Run(path, func(t *testing.T) {
			s := start(t, "faults", "--workers", "2", "--watchdog", watchdog.String())
			stay := follow(s.addr, 8)
			end := stay.load.Start()
			victim := dial(t, s.addr)
			hung := victim.pid()
			victim.send(get(path))
			s.wait("status that says where it blocks", func(st status, _ int) bool {
				return slices.ContainsFunc(st.Workers, func(w workerStatus) bool {
					return w.PID == hung && w.BusySeconds > 0 && strings.Contains(w.BusyIn, "main.answer (faults.go:")
				})
			})
			s.wait("another worker in its place", func(st status, code int) bool {
				return code == 0 && !st.hasWorker(hung) && len(st.Workers) == 2
			})
			report := end()
			t.Logf("clients across it: %v", report)
			for _, f := range stay.failed {
				if f.worker != hung && f.worker != 0 {
					t.Errorf("worker %d, which did not hang, failed a request: %v", f.worker, f.Result)
				}
			}
			st, _ := s.status()
			said := regexp.MustCompile(`^hung: a callback has blocked the loop for (\S+) in main.answer \(faults.go:\d+\), connection \d+$`)
			m := said.FindStringSubmatch(st.Programs[0].LastExit)
			if m == nil || st.Programs[0].Restarts != 1 {
				t.Fatalf("restarts %d, last exit %q; want 1 and %v", st.Programs[0].Restarts, st.Programs[0].LastExit, said)
			}
			if took, err := time.ParseDuration(m[1]); err != nil || took < watchdog || took > watchdog+10*time.Second { // a busy machine
				t.Errorf("found after %s, want %v and little more", m[1], watchdog)
			}
			t.Attr("measured", fmt.Sprintf("%s found after %s with a watchdog of %v", path, m[1], watchdog))
			for _, want := range []string{"a callback blocks the loop", "goroutine 1 ["} {
				if log := s.output.String(); !strings.Contains(log, want) {
					t.Errorf("the log does not have %q:\n%s", want, log)
				}
			}
		})
	}
}

// TestStoppedWorker: a worker whose process is stopped is shown as silent,
// replaced, and ended.
func TestStoppedWorker(t *testing.T) {
	t.Parallel()
	s := start(t, "faults", "--workers", "2", "--watchdog", "2s")
	stopped := s.workers()[0]
	exampletest.Suspend(t, stopped)
	s.wait("a silent worker", func(st status, _ int) bool {
		return slices.ContainsFunc(st.Workers, func(w workerStatus) bool { return w.PID == stopped && w.State == "silent" })
	})
	s.wait("another worker in its place", func(st status, code int) bool {
		return code == 0 && !st.hasWorker(stopped) && len(st.Workers) == 2
	})
	if st, _ := s.status(); !strings.HasPrefix(st.Programs[0].LastExit, "hung: its process is stopped") {
		t.Errorf("last exit %q", st.Programs[0].LastExit)
	}
}

// TestSuspended: a service that was suspended as a whole, as with a laptop's
// lid, has no hung workers when it goes on.
func TestSuspended(t *testing.T) {
	t.Parallel()
	s := start(t, "faults", "--workers", "2", "--watchdog", "1s")
	before := s.workers()
	all := append([]int{s.cmd.Process.Pid}, before...)
	exampletest.Suspend(t, all...)
	time.Sleep(3 * time.Second) // longer than the watchdog and its grace
	exampletest.Resume(all...)  // the master first: it sees the others still stopped
	stay := load.Load{Addr: s.addr, Connections: 4}
	end := stay.Start()
	time.Sleep(2 * time.Second)
	if report := end(); report.Failed() > 0 {
		t.Errorf("afterwards: %v", report)
	}
	if after := s.workers(); !slices.Equal(after, before) {
		t.Errorf("the workers were %v and are %v:\n%s", before, after, s.output)
	}
}

// TestRecycling: workers that have served their time are replaced, and no
// client notices.
func TestRecycling(t *testing.T) {
	t.Parallel()
	s := startOwn(t, "mortal")
	first := s.workers()
	stay := load.Load{Addr: s.addr, Connections: 8, Pause: time.Millisecond}
	come := load.Load{Addr: s.addr, Connections: 2, PerConn: 1, Pause: time.Millisecond}
	endStay, endCome := stay.Start(), come.Start()
	s.wait("all workers replaced", func(st status, code int) bool {
		return code == 0 && !slices.ContainsFunc(first, st.hasWorker)
	})
	stayed, came := endStay(), endCome()
	if stayed.Failed()+came.Failed() > 0 {
		t.Errorf("staying: %v\ncoming and going: %v", stayed, came)
	}
	if st, _ := s.status(); st.Programs[0].Restarts != 0 {
		t.Errorf("planned replacements count as %d restarts", st.Programs[0].Restarts)
	}
	if want := "requests of at most 500"; !strings.Contains(s.output.String(), want) {
		t.Errorf("the log does not have %q:\n%s", want, s.output)
	}
}
