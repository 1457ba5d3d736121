//go:build linux

package supervise_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jay-go/jay/supervise"
)

// storeOptions are httpProgram as an exclusive program: each worker locks the
// file $OUT for its life, as a store does, and fails where another has it.
func storeOptions() *supervise.Options {
	p := httpProgram()
	p.Count, p.Exclusive = 0, true
	if os.Getenv("STORE_REQUESTS") != "" {
		p.MaxRequests = 20
	}
	p.OnWorkerStart = func(*supervise.Worker) error {
		fd, err := syscall.Open(os.Getenv("OUT"), syscall.O_RDWR|syscall.O_CREAT|syscall.O_CLOEXEC, 0o600)
		if err != nil {
			return err
		}
		if err := syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			return fmt.Errorf("two stores live: %w", err)
		}
		return nil
	}
	return options(p)
}

// newStore is a running service with an exclusive program, under a load of
// clients that each connect for a request. The test fails if two workers meet,
// and if more requests fail than calm returns.
func newStore(t *testing.T, calm func() int, env ...string) *service {
	t.Helper()
	s := newService(t, "store", append(env, "OUT="+filepath.Join(t.TempDir(), "store"))...)
	s.install("good")
	s.start()
	l := startLoad(t, s.addr(), 0, 0, 2)
	t.Cleanup(func() {
		done, failed := l.end()
		n := 0
		for what, times := range failed {
			n += times
			t.Logf("%d times %s", times, what)
			if strings.Contains(what, "refused") {
				t.Errorf("a client was refused: %s", what)
			}
		}
		if most := calm(); n > most {
			t.Errorf("%d of %d requests have failed, at most %d may", n, done, most)
		}
		if strings.Contains(s.log(), "two stores live") {
			t.Error("two workers have lived at the same time")
		}
	})
	return s
}

func none() int { return 0 }

// store is the pid of the worker that is ready, and its generation.
func (s *service) store() (pid, generation int) {
	s.t.Helper()
	eventually(s.t, "a store is ready", func() bool {
		for _, w := range s.status().Workers {
			if w.State == "ready" {
				pid, generation = w.PID, w.Generation
				return true
			}
		}
		return false
	})
	return pid, generation
}

// TestExclusiveChanges: reload and upgrade have the old worker end before the
// new one starts; clients wait meanwhile.
func TestExclusiveChanges(t *testing.T) {
	t.Parallel()
	s := newStore(t, none)
	if st := s.status(); !st.Programs[0].Exclusive || st.Programs[0].Want != 1 {
		t.Errorf("status has %+v", st.Programs[0])
	}
	if out := s.must("status"); !strings.Contains(out, "1/1 exclusive") {
		t.Errorf("status does not say that the program is exclusive:\n%s", out)
	}
	if out := s.must("check"); !strings.Contains(out, "1 worker, exclusive, ") {
		t.Errorf("check does not say that the program is exclusive:\n%s", out)
	}
	for i, command := range []string{"reload", "upgrade", "reload"} {
		before, _ := s.store()
		s.install(fmt.Sprint("v", i))
		s.must(command)
		if pid, generation := s.store(); pid == before || generation != i+2 || !gone(before) {
			t.Errorf("after %s worker %d (before: %d) of generation %d serves", command, pid, before, generation)
		}
	}
	if out, code := s.run("scale", "http=2"); code != 2 || !strings.Contains(out, "scale: http=2: the program is exclusive, so it has one worker") {
		t.Errorf("scale: exit %d: %s", code, out)
	}
}

// TestExclusiveBadFiles: where the new worker fails, the one before is started
// again from its file.
func TestExclusiveBadFiles(t *testing.T) {
	for mode, want := range map[string]string{"fails": "no database", "late": "exit 2: panic: late", "never": "not ready in time"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			requests := 0
			if mode == "late" { // what it was answering is lost with it
				requests = 4
			}
			env := []string(nil)
			if mode == "never" { // and 10 s otherwise
				env = append(env, "JAY_START_TIMEOUT=3s")
			}
			s := newStore(t, func() int { return requests }, env...)
			s.install(mode)
			for _, command := range []string{"reload", "upgrade"} {
				out, code := s.run(command)
				if code != 1 || !strings.Contains(out, want) {
					t.Errorf("%s: exit %d: %s; want exit 1 and %q", command, code, out, want)
				}
				if _, generation := s.store(); generation != 1 {
					t.Errorf("a store of generation %d serves", generation)
				}
			}
		})
	}
}

// TestExclusiveReplacements: whatever ends one worker, the next one comes after
// it: a crash, a signal, a process that stands still, a limit.
func TestExclusiveReplacements(t *testing.T) {
	for name, tt := range map[string]struct {
		env  []string
		end  func(pid int)
		lost int // requests at most
	}{
		"killed":            {nil, func(pid int) { syscall.Kill(pid, syscall.SIGKILL) }, 4},
		"told to leave":     {nil, func(pid int) { syscall.Kill(pid, syscall.SIGTERM) }, 0},
		"stopped":           {[]string{"JAY_WATCHDOG=2s"}, func(pid int) { syscall.Kill(pid, syscall.SIGSTOP) }, 4},
		"has served enough": {[]string{"STORE_REQUESTS=1"}, func(int) {}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t, func() int { return tt.lost }, tt.env...)
			before, _ := s.store()
			tt.end(before)
			eventually(t, "another worker serves", func() bool { pid, _ := s.store(); return pid != before })
		})
	}
}

// TestExclusiveOutlivesMaster: a new master waits for the worker that the one
// before has left behind, which may take its second to leave.
func TestExclusiveOutlivesMaster(t *testing.T) {
	t.Parallel()
	s := newService(t, "store", "OUT="+filepath.Join(t.TempDir(), "store"))
	s.install("good")
	s.start()
	go get(s.addr(), "/slow?ms=60000")
	eventually(t, "the worker has the request", func() bool {
		w := s.status().Workers[0]
		return w.Connections != nil && *w.Connections > 0
	})
	old := s.pids()[0]
	syscall.Kill(s.status().PID, syscall.SIGKILL)
	<-s.exited
	s.start("--listen", "tcp://127.0.0.1:0")
	if !gone(old) {
		t.Errorf("worker %d of the master before lives", old)
	}
	if strings.Contains(s.log(), "two stores live") {
		t.Error("two workers have lived at the same time")
	}
	eventually(t, "it serves", func() bool { return s.status().State == "running" })
}

// TestExclusiveCount: more than one worker is wrong usage.
func TestExclusiveCount(t *testing.T) {
	t.Parallel()
	s := newService(t, "store", "OUT="+filepath.Join(t.TempDir(), "store"))
	out, code := s.run("start", "--workers", "2")
	if code != 2 || !strings.Contains(out, "program http: count is 2; it is exclusive, so write 1") {
		t.Errorf("start --workers 2: exit %d: %s", code, out)
	}
}
