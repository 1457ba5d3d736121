//go:build linux

package supervise_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/needs"
	"github.com/jay-go/jay/supervise"
)

// commandsOptions run commands in a hook of the master, which each leave an
// orphan behind and end with a status of their own, and one whose status is asked
// for long after its end.
func commandsOptions() *supervise.Options {
	o := options(httpProgram())
	o.OnMasterReload = func() {
		late := exec.Command("sh", "-c", "exit 9")
		late.Start()
		var wrong atomic.Int32
		var all sync.WaitGroup
		for worker := range 4 {
			all.Go(func() {
				for i := range 25 {
					want := 1 + (25*worker+i)%100
					cmd := exec.Command("sh", "-c", fmt.Sprintf("(sleep 0.0%d &) ; exit %d", i, want))
					cmd.Run()
					if cmd.ProcessState.ExitCode() != want {
						wrong.Add(1)
					}
				}
			})
		}
		all.Wait()
		time.Sleep(7 * time.Second) // longer than a stranger's
		late.Wait()
		os.WriteFile(os.Getenv("OUT"), fmt.Appendf(nil, "%d of 100 wrong, late %d\n", wrong.Load(), late.ProcessState.ExitCode()), 0o600)
	}
	return o
}

// TestStrangersAreReaped: orphans that the kernel gives to the master are reaped,
// and of the commands that its hooks run no status is lost: as the first process
// of a PID namespace, and as a child subreaper.
func TestStrangersAreReaped(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		env    string
		launch func(s *service)
	}{
		{"process 1", "OTHER=", func(s *service) { s.launchBy(needs.Program(t, "unshare"), "--pid", "--fork", "--mount-proc") }},
		{"subreaper", "SUBREAPER=1", func(s *service) { s.launch() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			needs.Root(t)
			out := filepath.Join(t.TempDir(), "out")
			s := newService(t, "commands", tt.env, "OUT="+out)
			tt.launch(s)
			eventually(t, "the service is ready", func() bool { return logged("\nready\n", 1)(s) })
			s.must("reload")
			eventually(t, "the hook has run", func() bool { _, err := os.Stat(out); return err == nil })
			if b, err := os.ReadFile(out); string(b) != "0 of 100 wrong, late 9\n" || err != nil {
				t.Errorf("commands of a hook: %s, %v", b, err)
			}
			eventually(t, "the orphans are reaped", func() bool { return s.zombies() == 0 })
			s.must("stop")
			<-s.exited
		})
	}
}

// TestWorkerReapedByOthers: user code in the master that waits for any child gets
// a worker's status; the worker is replaced all the same.
func TestWorkerReapedByOthers(t *testing.T) {
	t.Parallel()
	s := newService(t, "greedy").start()
	pid := s.pids()[0]
	syscall.Kill(pid, syscall.SIGKILL)
	eventually(t, "it is replaced", func() bool {
		st := s.status()
		return st.State == "running" && st.Programs[0].Restarts == 1 && !strings.Contains(fmt.Sprint(s.pids()), fmt.Sprint(pid))
	})
	if last := s.status().Programs[0].LastExit; last != "signal: killed" && !strings.Contains(last, "taken by other code") {
		t.Errorf("last exit: %s", last)
	}
}

// greedyOptions wait for any child in the master, as fast as they can.
func greedyOptions() *supervise.Options {
	o := options(httpProgram())
	if inRole("worker") {
		return o
	}
	go func() {
		for {
			if _, err := syscall.Wait4(-1, nil, 0, nil); err != nil {
				time.Sleep(time.Millisecond)
			}
		}
	}()
	return o
}
