//go:build linux

package supervise_test

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/exampletest"
)

// TestNothingIsLost: eight reloads and two upgrades under load, one behind the
// other, the file replaced now and then.
func TestNothingIsLost(t *testing.T) {
	for _, name := range []string{"http", "reuse"} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, name)
			s.install("v0")
			s.start()
			master := s.status().PID
			l := startLoad(t, s.addr(), 50, 500*time.Millisecond, 4)
			begin := time.Now()
			for i := range 10 {
				command := "reload"
				if i%5 == 3 {
					command = "upgrade"
					s.install("v" + string(rune('0'+i)))
				}
				s.must(command)
			}
			took := time.Since(begin)
			time.Sleep(1500 * time.Millisecond) // every kept connection speaks once more
			done, failed := l.end()
			t.Logf("10 changes in %v, %d answers", took, done)
			for what, n := range failed {
				t.Errorf("%d times %s", n, what)
			}
			if st := s.status(); st.PID != master || st.Generation != 11 || st.Version != "v8" {
				t.Errorf("master %d, generation %d, version %s; want %d, 11, v8", st.PID, st.Generation, st.Version, master)
			}
			if done < 500 {
				t.Errorf("only %d answers: the load was none", done)
			}
		})
	}
}

// badFile is a file that does not serve, in the place of one that does.
type badFile struct {
	name string
	file func(s *service)
	want string
}

// startTimeout is for what must not start in time, and has to be long enough for
// what must.
const startTimeout = "3s"

// flags are those of the service whose file it replaces.
func (f badFile) flags() []string {
	if f.name == "hangs" || f.name == "is never ready" {
		return []string{"--start-timeout", startTimeout}
	}
	return nil // 10 s
}

func badFiles() []badFile {
	return []badFile{
		{"exits", func(s *service) { s.install("exit") }, "exit 1: no configuration"},
		{"hangs", func(s *service) { s.install("hang") }, "did not say within " + startTimeout},
		{"is never ready", func(s *service) { s.install("never") }, "not ready in time"},
		{"fails", func(s *service) { s.install("fails") }, "no database"},
		{"crashes after Ready", func(s *service) { s.install("late") }, "exit 2: panic: late"},
		{"has the wrong architecture", func(s *service) {
			s.replace(func(f *os.File) error { _, err := f.WriteAt([]byte{0xef, 0xbe}, 18); return err })
		}, "exec format error"},
		{"is half-written", func(s *service) { s.replace(halve) }, "new file"},
		{"is empty", func(s *service) { s.replace(func(f *os.File) error { return f.Truncate(0) }) }, "exec format error"},
		{"is missing", func(s *service) { os.Remove(s.exe) }, "no such file"},
		{"is a directory", func(s *service) { os.Remove(s.exe); os.Mkdir(s.exe, 0o755) }, "not a regular file"},
		{"is not executable", func(s *service) { s.replace(func(*os.File) error { return nil }); os.Chmod(s.exe, 0o644) }, "not executable"},
	}
}

// TestBadFiles: whatever the new file is, the old generation goes on, and the
// command says what is wrong.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	for _, tt := range badFiles() {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, "http")
			s.install("good")
			s.start(tt.flags()...)
			before := s.status()
			l := startLoad(t, s.addr(), 4, 50*time.Millisecond, 1)
			tt.file(s)
			for _, command := range []string{"reload", "upgrade"} {
				out, code := s.run(command)
				if code != 1 || !strings.Contains(out, tt.want) || strings.Count(out, "\n") != 1 {
					t.Errorf("%s: exit %d: %s; want exit 1 and one line with %q", command, code, out, tt.want)
				}
			}
			_, failed := l.end()
			for what, n := range failed {
				if tt.name != "crashes after Ready" { // what it was answering is lost with it
					t.Errorf("%d times %s", n, what)
				}
			}
			after := s.status()
			if after.Generation != 1 || after.Programs[0].Ready != 2 || after.PID != before.PID {
				t.Errorf("status after: %+v", after)
			}
			for _, w := range before.Workers {
				if gone(w.PID) {
					t.Errorf("worker %d of the old generation has gone", w.PID)
				}
			}
			// A crash restarts the old code.
			syscall.Kill(before.Workers[0].PID, syscall.SIGKILL)
			eventually(t, "the old code is back", func() bool {
				st := s.status()
				return st.Programs[0].Ready == 2 && st.Programs[0].Restarts == 1
			})
			mustGet(t, s.addr())
			s.must("stop")
			<-s.exited
		})
	}
}

