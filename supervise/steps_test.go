//go:build linux

package supervise_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/control"
)

// A step of a change to a slow build, as it can be seen from outside.
type step struct {
	name    string
	reached func(s *service) bool
}

func logged(text string, times int) func(*service) bool {
	return func(s *service) bool { return strings.Count(s.log(), text) >= times }
}

var (
	describing = step{"describing", logged("msg=command ", 1)}
	executing  = step{"executing", logged(`msg="upgrade: exec"`, 1)}
	continuing = step{"continuing", logged("the new master continues", 1)}
	starting   = step{"starting", func(s *service) bool { return len(s.generation(2)) == 2 }}
	settling   = step{"settling", func(s *service) bool {
		workers := s.generation(2)
		return len(workers) == 2 && workers[0].State == "ready" && workers[1].State == "ready"
	}}
	drainingOld = step{"draining", func(s *service) bool { return logged(" done\" ", 1)(s) && len(s.generation(1)) > 0 }}
)

// generation are the workers of one generation.
func (s *service) generation(n int) (workers []control.WorkerStatus) {
	for _, w := range s.status().Workers {
		if w.Generation == n && w.PID != 0 {
			workers = append(workers, w)
		}
	}
	return workers
}

// processes are all that live of a service: those with its run directory in the
// environment that they were started with. What the test has started itself is
// not among them: the master, and commands.
func (s *service) processes() (pids []int) {
	s.t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		s.t.Fatal(err)
	}
	ours := fmt.Appendf(nil, "\nPPid:\t%d\n", os.Getpid())
	for _, dir := range all {
		environ, _ := os.ReadFile(dir + "/environ") // a zombie has none
		status, _ := os.ReadFile(dir + "/status")
		if bytes.Contains(environ, []byte("JAY_RUN_DIR="+s.dir+"\x00")) && !bytes.Contains(status, ours) {
			pid, _ := strconv.Atoi(filepath.Base(dir))
			pids = append(pids, pid)
		}
	}
	return pids
}

// begin asks for a change and returns when the step is reached. result gives
// what the command has said.
func (s *service) begin(command string, at step) (result func() (output string, code int)) {
	s.t.Helper()
	type answer struct {
		output string
		code   int
	}
	done := make(chan answer, 1)
	cmd := s.command(strings.Fields(command)...)
	go func() {
		b, _ := cmd.CombinedOutput()
		done <- answer{string(b), cmd.ProcessState.ExitCode()}
	}()
	eventually(s.t, command+" is "+at.name, func() bool { return at.reached(s) })
	return func() (string, int) { a := <-done; return a.output, a.code }
}

// order reports whether the log has one line before another, once it has that.
func (s *service) order(first, second string) bool {
	s.t.Helper()
	eventually(s.t, "the log has "+second, func() bool { return strings.Contains(s.log(), second) })
	before, _, _ := strings.Cut(s.log(), second)
	return strings.Contains(before, first)
}

// TestMasterKilledAtEveryStep: wherever a change stands, soon after its
// master nothing of the service is left, and it can be started again at once,
// at the same address.
func TestMasterKilledAtEveryStep(t *testing.T) {
	for _, tt := range []struct {
		command, mode string
		at            step
	}{
		{"reload", "slow", describing},
		{"reload", "hang", describing},
		{"reload", "slow", starting},
		{"reload", "hang as worker", starting},
		{"reload", "slow", settling},
		{"reload", "slow", drainingOld},
		{"upgrade", "slow", describing},
		{"upgrade", "slow", executing},
		{"upgrade", "slow", continuing},
		{"upgrade", "slow", starting},
		{"upgrade", "slow", settling},
		{"upgrade", "slow", drainingOld},
	} {
		t.Run(fmt.Sprintf("%s, %s, %s", tt.command, tt.mode, tt.at.name), func(t *testing.T) {
			t.Parallel()
			s := newService(t, "http")
			s.install("good")
			s.start("--stop-timeout", "1h")
			addr := s.addr()
			go get(addr, "/slow?ms=60000") // keeps an old worker draining
			eventually(t, "a worker has the request", func() bool { return accepted(t, addr) >= 1 })
			s.install(tt.mode)
			result := s.begin(tt.command, tt.at)
			old := s.processes()
			defer func() {
				for _, pid := range old { // what a failure has left
					if !gone(pid) {
						syscall.Kill(pid, syscall.SIGKILL)
					}
				}
			}()
			s.cmd.Process.Kill()
			killed := time.Now()
			<-s.exited

			next := newService(t, "http")
			next.dir = s.dir
			next.launch("--listen", addr)
			for _, pid := range old {
				eventually(t, "nothing of the old service is left", func() bool { return gone(pid) })
			}
			if d := time.Since(killed); d > orphanTime {
				t.Errorf("something of the old service lived for %v", d)
			}
			eventually(t, "the new one is ready", func() bool { return logged("\nready\n", 1)(next) })
			mustGet(t, addr)
			// On a busy machine the change may have been through before the kill.
			if output, code := result(); code != 1 && !strings.HasPrefix(output, tt.command+" done") {
				t.Errorf("%s whose master was killed: exit %d: %s", tt.command, code, output)
			}
		})
	}
}

