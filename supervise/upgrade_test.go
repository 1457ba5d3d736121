//go:build linux

package supervise_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/control"
)

// TestUpgradeAndBack: a build is replaced by another, and that one by the
// first again, in one process.
func TestUpgradeAndBack(t *testing.T) {
	t.Parallel()
	s := newService(t, "reuse")
	s.install("one")
	s.start()
	master := s.status().PID
	for i, build := range []string{"two", "one", "two", "one"} {
		s.install(build)
		s.must("upgrade")
		if st := s.status(); st.PID != master || st.Version != build || st.Generation != i+2 || st.State != "running" {
			t.Errorf("after the upgrade to %s: master %d, version %s, generation %d, %s; want %d, generation %d, running",
				build, st.PID, st.Version, st.Generation, st.State, master, i+2)
		}
		if _, generation, _ := mustGet(t, s.addr()); generation != i+2 {
			t.Errorf("generation %d answers, want %d", generation, i+2)
		}
	}
}

// TestUpgradeThatCouldNotContinue: what would end the new master after the exec
// is found before it, and nothing happens.
func TestUpgradeThatCouldNotContinue(t *testing.T) {
	t.Parallel()
	s := newService(t, "http")
	s.install("good")
	s.start()
	before := s.status()
	s.install("no user")
	out, code := s.run("upgrade")
	if code != 1 || !strings.Contains(out, "no-such-user: there is no such user") {
		t.Errorf("exit %d: %s", code, out)
	}
	s.wantAsBefore(before)
	mustGet(t, s.addr())
}

// wantAsBefore wants the same master, build, generation and workers as before.
func (s *service) wantAsBefore(before control.Status) {
	s.t.Helper()
	after := s.status()
	if after.PID != before.PID || after.Version != before.Version || after.Generation != before.Generation || after.State != before.State {
		s.t.Errorf("before %+v\nafterwards %+v", before, after)
	}
	for i, w := range after.Workers {
		if w.PID != before.Workers[i].PID {
			s.t.Errorf("slot %d has worker %d, before %d", i, w.PID, before.Workers[i].PID)
		}
	}
}

// TestWayBack: a new master that cannot continue, for a reason that only it
// meets, executes the file that it came from. The upgrade fails and says why; no
// request does, and everything goes on, the next upgrade included.
func TestWayBack(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ build, want string }{
		{"master: bad environment", `--log-level "none"`},
		{"master: long story", `--log-level "none`},
		{"master: no user", "no-such-user: there is no such user"},
	} {
		t.Run(test.build, func(t *testing.T) {
			t.Parallel()
			s := newService(t, "http")
			s.install("good")
			s.start()
			before := s.status()
			l := startLoad(t, s.addr(), 4, time.Millisecond, 2)
			s.install(test.build)
			descriptors := openDescriptors(t, s.cmd.Process.Pid)
			for range 3 {
				out, code := s.run("upgrade")
				eventually(t, "no descriptor more than before", func() bool { return openDescriptors(t, s.cmd.Process.Pid) <= descriptors })
				if code != 1 || !strings.Contains(out, test.want) || strings.Count(out, "\n") != 1 {
					t.Errorf("upgrade: exit %d: %s; want exit 1 and a line with %q", code, out, test.want)
				}
			}
			if done, failed := l.end(); len(failed) > 0 || done == 0 {
				t.Errorf("%d requests, failed: %v", done, failed)
			}
			s.wantAsBefore(before)
			syscall.Kill(before.Workers[0].PID, syscall.SIGKILL)
			eventually(t, "a killed worker is replaced by one of the same build", func() bool {
				st := s.status()
				return st.State == "running" && st.Programs[0].Restarts == 1
			})
			s.install("better")
			s.must("upgrade")
			if st := s.status(); st.PID != before.PID || st.Version != "better" || st.Generation != 2 {
				t.Errorf("after the last upgrade: %+v", st)
			}
		})
	}
}

