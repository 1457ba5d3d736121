package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/load"
)

// orphanTime is how long what a killed master has left may live: two seconds, and
// what a busy machine adds to them. A stop would have had an hour.
const orphanTime = 10 * time.Second

// TestMasterKilled: no worker outlives its master for long, and the service can be started again at once, at the same address and with
// the same run directory.
func TestMasterKilled(t *testing.T) {
	t.Parallel()
	s := start(t, "faults", "--workers", "2", "--stop-timeout", "1h")
	busy := load.Load{Addr: s.addr, Connections: 8}
	end := busy.Start()
	stuck := dial(t, s.addr)
	stuck.send(get("/block")) // this worker's loop cannot notice anything
	s.wait("a second's work", func(st status, _ int) bool { return sumRequests(st) > 100 })

	s.cmd.Process.Kill()
	killed := time.Now()
	<-s.exited
	again := launchBinary(t, s.binary, s.runDir, "--listen", "tcp://"+s.addr, "--workers", "2")
	old := func() (pids []int) {
		for _, pid := range s.processes() {
			if pid != again.cmd.Process.Pid && parent(pid) != again.cmd.Process.Pid {
				pids = append(pids, pid)
			}
		}
		return pids
	}
	for len(old()) > 0 && time.Since(killed) < orphanTime {
		time.Sleep(10 * time.Millisecond)
	}
	if left := old(); len(left) > 0 {
		t.Errorf("%v after their master, %v still live", orphanTime, left)
	}
	again.waitReady()
	if again.addr != s.addr {
		t.Errorf("started again at %s, was %s", again.addr, s.addr)
	}
	dial(t, again.addr).pid()
	report := end()
	t.Logf("clients across it: %v", report)
	if n := report.Counts[load.Wrong]; n > 0 {
		t.Errorf("%d answers that are none: %v", n, report)
	}
}

// TestStalePIDFile: a pid file with somebody else's process in it
// hurts nobody.
func TestStalePIDFile(t *testing.T) {
	dir := runDir(t)
	stranger := exec.Command("sleep", "60")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		stranger.Process.Kill()
		stranger.Wait()
	}()
	write(t, filepath.Join(dir, "master.pid"), fmt.Sprintln(stranger.Process.Pid))
	bin := binary(t, "jay")
	if _, stderr, code := run(t, bin, "stop", "--run-dir", dir); code != 1 || strings.Count(stderr, "\n") != 1 {
		t.Errorf("stop with a stranger's pid: exit %d, %q; want 1 and a line", code, stderr)
	}
	s := launchBinary(t, bin, dir, "--listen", "127.0.0.1:0")
	s.waitReady()
	if _, code := s.command("stop"); code != 0 {
		t.Errorf("stop: exit %d", code)
	}
	if err := stranger.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the stranger is gone: %v", err)
	}
}
