//go:build linux

package supervise_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/exampletest"
	"github.com/jay-go/jay/internal/reset"
)

// TestKilledWorkerIsReplaced measures how long it takes until the replacement
// serves, and that nobody who waited in the accept queue is lost.
func TestKilledWorkerIsReplaced(t *testing.T) {
	t.Parallel()
	s := newService(t, "http").start("--workers", "1")
	addr := s.addr()
	pid, _, _ := mustGet(t, addr)
	const rounds = 6
	var took []time.Duration
	for range rounds {
		time.Sleep(1050 * time.Millisecond) // a healthy second: what dies earlier is held back
		exampletest.Suspend(t, pid)
		// It cannot accept any more, so this connection waits in the queue.
		c, err := reset.Dial("tcp", addr, patience)
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		syscall.Kill(pid, syscall.SIGKILL)
		c.SetDeadline(time.Now().Add(patience))
		fmt.Fprintf(c, "GET / HTTP/1.0\r\n\r\n")
		b := make([]byte, 1024)
		n, err := c.Read(b)
		took = append(took, time.Since(begin))
		c.Close()
		if err != nil {
			t.Fatalf("a connection in the accept queue was lost: %v", err)
		}
		_, body, _ := strings.Cut(string(b[:n]), "\r\n\r\n")
		old := pid
		if fmt.Sscan(body, &pid); pid == old {
			t.Fatalf("the killed worker answered: %q", b[:n])
		}
	}
	t.Logf("replacement serving after a kill: median of %d %v", rounds, median(took))
	if m := median(took); m > 5*time.Second {
		t.Errorf("median of %d is %v", rounds, m)
	}
	p := s.status().Programs[0]
	if p.Restarts != rounds || p.LastExit != "signal: killed" {
		t.Errorf("status: %+v", p)
	}
}

func TestCrashLoopIsHeldBack(t *testing.T) {
	t.Parallel()
	s := newService(t, "two")
	s.launch()
	eventually(t, "http serves", func() bool { st := s.status(); return st.PID != 0 && st.Programs[0].Ready == 2 })
	http := map[int]bool{}
	for _, w := range s.status().Workers { // one of the other program may be starting just now
		http[w.PID] = w.Program == "http"
	}
	s.heldBack(func() { mustGet(t, s.addr()) })
	st := s.status()
	crash := st.Programs[1]
	if st.State != "degraded" || crash.LastExit != "exit 7" || crash.Ready != 0 {
		t.Errorf("status: %s, %+v", st.State, crash)
	}
	for _, w := range st.Workers {
		if w.Program == "crash" && w.PID == 0 && w.State != "backoff" && w.State != "failed" {
			t.Errorf("the crashing worker is %q", w.State)
		}
		if w.Program == "http" && !http[w.PID] {
			t.Errorf("a worker of the other program was replaced")
		}
	}
	if _, code := s.run("status"); code != 1 {
		t.Errorf("status: exit %d, want 1 for degraded", code)
	}
}

func TestManySlotsInACrashLoop(t *testing.T) {
	t.Parallel()
	s := newService(t, "crash", "CRASH=exit")
	s.launch("--workers", "4")
	s.heldBack(func() {})
}

// heldBack waits for five exits, and for longer than slots that knew nothing of
// each other would need for many more, and then wants no more than fifteen within
// ten seconds, by the log.
func (s *service) heldBack(meanwhile func()) {
	s.t.Helper()
	began, exits := time.Now(), []time.Time(nil)
	eventually(s.t, "five exits", func() bool {
		meanwhile()
		exits = nil
		for _, line := range regexp.MustCompile(`(?m)^time=(\S+) .*msg="worker exit"`).FindAllStringSubmatch(s.log(), -1) {
			at, err := time.Parse(time.RFC3339, line[1])
			if err != nil {
				s.t.Fatal(err)
			}
			exits = append(exits, at)
		}
		time.Sleep(50 * time.Millisecond)
		return len(exits) >= 5 && time.Since(began) > 6*time.Second
	})
	for i := 15; i < len(exits); i++ {
		if d := exits[i].Sub(exits[i-15]); d < 10*time.Second-slackOfLog {
			s.t.Errorf("sixteen starts within %v", d)
		}
	}
}

// slackOfLog is how much later than its process ended an exit may be logged.
const slackOfLog = time.Second