func TestReloadChangesTheQueue(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"http", "reuse"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, name)
			s.install("good")
			s.start()
			before := s.status().Programs[0]
			s.install("short queue")
			s.must("reload")
			after := s.status().Programs[0]
			if after.Backlog != before.Backlog/1024*7 || after.Addresses[0] != before.Addresses[0] {
				t.Errorf("there is room for %d at %s; before: %d at %s", after.Backlog, after.Addresses[0], before.Backlog, before.Addresses[0])
			}
		})
	}
}

// TestHundredSignals: a hundred reloads, or upgrades, asked for within a second
// are few, and leave nothing behind.
func TestHundredSignals(t *testing.T) {
	t.Parallel()
	for name, signals := range map[string][]os.Signal{
		"hangup":        {syscall.SIGHUP},
		"upgrade":       {syscall.SIGUSR2},
		"both, in turn": {syscall.SIGHUP, syscall.SIGUSR2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, "http").start()
			eventually(t, "all is quiet", func() bool { return len(s.pids()) == 2 })
			before := openDescriptors(t, s.cmd.Process.Pid)
			begin := time.Now()
			for i := range 100 {
				s.cmd.Process.Signal(signals[i%len(signals)])
				time.Sleep(time.Until(begin.Add(time.Duration(i+1) * 10 * time.Millisecond)))
			}
			// Changes asked for by signal begin 1.5 s apart; a machine that took
			// longer to send them asked for more.
			most := 1 + len(signals) + int(time.Since(begin)/(1500*time.Millisecond))
			var last time.Time
			generation := 0
			eventually(t, "the changes are over", func() bool {
				st := s.status()
				if st.Generation != generation || st.State != "running" {
					generation, last = st.Generation, time.Now()
				}
				return time.Since(last) > 2*time.Second
			})
			if changes := generation - 1; changes < 1 || changes > most {
				t.Errorf("%d changes, want 1 to %d", changes, most)
			}
			eventually(t, "two workers are left", func() bool { return len(s.pids()) == 2 })
			eventually(t, "no descriptor more than before", func() bool { return openDescriptors(t, s.cmd.Process.Pid) <= before })
		})
	}
}

func TestDescriptorsThroughUpgrades(t *testing.T) {
	t.Parallel()
	s := newService(t, "reuse").start()
	s.must("upgrade")
	s.must("reload")
	eventually(t, "two workers are left", func() bool { return len(s.pids()) == 2 })
	before, worker := 0, 0
	eventually(t, "connections of the command line are closed", func() bool {
		n := openDescriptors(t, s.cmd.Process.Pid)
		ok := n == before
		before = n
		return ok
	})
	worker = openDescriptors(t, s.pids()[0])
	for range 3 {
		s.must("upgrade")
		s.must("scale", "http=4")
		s.must("scale", "http=2")
		s.must("reload")
	}
	eventually(t, "two workers are left", func() bool { return len(s.pids()) == 2 })
	// Two more sockets: those of the slots that were scaled away are kept.
	eventually(t, "no descriptor more than before", func() bool { return openDescriptors(t, s.cmd.Process.Pid) <= before+2 })
	eventually(t, "a worker has hardly a descriptor more", func() bool { return openDescriptors(t, s.pids()[0]) <= worker+2 })
}