// TestExecThatFails: the new file has described itself and cannot be executed
// when it comes to it, because somebody writes to it. Everything goes on, signals
// and the control API included, and a later upgrade succeeds.
func TestExecThatFails(t *testing.T) {
	t.Parallel()
	mark, gate := filepath.Join(t.TempDir(), "mark"), filepath.Join(t.TempDir(), "gate")
	s := newService(t, "gated hooks", "OUT="+mark, "GATE="+gate)
	s.install("good")
	s.start()
	// A hook that has not returned holds up the exec.
	syscall.Kill(s.pids()[0], syscall.SIGKILL)
	eventually(t, "the killed worker is replaced", func() bool { st := s.status(); return st.State == "running" && st.Programs[0].Restarts == 1 })
	before := s.status()
	s.install("mark")
	result := s.begin("upgrade", step{"described", func(*service) bool { _, err := os.Stat(mark); return err == nil }})
	var writer *os.File
	var err error
	eventually(t, "nobody executes the new file", func() bool {
		writer, err = os.OpenFile(s.exe, os.O_WRONLY, 0)
		return !errors.Is(err, syscall.ETXTBSY)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	output, code := result()
	writer.Close()
	if code != 1 || !strings.Contains(output, "text file busy") || strings.Count(output, "\n") != 1 {
		t.Errorf("upgrade: exit %d: %s; want exit 1 and the cause", code, output)
	}
	s.wantAsBefore(before)
	syscall.Kill(before.Workers[0].PID, syscall.SIGKILL)
	eventually(t, "a killed worker is replaced", func() bool { st := s.status(); return st.State == "running" && st.Programs[0].Restarts == 2 })
	s.cmd.Process.Signal(syscall.SIGHUP)
	eventually(t, "a signal is obeyed", func() bool { return s.status().Generation == 2 })
	s.must("upgrade")
	if st := s.status(); st.Version != "mark" || st.Generation != 3 {
		t.Errorf("after the upgrade: version %s, generation %d", st.Version, st.Generation)
	}
}

// TestSignalsDuringUpgrades: signals that arrive while the master is replaced
// do not end it.
func TestSignalsDuringUpgrades(t *testing.T) {
	t.Parallel()
	s := newService(t, "http").start()
	stop := make(chan struct{})
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				for _, sig := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGWINCH, syscall.SIGTTIN, syscall.SIGTTOU} {
					s.cmd.Process.Signal(sig)
				}
			}
		}
	}()
	for range 4 {
		s.must("upgrade")
	}
	close(stop)
	<-sent
	if st := s.status(); st.PID != s.cmd.Process.Pid || st.Generation != 5 {
		t.Errorf("master %d, generation %d; want %d, 5", st.PID, st.Generation, s.cmd.Process.Pid)
	}
}

func TestMasterHooks(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "out")
	s := newService(t, "hooks", "OUT="+out).start()
	written := func() string {
		b, _ := os.ReadFile(out) // does not exist before the first line
		return string(b)
	}
	s.must("reload")
	eventually(t, "the old worker has gone", func() bool { return strings.Count(written(), "exit crash") == 1 })
	s.must("upgrade")
	eventually(t, "the old worker has gone", func() bool { return strings.Count(written(), "exit crash") == 2 })
	syscall.Kill(s.pids()[0], syscall.SIGKILL)
	eventually(t, "the killed worker is replaced", func() bool { return s.status().State == "running" && strings.Count(written(), "exit crash") == 3 })
	s.must("stop")
	want := "reload\nexit crash/0 1 planned=true exit 0\nreload\nexit crash/0 2 planned=true exit 0\n" +
		"exit crash/0 3 planned=false signal: killed\nexit crash/0 3 planned=true exit 0\nstop\n"
	if got := written(); got != want {
		t.Errorf("hooks:\n got %q\nwant %q", got, want)
	}
}