func TestExitCauses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ how, want string }{
		{"exit", "exit 7"},
		{"error", "exit 1: worker crash/0: program ended: the database is on fire"},
		{"panic", "exit 2: panic: on purpose"},
		{"late", "exit 3"},
		{"hang", "not ready in time: signal: killed"},
	} {
		t.Run(tt.how, func(t *testing.T) {
			t.Parallel()
			s := newService(t, "crash", "CRASH="+tt.how)
			s.launch()
			eventually(t, "an exit is reported", func() bool {
				st := s.status()
				return st.PID != 0 && st.Programs[0].LastExit != ""
			})
			if got := s.status().Programs[0].LastExit; got != tt.want {
				t.Errorf("last_exit %q, want %q", got, tt.want)
			}
		})
	}
}

// orphanTime is how long what a killed master has left may live: two seconds, and
// what a busy machine adds to them. A stop would have had an hour.
const orphanTime = 10 * time.Second

func TestKilledMasterLeavesNothing(t *testing.T) {
	for _, name := range []string{"http", "stubborn"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, name).start("--stop-timeout", "1h")
			addr, pids := s.addr(), s.pids()
			s.cmd.Process.Kill()
			begin := time.Now()
			lived := make(chan time.Duration, 1)
			go func() { // beside the start, which may take its time on a loaded machine
				for slices.ContainsFunc(pids, func(pid int) bool { return !gone(pid) }) && time.Since(begin) < patience {
					time.Sleep(5 * time.Millisecond)
				}
				lived <- time.Since(begin)
			}()
			next := newService(t, name) // its cleanup stops it
			next.dir = s.dir
			next.start("--listen", addr)
			t.Logf("started again %v after the kill", time.Since(begin))
			if d := <-lived; d > orphanTime {
				t.Errorf("the orphans lived for %v", d)
			}
			<-s.exited
		})
	}
}

// TestKilledMasterWithAStoppedWorker: the kernel continues a stopped process
// whose group becomes an orphan.
func TestKilledMasterWithAStoppedWorker(t *testing.T) {
	s := newService(t, "http").start("--stop-timeout", "1h")
	pids := s.pids()
	exampletest.Suspend(t, pids[0])
	s.cmd.Process.Kill()
	<-s.exited
	begin := time.Now()
	for _, pid := range pids {
		eventually(t, "the orphans are gone", func() bool {
			// Our subreaper is of the workers' session, so the group is not
			// orphaned in the kernel's sense here as it would be elsewhere.
			exampletest.Resume(pids[0])
			return gone(pid)
		})
	}
	if d := time.Since(begin); d > orphanTime {
		t.Errorf("the orphans lived for %v", d)
	}
}

func TestStopUnderLoad(t *testing.T) {
	t.Parallel()
	s := newService(t, "http").start()
	addr := s.addr()
	const clients = 20
	var rests []func() (string, error)
	for range clients {
		rest, err := begin(addr, "/slow?ms=2000")
		if err != nil {
			t.Fatal(err)
		}
		rests = append(rests, rest)
	}
	s.must("stop")
	for _, rest := range rests {
		if body, err := rest(); err != nil || body != "begin end" {
			t.Errorf("the answer was cut: %q, %v", body, err)
		}
	}
}

// accepted counts the established connections of a server's address that no
// longer wait in its accept queue: those with an inode of their own.
func accepted(t *testing.T, addr string) int {
	t.Helper()
	_, port, _ := strings.Cut(addr, ":")
	var n int
	fmt.Sscan(port, &n)
	b, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, line := range strings.Split(string(b), "\n") {
		f := strings.Fields(line)
		if len(f) > 9 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", n)) && f[3] == "01" && f[9] != "0" {
			count++
		}
	}
	return count
}

func TestStubbornWorkerIsKilledAtTheDeadline(t *testing.T) {
	t.Parallel()
	s := newService(t, "stubborn").start()
	pids := s.pids()
	begin := time.Now()
	s.must("stop")
	if d := time.Since(begin); d < 300*time.Millisecond {
		t.Errorf("killed after %v, before its deadline", d)
	}
	if !gone(pids[0]) {
		t.Errorf("it lives")
	}
	<-s.exited // its last lines have come
	if !strings.Contains(s.log(), "not drained in time") {
		t.Errorf("the log does not say why it was killed")
	}
}

func TestSecondSignalStopsAtOnce(t *testing.T) {
	t.Parallel()
	s := newService(t, "http").start("--stop-timeout", "1h")
	addr := s.addr()
	go get(addr, "/slow?ms=60000")
	eventually(t, "the request has reached a worker", func() bool { return accepted(t, addr) >= 1 })
	s.cmd.Process.Signal(syscall.SIGTERM)
	eventually(t, "it stops", func() bool { return strings.Contains(s.log(), "terminated") })
	again := time.NewTicker(100 * time.Millisecond) // some of them are within the grace
	defer again.Stop()
	for limit := time.After(patience); ; {
		select {
		case <-s.exited:
			return
		case <-again.C:
			s.cmd.Process.Signal(os.Interrupt)
		case <-limit:
			t.Fatalf("no second signal ended it")
		}
	}
}

