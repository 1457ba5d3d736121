//go:build linux

package supervise_test

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestRestart(t *testing.T) {
	t.Parallel()
	s := newService(t, "http")
	s.install("one")
	s.start()
	before := s.status()
	s.install("two")
	if out := s.must("restart"); !strings.Contains(out, "restarted") {
		t.Errorf("restart: %s", out)
	}
	after := s.status()
	if after.PID != before.PID || after.Version != "two" || after.Generation != 1 || after.State != "running" {
		t.Errorf("after restart: %+v", after)
	}
	for _, w := range before.Workers {
		if !gone(w.PID) {
			t.Errorf("worker %d lives after a restart", w.PID)
		}
	}
	mustGet(t, s.addr())
}

func TestRestartStartsWhatDoesNotRun(t *testing.T) {
	t.Parallel()
	s := newService(t, "http")
	s.must("restart", "-d")
	mustGet(t, s.addr())
}

// TestBadRestarts: a restart with a file that does not run ends nothing that is seen
// before the service is stopped, and what is seen later only is undone: the file
// before runs again.
func TestBadRestarts(t *testing.T) {
	t.Parallel()
	bad := append(badFiles(),
		badFile{"names a user that is not there", func(s *service) { s.install("no user") }, "no-such-user: there is no such user"},
		badFile{"has another run directory", func(s *service) { s.install("elsewhere") }, "its run directory is /nowhere"},
		badFile{"wants an address that is taken", func(s *service) {
			ln, err := net.Listen("unix", filepath.Join(s.bin, "taken"))
			if err != nil {
				s.t.Fatal(err)
			}
			s.t.Cleanup(func() { ln.Close() })
			s.install("taken")
		}, "taken is in use by "},
		badFile{"has a bad environment as the master", func(s *service) { s.install("master: bad environment") }, `--log-level "none"`},
		badFile{"names such a user as the master", func(s *service) { s.install("master: no user") }, "no-such-user: there is no such user"},
		badFile{"wants such an address as the master", func(s *service) { s.install("master: bad address") }, "no such file or directory"},
	)
	// These describe themselves well. What they are is seen when they start.
	late := []string{"is never ready", "fails", "crashes after Ready", "has a bad environment as the master", "names such a user as the master", "wants such an address as the master"}
	for _, tt := range bad {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, "http")
			s.install("good")
			s.start(tt.flags()...)
			before := s.status()
			tt.file(s)
			out, code := s.run("restart")
			if code != 1 || !strings.Contains(out, tt.want) || strings.Count(out, "\n") != 1 {
				t.Errorf("restart: exit %d: %s; want exit 1 and one line with %q", code, out, tt.want)
			}
			if slices.Contains(late, tt.name) {
				if !strings.Contains(out, "the file before runs again") {
					t.Errorf("restart: %s; want it to say what runs", out)
				}
				if st := s.status(); st.PID != before.PID || st.Version != "good" || st.State != "running" || st.Programs[0].Ready != 2 {
					t.Errorf("afterwards: %+v", st)
				}
			} else {
				s.wantAsBefore(before)
			}
			mustGet(t, s.addr())
			syscall.Kill(s.pids()[0], syscall.SIGKILL)
			eventually(t, "the old code is back after a crash", func() bool {
				st := s.status()
				return st.Programs[0].Ready == 2 && st.Programs[0].Restarts == 1
			})
			os.RemoveAll(s.exe) // a directory would not be replaced
			s.install("better")
			s.must("restart")
			if st := s.status(); st.PID != before.PID || st.Version != "better" || st.Generation != 1 || st.State != "running" {
				t.Errorf("after a restart with a good file: %+v", st)
			}
		})
	}
}

// TestRestartWithoutItsLog: a directory of logs that has been moved away is found
// before the service is stopped.
func TestRestartWithoutItsLog(t *testing.T) {
	t.Parallel()
	s := newService(t, "http")
	logs := filepath.Join(s.bin, "logs")
	if err := os.Mkdir(logs, 0o755); err != nil {
		t.Fatal(err)
	}
	s.must("start", "-d", "--log-file", filepath.Join(logs, "log"))
	before := s.status()
	if err := os.Rename(logs, logs+".old"); err != nil {
		t.Fatal(err)
	}
	if out, code := s.run("restart"); code != 1 || !strings.Contains(out, "the directory "+logs+" is not there") {
		t.Errorf("restart: exit %d: %s", code, out)
	}
	s.wantAsBefore(before)
	if err := os.Rename(logs+".old", logs); err != nil {
		t.Fatal(err)
	}
	s.must("restart")
	if st := s.status(); st.PID != before.PID || st.State != "running" || st.Workers[0].PID == before.Workers[0].PID {
		t.Errorf("after a restart: %+v", st)
	}
}

// TestRestartDuringAnUpgrade: a restart overtakes an upgrade, and one that is
// refused leaves it alone.
func TestRestartDuringAnUpgrade(t *testing.T) {
	t.Parallel()
	s := newService(t, "http")
	s.install("good")
	s.start()
	before := s.status()
	s.install("slow")
	upgraded := s.begin("upgrade", starting)
	s.install("exit")
	if out, code := s.run("restart"); code != 1 || !strings.Contains(out, "no configuration") {
		t.Errorf("restart with a bad file: exit %d: %s", code, out)
	}
	if out, code := upgraded(); code != 0 {
		t.Errorf("the upgrade: exit %d: %s", code, out)
	}
	s.install("never")
	upgraded = s.begin("upgrade", step{"waiting for the third generation", func(s *service) bool { return len(s.generation(3)) == 2 }})
	s.install("good")
	s.must("restart")
	if out, code := upgraded(); code != 1 {
		t.Errorf("an upgrade that a restart overtakes: exit %d: %s", code, out)
	}
	if st := s.status(); st.PID != before.PID || st.Version != "good" || st.Generation != 1 {
		t.Errorf("afterwards: %+v", st)
	}
}