// TestWorkerKilledAtEveryStep: a worker that dies during a change is replaced
// by the code that it had, or ends the change, and nobody else notices.
func TestWorkerKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	const oldWorker, newWorker = 1, 2 // by generation
	for _, tt := range []struct {
		command string
		at      step
		victim  int
	}{
		{"reload", describing, oldWorker},
		{"reload", starting, oldWorker},
		{"reload", settling, oldWorker},
		{"reload", drainingOld, oldWorker},
		{"reload", starting, newWorker},
		{"reload", settling, newWorker},
		{"reload", drainingOld, newWorker},
		{"upgrade", describing, oldWorker},
		{"upgrade", executing, oldWorker},
		{"upgrade", starting, oldWorker},
		{"upgrade", settling, oldWorker},
		{"upgrade", starting, newWorker},
		{"upgrade", settling, newWorker},
	} {
		who := []string{oldWorker: "an old worker", newWorker: "a new worker"}[tt.victim]
		t.Run(fmt.Sprintf("%s, %s, %s", tt.command, tt.at.name, who), func(t *testing.T) {
			t.Parallel()
			s := newService(t, "http")
			s.install("good")
			s.start()
			addr := s.addr()
			if tt.at.name == drainingOld.name {
				go get(addr, "/slow?ms=60000")
				eventually(t, "a worker has the request", func() bool { return accepted(t, addr) >= 1 })
			}
			victims := s.generation(1)
			const clients = 2
			l := startLoad(t, addr, 0, 0, clients)
			s.install("slow")
			result := s.begin(tt.command, tt.at)
			if tt.victim == newWorker || tt.at.name == drainingOld.name {
				victims = s.generation(tt.victim)
			}
			syscall.Kill(victims[0].PID, syscall.SIGKILL)
			output, code := result()

			generation := 2
			// On a busy machine the change may have been through before the kill.
			through := s.order(fmt.Sprintf(`msg="%s done"`, tt.command),
				fmt.Sprintf(`msg="worker exit" pid=%d program=http slot=%d worker_pid=%d `, s.cmd.Process.Pid, victims[0].Slot, victims[0].PID))
			if tt.victim == newWorker && tt.at.name != drainingOld.name && !through {
				generation = 1
				if code != 1 || !strings.Contains(output, "signal: killed") || strings.Count(output, "\n") != 1 {
					t.Errorf("%s: exit %d: %s; want exit 1 and the cause", tt.command, code, output)
				}
			} else if code != 0 {
				t.Errorf("%s: exit %d: %s", tt.command, code, output)
			}
			eventually(t, "two workers serve, and nothing else is left", func() bool {
				st := s.status()
				return st.State == "running" && len(st.Workers) == 2 && len(s.processes()) == 2
			})
			if st := s.status(); st.Generation != generation || st.PID != s.cmd.Process.Pid {
				t.Errorf("generation %d, master %d; want %d, %d", st.Generation, st.PID, generation, s.cmd.Process.Pid)
			}
			mustGet(t, addr)
			done, failed := l.end()
			lost := 0
			for _, n := range failed {
				lost += n
			}
			if lost > clients || done == 0 {
				t.Errorf("%d requests lost with %d clients at a time, %d answered: %v", lost, clients, done, failed)
			}
		})
	}
}
