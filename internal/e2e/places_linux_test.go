package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jay-go/jay/internal/needs"
)

// TestGoRun: a service that is started by go run is one like any other, though
// its file lies in a directory that go removes.
func TestGoRun(t *testing.T) {
	t.Parallel()
	dir := runDir(t)
	cmd := exec.Command("go", "run", "../../examples/hello", "start", "--run-dir", dir, "--listen", "127.0.0.1:0", "--workers", "2")
	s := launchCommand(t, binary(t, "hello"), dir, cmd)
	s.waitReady()
	before, _ := s.status()
	victim := before.Workers[0].PID
	syscall.Kill(victim, syscall.SIGKILL)
	s.wait("the killed worker is replaced", func(st status, code int) bool { return code == 0 && !st.hasWorker(victim) })
	for _, command := range []string{"reload", "upgrade"} {
		if out, code := s.command(command); code != 0 {
			t.Errorf("%s: exit %d\n%s", command, code, out)
		}
	}
	after, code := s.status()
	if code != 0 || after.PID != before.PID || after.Generation != 3 {
		t.Errorf("after reload and upgrade: exit %d, master %d, generation %d; want 0, %d, 3", code, after.PID, after.Generation, before.PID)
	}
	if out, code := s.command("stop"); code != 0 {
		t.Errorf("stop: exit %d\n%s", code, out)
	}
	if code := s.waitExit(); code != 0 {
		t.Errorf("go run exited with %d", code)
	}
}

// TestNoPlace: without a run directory and a home, no directory is taken that
// somebody else could have made.
func TestNoPlace(t *testing.T) {
	needs.Root(t)
	dir := runDir(t)
	program := forOthers(t, "hello", dir)
	for _, command := range []string{"start", "status", "check"} {
		cmd := exec.Command(needs.Program(t, "setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups", program, command)
		cmd.Env = []string{"TMPDIR=" + dir}
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "neither XDG_RUNTIME_DIR nor HOME is set; write --run-dir DIR") {
			t.Errorf("%s: %v: %s", command, err, out)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("it has made %v", left)
	}
	if out, err := exec.Command("env", "-i", program, "help").Output(); err != nil || !strings.Contains(string(out), "--run-dir") {
		t.Errorf("help: %v: %s", err, out)
	}
}
