package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/load"
	"github.com/jay-go/jay/internal/needs"
)

// launchIn launches a program whose processes are all in a control group, with a
// variable, NAME=VALUE, in their environment.
func launchIn(t *testing.T, group, variable, path string, args ...string) *service {
	t.Helper()
	dir := runDir(t)
	enter := fmt.Sprintf(`echo $$ > %s/cgroup.procs && exec "$@"`, group)
	cmd := exec.Command("sh", append([]string{"-c", enter, "sh", path, "start", "--run-dir", dir}, args...)...)
	cmd.Env = append(os.Environ(), variable)
	return launchCommand(t, path, dir, cmd)
}

// roomy is a limit that is tight for a program, and not for the race detector.
func roomy(bytes int64) int64 {
	if needs.RaceDetector() {
		return 4 * bytes
	}
	return bytes
}

// TestOutOfMemory: a worker that takes more memory than its group may have is
// killed by the kernel, and replaced; the cause tells it from one that a person
// has killed.
func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	group := needs.MemoryGroup(t, roomy(64<<20))
	s := launchIn(t, group, "", binary(t, "faults"), "--listen", "127.0.0.1:0", "--workers", "1")
	s.waitReady()
	for _, tt := range []struct {
		how, cause string
		end        func(p *peer, pid int)
	}{
		{"by the kernel", "signal: killed (out of memory)", func(p *peer, _ int) { p.send(get("/oom")) }},
		{"by a person", "signal: killed", func(_ *peer, pid int) { syscall.Kill(pid, syscall.SIGKILL) }},
		{"by the kernel again", "signal: killed (out of memory)", func(p *peer, _ int) { p.send(get("/oom")) }},
	} {
		p := dial(t, s.addr)
		worker := p.pid()
		tt.end(p, worker)
		s.wait("another worker serves", func(st status, code int) bool { return code == 0 && !st.hasWorker(worker) })
		if st, _ := s.status(); st.Programs[0].LastExit != tt.cause {
			t.Errorf("%s: last exit %q, want %q", tt.how, st.Programs[0].LastExit, tt.cause)
		}
		if got := dial(t, s.addr).pid(); got == worker {
			t.Errorf("%s: worker %d answers, which was killed", tt.how, got)
		}
	}
}

// TestOOMShield: where the master may (CAP_SYS_RESOURCE), it keeps the kernel
// from killing it for lack of memory, through upgrade and restart; its workers,
// and whatever it asks what it is, are as they would be. Where it may not,
// nothing is changed.
func TestOOMShield(t *testing.T) {
	score := func(pid any) string {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%v/oom_score_adj", pid))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(b))
	}
	own := score("self")
	want := own
	if mayLowerScore(t, own) {
		want = "-1000"
	}
	s := start(t, "hello", "--workers", "1")
	for _, change := range []string{"", "reload", "upgrade", "restart", "upgrade"} {
		if change != "" {
			if out, code := s.command(change); code != 0 {
				t.Fatalf("%s: exit %d: %s", change, code, out)
			}
		}
		st, _ := s.status()
		if got := score(st.PID); got != want {
			t.Errorf("after %q: the master has %s, want %s", change, got, want)
		}
		for _, pid := range s.workers() {
			if got := score(pid); got != own {
				t.Errorf("after %q: a worker has %s, want %s", change, got, own)
			}
		}
	}
}

// mayLowerScore tries it on this process.
func mayLowerScore(t *testing.T, now string) bool {
	t.Helper()
	const file = "/proc/self/oom_score_adj"
	if os.WriteFile(file, []byte("-1000"), 0) != nil {
		return false
	}
	if err := os.WriteFile(file, []byte(now), 0); err != nil {
		t.Fatal(err)
	}
	return true
}

// TestOutOfMemoryElsewhere: the group that counts is the one that the worker is
// in, which may be another than the master's.
func TestOutOfMemoryElsewhere(t *testing.T) {
	t.Parallel()
	group := needs.MemoryGroup(t, roomy(64<<20))
	s := start(t, "faults", "--workers", "1")
	const cause = "signal: killed (out of memory)"
	last := ""
	for try := 0; try < 3 && last != cause; try++ {
		p := dial(t, s.addr)
		worker := p.pid()
		if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), fmt.Append(nil, worker), 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond) // the master looks once a second where its workers are, when it gets to it
		p.send(get("/oom"))
		s.wait("another worker serves", func(st status, code int) bool {
			last = st.Programs[0].LastExit
			return code == 0 && !st.hasWorker(worker)
		})
	}
	if last != cause {
		t.Errorf("last exit %q, want %q", last, cause)
	}
}