func TestScale(t *testing.T) {
	for _, name := range []string{"http", "reuse"} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, name).start()
			l := startLoad(t, s.addr(), 10, 100*time.Millisecond, 2)
			for _, n := range []string{"4", "1", "3"} {
				if out := s.must("scale", "http="+n); !strings.Contains(out, n+" workers") {
					t.Errorf("scale http=%s: %s", n, out)
				}
				if p := s.status().Programs[0]; p.Ready < p.Want || len(p.Addresses) != 1 {
					t.Errorf("after scale http=%s: %+v", n, p)
				}
			}
			s.must("reload")
			if p := s.status().Programs[0]; p.Want != 3 {
				t.Errorf("a reload has changed the scaled count to %d", p.Want)
			}
			_, failed := l.end()
			for what, n := range failed {
				t.Errorf("%d times %s", n, what)
			}
			for _, bad := range []string{"http=0", "htp=2"} {
				if out, code := s.run("scale", bad); code == 0 {
					t.Errorf("scale %s: exit %d: %s", bad, code, out)
				}
			}
		})
	}
}

// TestSocketsOfRemovedSlotsAreHeard: the kernel goes on spreading connections
// over all sockets of the address, so the one worker that is left accepts from
// all of them, after a restart of it too.
func TestSocketsOfRemovedSlotsAreHeard(t *testing.T) {
	t.Parallel()
	s := newService(t, "reuse").start("--workers", "4")
	addr := s.addr()
	all := func(when string) {
		t.Helper()
		for range 50 {
			if _, _, slot := mustGet(t, addr); slot != 0 {
				eventually(t, "slots 1 to 3 have drained", func() bool { return len(s.pids()) == 1 })
			}
		}
		if n := len(s.pids()); n != 1 {
			t.Errorf("%d workers %s, want 1", n, when)
		}
	}
	s.must("scale", "http=1")
	all("after scale")
	syscall.Kill(s.pids()[0], syscall.SIGKILL)
	all("after a crash")
	s.must("reload")
	eventually(t, "the old worker has gone", func() bool { return len(s.pids()) == 1 })
	all("after a reload")
	s.must("upgrade")
	eventually(t, "the old worker has gone", func() bool { return len(s.pids()) == 1 })
	all("after an upgrade")
	s.must("scale", "http=4")
	seen := map[int]bool{}
	eventually(t, "all four slots serve again", func() bool {
		_, _, slot := mustGet(t, addr)
		seen[slot] = true
		return len(seen) == 4
	})
}

func TestHooks(t *testing.T) {
	t.Parallel()
	out := tempDir(t) + "/out"
	s := newService(t, "file", "OUT="+out)
	s.start()
	s.must("reload")
	eventually(t, "the old worker has gone", func() bool { return len(s.pids()) == 1 })
	s.must("stop")
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(strings.Split(strings.TrimSpace(string(b)), "\n"), ", ")
	want := "start 1 0, run 1 0, start 2 0, run 2 0, reload 1 0, drain:reload 1 0, stop 1 0, drain:stop 2 0, stop 2 0"
	if got != want {
		t.Errorf("hooks:\n got %s\nwant %s", got, want)
	}
}

func TestStatusWithAStoppedWorker(t *testing.T) {
	s := newService(t, "http").start("--workers", "4")
	pid := s.pids()[2]
	exampletest.Suspend(t, pid)
	var took []time.Duration
	for range 9 {
		eventually(t, "it alone is silent", func() bool { // others may be late on a busy machine
			begin := time.Now()
			st := s.status()
			took = append(took, time.Since(begin))
			for _, w := range st.Workers {
				if (w.State == "silent") != (w.PID == pid) || w.State != "silent" && w.State != "ready" {
					return false
				}
			}
			return len(st.Workers) == 4
		})
	}
	t.Logf("status --json: median %v", median(took))
	if m := median(took); m > 5*time.Second { // a client waits for twice as long
		t.Errorf("status takes %v", m)
	}
	if _, code := s.run("status"); code != 1 {
		t.Errorf("status: exit %d, want 1: a worker is silent", code)
	}
}