func TestQuitPrintsGoroutines(t *testing.T) {
	t.Parallel()
	s := newService(t, "http").start()
	s.cmd.Process.Signal(syscall.SIGQUIT)
	<-s.exited
	if log := s.log(); !strings.Contains(log, "goroutine ") || !strings.Contains(log, "DrainHTTP") {
		t.Errorf("no goroutines in the log: %s", log)
	}
}

// TestHungWorkerExplains: all goroutines of a hung worker are in the log before
// it goes.
func TestHungWorkerExplains(t *testing.T) {
	t.Parallel()
	s := newService(t, "hung", "OUT="+filepath.Join(t.TempDir(), "once")).start()
	eventually(t, "it is replaced", func() bool { return replaced(s) })
	eventually(t, "all goroutines are in the log", func() bool { // whose last lines may be on their way
		return strings.Count(s.log(), "supervise_test.waitForNothing(") == hungGoroutines
	})
}

// TestHungWorkerThatCannotExplain: a worker whose standard error is stuck as
// well is replaced all the same.
func TestHungWorkerThatCannotExplain(t *testing.T) {
	t.Parallel()
	s := newService(t, "hung", "OUT="+filepath.Join(t.TempDir(), "once"), "STUCK=1").start()
	eventually(t, "it is replaced", func() bool { return replaced(s) })
	if last := s.status().Programs[0].LastExit; last != "hung: it waits for nothing" {
		t.Errorf("last exit %q", last)
	}
}

// replaced reports whether a worker has gone and another is in its place.
func replaced(s *service) bool {
	st := s.status()
	return st.Programs[0].Restarts == 1 && len(st.Workers) == 1 && st.Workers[0].State == "ready" &&
		strings.Contains(s.log(), "worker exit")
}

// TestTerminatedWorker: TERM of a worker by hand is a wish to have it replaced,
// and a second one an order.
func TestTerminatedWorker(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			s := newService(t, "http").start("--workers", "1")
			pid := s.pids()[0]
			rest, err := begin(s.addr(), "/slow?ms=1000")
			if err != nil {
				t.Fatal(err)
			}
			syscall.Kill(pid, sig)
			eventually(t, "another serves", func() bool {
				st := s.status()
				return st.State == "running" && st.Workers[0].PID != pid
			})
			if body, err := rest(); body != "begin end" || err != nil {
				t.Errorf("the answer that was on its way: %q, %v", body, err)
			}
			eventually(t, "it has gone", func() bool { return len(s.pids()) == 1 })
			if st := s.status(); st.Programs[0].Restarts != 0 {
				t.Errorf("restarts %d, last exit %q; want none", st.Programs[0].Restarts, st.Programs[0].LastExit)
			}

			go get(s.addr(), "/slow?ms=60000")
			eventually(t, "a request has reached the worker", func() bool { return accepted(t, s.addr()) >= 1 })
			pid = s.pids()[0]
			syscall.Kill(pid, sig)
			eventually(t, "it drains", func() bool { return strings.Contains(s.log(), "replace worker") && len(s.pids()) == 2 })
			syscall.Kill(pid, sig)
			eventually(t, "it has gone", func() bool { return len(s.pids()) == 1 && s.pids()[0] != pid })
		})
	}
}

// TestEverybodyIsTerminated: a service manager that signals all processes of a
// service cuts nobody off.
func TestEverybodyIsTerminated(t *testing.T) {
	t.Parallel()
	s := newService(t, "http").start("--workers", "2")
	var rests []func() (string, error)
	for range 4 {
		rest, err := begin(s.addr(), "/slow?ms=1000")
		if err != nil {
			t.Fatal(err)
		}
		rests = append(rests, rest)
	}
	for _, pid := range append(s.pids(), s.cmd.Process.Pid) {
		syscall.Kill(pid, syscall.SIGTERM)
	}
	for _, rest := range rests {
		if body, err := rest(); body != "begin end" || err != nil {
			t.Errorf("an answer that was on its way: %q, %v", body, err)
		}
	}
	<-s.exited
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// TestTerminatedAtItsStart: a worker that is not ready has nobody to cut off.
func TestTerminatedAtItsStart(t *testing.T) {
	t.Parallel()
	s := newService(t, "crash", "CRASH=hang")
	s.launch("--start-timeout", "1m")
	eventually(t, "a worker that starts", func() bool { return len(s.pids()) == 1 && strings.Contains(s.log(), "at its start") })
	syscall.Kill(s.pids()[0], syscall.SIGTERM)
	eventually(t, "it has gone", func() bool { return s.status().Programs[0].LastExit == "signal: terminated" })
}