// TestMaxRSSBeforeOutOfMemory: workers that leak, and are replaced in time, fail
// nobody in a group that could not hold what they leak.
func TestMaxRSSBeforeOutOfMemory(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := launchIn(t, needs.MemoryGroup(t, roomy(3*leakingRSS)), ownVariable+"=leaking", self)
	s.waitReady()
	l := load.Load{Addr: s.addr, Connections: 4, Pause: 4 * time.Millisecond} // 64 MB a second at most
	end := l.Start()
	s.wait("three workers have gone", func(st status, _ int) bool {
		return strings.Count(s.output.String(), "memory of at most") >= 3
	})
	report := end()
	t.Log(report)
	if report.Failed() > 0 {
		t.Errorf("%d requests failed: %v", report.Failed(), report)
	}
	if log := s.output.String(); strings.Contains(log, "killed") {
		t.Errorf("a worker was killed")
	}
}

// TestMemoryLimit: each worker is told its part of what the group may take.
func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	group := needs.MemoryGroup(t, 1000*mib)
	for _, tt := range []struct {
		name, environment string
		args              []string
		limit, each       int64  // with two workers, as status says
		gomemlimit        string // in a worker's environment
		said              string // in the log
	}{
		{"the group's", "", nil, 1000 * mib, 450 * mib, "471859200", "limit=1048576000 from=" + group + " workers=2 gomemlimit=471859200"},
		{"that of the flag", "", []string{"--memory-limit", "500M"}, 500 * mib, 225 * mib, "235929600", "from=--memory-limit"},
		{"none", "", []string{"--memory-limit", "off"}, 0, 0, "", ""},
		{"the user's", "77MiB", nil, 0, 0, "77MiB", "gomemlimit=77MiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := launchIn(t, group, "GOMEMLIMIT="+tt.environment, binary(t, "hello"), append(tt.args, "--listen", "127.0.0.1:0", "--workers", "2")...)
			s.waitReady()
			st, _ := s.status()
			if st.MemoryLimit != tt.limit || st.Workers[0].MemoryLimit != tt.each {
				t.Errorf("status: %d for all and %d for a worker; want %d, %d", st.MemoryLimit, st.Workers[0].MemoryLimit, tt.limit, tt.each)
			}
			for _, pid := range s.workers() {
				if got := environmentOf(t, pid, "GOMEMLIMIT"); got != tt.gomemlimit {
					t.Errorf("worker %d has GOMEMLIMIT=%q, want %q", pid, got, tt.gomemlimit)
				}
			}
			if log := s.output.String(); !strings.Contains(log, tt.said) || tt.said == "" && strings.Contains(log, "memory limit") {
				t.Errorf("the log lacks %q", tt.said)
			}
			if tt.limit == 0 {
				return
			}
			if out, code := s.command("scale", "hello=4"); code != 0 {
				t.Fatalf("scale: exit %d: %s", code, out)
			}
			st, _ = s.status()
			for i, want := range []int64{tt.each, tt.each, tt.each / 2, tt.each / 2} {
				if got := st.Workers[i].MemoryLimit; got != want {
					t.Errorf("scaled to four: worker %d has %d, want %d", i, got, want)
				}
			}
			if out, code := s.command("reload"); code != 0 {
				t.Fatalf("reload: exit %d: %s", code, out)
			}
			for _, pid := range s.workers() {
				if got, want := environmentOf(t, pid, "GOMEMLIMIT"), fmt.Sprint(tt.each/2); got != want {
					t.Errorf("reloaded: worker %d has GOMEMLIMIT=%q, want %q", pid, got, want)
				}
			}
		})
	}
}

// environmentOf is a variable that a process was started with.
func environmentOf(t *testing.T, pid int, name string) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		t.Fatal(err)
	}
	for entry := range strings.SplitSeq(string(b), "\x00") {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
