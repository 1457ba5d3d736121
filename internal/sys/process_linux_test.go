package sys

import (
	"os"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestEnded: what a child's end is said to be before it is reaped is what
// reaping says.
func TestEnded(t *testing.T) {
	for name, script := range map[string]string{
		"exit 0":       "exit 0",
		"exit 7":       "exit 7",
		"exit 255":     "exit 255",
		"killed":       "kill -KILL $$",
		"terminated":   "kill -TERM $$",
		"aborted":      "ulimit -c 0; kill -ABRT $$",
		"core, if any": "cd " + t.TempDir() + "; ulimit -c unlimited; kill -ABRT $$",
	} {
		t.Run(name, func(t *testing.T) {
			pid := startShell(t, script)
			status, ended, err := Ended(pid, true)
			if err != nil || !ended {
				t.Fatalf("Ended: %v, %v", ended, err)
			}
			if again, ended, err := Ended(pid, false); again != status || !ended || err != nil {
				t.Errorf("again: %#x, %v, %v; want %#x", again, ended, err, status)
			}
			got, want, err := Reap(pid, true)
			if got != pid || err != nil {
				t.Fatalf("Reap: %d, %v", got, err)
			}
			if status != want {
				t.Errorf("status %#x, want %#x", status, want)
			}
		})
	}
}

func TestEndedOfWhoHasNot(t *testing.T) {
	pid := startShell(t, "read line")
	if status, ended, err := Ended(pid, false); ended || err != nil {
		t.Errorf("of a child that runs: %#x, %v, %v", status, ended, err)
	}
	KillGroup(pid, syscall.SIGKILL)
	if _, _, err := Reap(pid, true); err != nil {
		t.Fatal(err)
	}
	if _, ended, err := Ended(pid, true); ended || err == nil {
		t.Errorf("of a child that has been reaped: %v, %v", ended, err)
	}
}

// startShell starts a shell that reads from a pipe into which nobody writes.
func startShell(t *testing.T, script string) (pid int) {
	t.Helper()
	r, w, err := Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(r); unix.Close(w) })
	if err := unix.SetNonblock(r, false); err != nil {
		t.Fatal(err)
	}
	p := Process{Path: "/bin/sh", Argv: []string{"sh", "-c", script}, Env: os.Environ(), Files: []int{r, 1, 2}}
	if pid, err = p.Start(); err != nil {
		t.Fatal(err)
	}
	return pid
}

// TestContinueStopped: only whom one of the signals has stopped goes on.
func TestContinueStopped(t *testing.T) {
	pid := startShell(t, "read line")
	defer Reap(pid, true)
	defer KillGroup(pid, syscall.SIGKILL)
	stopped := func() bool {
		var info childInfo
		_, _, errno := unix.Syscall6(unix.SYS_WAITID, unix.P_PID, uintptr(pid), uintptr(unsafe.Pointer(&info)), unix.WSTOPPED|unix.WNOHANG|unix.WNOWAIT, 0, 0)
		return errno == 0 && info.pid != 0
	}
	await := func(what string, want bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); stopped() != want; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal(what)
			}
		}
	}
	KillGroup(pid, syscall.SIGSTOP)
	await("SIGSTOP does not stop it", true)
	ContinueStopped(pid, syscall.SIGTTIN, syscall.SIGTTOU)
	if !stopped() {
		t.Error("it goes on, although another signal has stopped it")
	}
	ContinueStopped(pid, syscall.SIGTTIN, syscall.SIGSTOP)
	await("it does not go on", false)
}
