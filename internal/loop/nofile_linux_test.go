package loop_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jay-go/jay/internal/loop"
	"golang.org/x/sys/unix"
)

// TestOutOfDescriptors runs in a process of its own, because the limit is the
// process's: with no descriptor left accepting fails, says why, once for each
// time it is resumed, and goes on when there are some again.
func TestOutOfDescriptors(t *testing.T) {
	if os.Getenv("JAY_TEST_NOFILE") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestOutOfDescriptors$", "-test.v")
		cmd.Env = append(os.Environ(), "JAY_TEST_NOFILE=1")
		out, err := cmd.CombinedOutput()
		if err != nil || strings.Count(string(out), "--- PASS: TestOutOfDescriptors/") != len(loop.BackendNames()) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	eachBackend(t, loop.Config{}, func(r *rig) {
		a, dial := r.listen("tcp")
		a.onAccepted = func() { a.ln.Pause() }
		r.on(a.ln.Resume)
		dial()
		a.take()
		r.on(func() { a.onAccepted = nil })
		for range 3 {
			dial()
		}
		restore := noDescriptors(r)
		r.on(func() { a.onFailed = a.ln.Pause; a.ln.Resume() })
		for k := range 5 {
			if err := wait(r, "the failure", a.failed); !errors.Is(err, unix.EMFILE) || !strings.Contains(err.Error(), "accept") {
				r.Errorf("AcceptFailed(%v), want accept…: too many open files", err)
			}
			r.still("paused after a failure")
			if len(a.failed)+len(a.accepted) != 0 {
				r.Errorf("paused for the %dth time: %d more failures, %d connections", k, len(a.failed), len(a.accepted))
			}
			if k < 4 {
				r.on(a.ln.Resume)
			}
		}
		restore()
		r.on(a.ln.Resume)
		for range 3 {
			a.take()
		}
		r.on(a.ln.Close)
	})
}

// noDescriptors lowers the limit so that no descriptor can be opened, until
// restore.
func noDescriptors(r *rig) (restore func()) {
	r.Helper()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		r.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: old.Max}); err != nil {
		r.Fatal(err)
	}
	return func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
			r.Fatal(err)
		}
	}
}
