//go:build linux

package supervise_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestStartServesAndStops(t *testing.T) {
	t.Parallel()
	s := newService(t, "http").start()
	out := s.output.String()
	for _, want := range []string{"version test", "run directory " + s.dir, "NAME", "http", "tcp://127.0.0.1:", "2"} {
		if !strings.Contains(out, want) {
			t.Errorf("the start table lacks %q: %s", want, out)
		}
	}
	st := s.status()
	if st.State != "running" || st.Generation != 1 || len(st.Workers) != 2 || st.PID != s.cmd.Process.Pid {
		t.Errorf("status: %+v", st)
	}
	pid, generation, _ := mustGet(t, s.addr())
	if generation != 1 || pid != st.Workers[0].PID && pid != st.Workers[1].PID {
		t.Errorf("worker %d of generation %d answered, status has %v", pid, generation, st.Workers)
	}
	s.must("stop")
	<-s.exited
	for _, w := range st.Workers {
		if !gone(w.PID) {
			t.Errorf("worker %d lives after stop", w.PID)
		}
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the master's exit code is %d", code)
	}
	if out, code := s.run("status"); code != 3 {
		t.Errorf("status after stop: exit %d: %s", code, out)
	}
	if out, code := s.run("status", "--json"); code != 3 || out != "{\"state\":\"stopped\"}\n" {
		t.Errorf("status --json after stop: exit %d: %s", code, out)
	}
	if out, code := s.run("stop"); code != 1 || !strings.Contains(out, "not running") {
		t.Errorf("stop after stop: exit %d: %s", code, out)
	}
}

// TestDaemonKeepsNothing: what whoever starts a daemon has open is not the
// daemon's, nor its workers'.
func TestDaemonKeepsNothing(t *testing.T) {
	t.Parallel()
	s := newService(t, "http")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	start := s.command("start", "-d", "-q")
	start.ExtraFiles = []*os.File{w, w, w, w}
	if out, err := start.CombinedOutput(); err != nil {
		t.Fatalf("start -d: %v: %s", err, out)
	}
	w.Close()
	r.SetReadDeadline(time.Now().Add(patience))
	if b, err := io.ReadAll(r); err != nil {
		t.Errorf("somebody has the pipe of who started the daemon: %q, %v", b, err)
	}
	mustGet(t, s.addr())
}

// TestReadyAtTheSecondTry: a foreground start says that it is ready also when
// that was not the case at first.
func TestReadyAtTheSecondTry(t *testing.T) {
	t.Parallel()
	s := newService(t, "crash", "CRASH=first", "OUT="+filepath.Join(t.TempDir(), "tried")).start()
	out := s.output.String()
	table, ready := strings.Index(out, "0 of 1 ready"), strings.Index(out, "\nready\n")
	if table < 0 || ready < table || strings.Count(out, "\nready\n") != 1 {
		t.Errorf("want the table with a worker that is not ready, then, once, ready: %s", out)
	}
}

// TestUnixPathOfSomebodyElse: a service that ends leaves a socket alone that has
// taken the place of its own, also after an upgrade; its own is removed.
func TestUnixPathOfSomebodyElse(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	own, lost := filepath.Join(dir, "own"), filepath.Join(dir, "lost")
	s := newService(t, "http").start("--listen", "unix://"+own, "--listen", "unix://"+lost)
	if err := os.Remove(lost); err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("unix", lost)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	s.must("upgrade")
	s.must("stop")
	if _, err := os.Lstat(own); !os.IsNotExist(err) {
		t.Errorf("its own path after the stop: %v", err)
	}
	c, err := net.Dial("unix", lost)
	if err != nil {
		t.Fatalf("somebody else's: %v", err)
	}
	c.Close()
}

func TestDaemon(t *testing.T) {
	t.Parallel()
	s := newService(t, "http")
	s.must("start", "-d")
	st := s.status()
	if st.State != "running" || st.Programs[0].Ready != 2 {
		t.Fatalf("not all ready when start -d has returned: %+v", st)
	}
	mustGet(t, s.addr())
	for path, mode := range map[string]os.FileMode{"": 0o700, "master.pid": 0o600, "control.sock": 0o600, filepath.Base(s.exe) + ".log": 0o640} {
		fi, err := os.Stat(filepath.Join(s.dir, path))
		if err != nil || fi.Mode().Perm() != mode {
			t.Errorf("%s/%s: mode %v, %v; want %v", s.dir, path, fi.Mode().Perm(), err, mode)
		}
	}
	b, err := os.ReadFile(filepath.Join(s.dir, "master.pid"))
	if err != nil || strings.TrimSpace(string(b)) != strconv.Itoa(st.PID) {
		t.Errorf("pid file %q, %v; want %d", b, err, st.PID)
	}
	s.must("stop")
	if !gone(st.PID) {
		t.Errorf("stop has returned and the master lives")
	}
}

func TestDaemonThatCannotStart(t *testing.T) {
	t.Parallel()
	t.Run("address in use", func(t *testing.T) {
		t.Parallel()
		first := newService(t, "http").start()
		second := newService(t, "http")
		begin := time.Now()
		out, code := second.run("start", "-d", "--listen", first.addr())
		if code != 1 || !strings.Contains(out, first.addr()) || !strings.Contains(out, "address already in use by ") || !strings.Contains(out, fmt.Sprintf("(pid %d)", first.cmd.Process.Pid)) {
			t.Errorf("exit %d: %s", code, out)
		}
		if d := time.Since(begin); d < 2*time.Second {
			t.Errorf("gave up after %v, want it to try again for 3 s", d)
		}
		if out, code := second.run("status"); code != 3 {
			t.Errorf("status: exit %d: %s", code, out)
		}
	})
	t.Run("worker fails", func(t *testing.T) {
		s := newService(t, "crash", "CRASH=error")
		out, code := s.run("start", "-d")
		if code != 1 || !strings.Contains(out, "the database is on fire") {
			t.Errorf("exit %d: %s", code, out)
		}
		if out, code := s.run("status"); code != 1 {
			t.Errorf("the master should go on trying; status: exit %d: %s", code, out)
		}
	})
}

func TestTwentyStartsAtOnce(t *testing.T) {
	s := newService(t, "http")
	type outcome struct {
		out  string
		code int
	}
	results := make(chan outcome, 20)
	for range 20 {
		go func() {
			cmd := s.command("start", "-d", "-q")
			b, _ := cmd.CombinedOutput()
			results <- outcome{string(b), cmd.ProcessState.ExitCode()}
		}()
	}
	var lost []string
	won := 0
	for range 20 {
		switch r := <-results; {
		case r.out == "" && r.code == 0:
			won++
		case r.code != 1:
			t.Errorf("a start ended with exit %d: %s", r.code, r.out)
		default:
			lost = append(lost, r.out)
		}
	}
	pid := s.status().PID
	if won != 1 || pid == 0 {
		t.Errorf("%d starts won, want 1", won)
	}
	for _, out := range lost {
		if !strings.Contains(out, "already running (pid "+strconv.Itoa(pid)+")") {
			t.Errorf("a loser does not name the holder %d: %s", pid, out)
		}
	}
}

func TestPidFileOfAStranger(t *testing.T) {
	t.Parallel()
	s := newService(t, "http")
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	stranger := s.command() // any process: it sleeps because its input does
	stranger.Path, stranger.Args = "/bin/sleep", []string{"sleep", "1000"}
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { stranger.Process.Kill(); stranger.Wait() }()
	file := filepath.Join(s.dir, "master.pid")
	if err := os.WriteFile(file, []byte(strconv.Itoa(stranger.Process.Pid)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"stop", "reload", "upgrade"} {
		if out, code := s.run(command); code != 1 || !strings.Contains(out, "not running") {
			t.Errorf("%s: exit %d: %s", command, code, out)
		}
	}
	if err := stranger.Process.Signal(syscall.Signal(0)); err != nil {
		t.Fatalf("the stranger was hit: %v", err)
	}
	s.start()
	mustGet(t, s.addr())
}

func TestRunDirOfSomebodyElse(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to make a directory of another user")
	}
	s := newService(t, "http")
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(s.dir, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	if out, code := s.run("start", "-d"); code != 1 || !strings.Contains(out, "belongs to uid 12345") {
		t.Errorf("exit %d: %s", code, out)
	}
}

func TestWrongUsage(t *testing.T) {
	s := newService(t, "http")
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"command", []string{"relaod"}, "did you mean reload?"},
		{"flag", []string{"start", "--lisen", "x"}, "did you mean --listen?"},
		{"address", []string{"start", "--listen", "127.0.0.1"}, "tcp://127.0.0.1:8080"},
		{"program", []string{"start", "--workers", "htp=2"}, "did you mean http?"},
		{"count", []string{"start", "--workers", "many"}, "auto"},
		{"zero workers", []string{"start", "--workers", "0"}, "auto"},
		{"log format", []string{"start", "--log-format", "xml"}, "text or json"},
		{"loop", []string{"start", "--loop", "epoll"}, "no event loop"},
		{"admin", []string{"start", "--admin", ":1"}, "admin package"},
		{"time without a unit", []string{"start", "--stop-timeout", "5"}, "write a time like 500ms, 10s or 2m, or -1s for no limit"},
		{"no time", []string{"start", "--watchdog", "0"}, "-1s for no limit"},
		{"extra word", []string{"stop", "http"}, `"http"`},
		{"scale", []string{"scale", "http"}, "NAME=N"},
		{"sort", []string{"help", "--sort"}, "flag needs an argument"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, code := s.run(tt.args...)
			if code != 2 || !strings.Contains(out, tt.want) || strings.Count(out, "\n") != 1 {
				t.Errorf("%v: exit %d: %s; want exit 2 and one line with %q", tt.args, code, out, tt.want)
			}
		})
	}
}

func TestEnvironmentAndFlags(t *testing.T) {
	t.Parallel()
	s := newService(t, "http", "JAY_WORKERS=3", "JAY_LISTEN=tcp://127.0.0.1:0,tcp://[::1]:0")
	s.start()
	p := s.status().Programs[0]
	if p.Want != 3 || len(p.Addresses) != 2 || !strings.HasPrefix(p.Addresses[1], "tcp://[::1]:") {
		t.Errorf("the environment gave %+v", p)
	}
	body, err := get(s.addr(), "/env")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(body, "JAY_BOOT") || !strings.Contains(body, "JAY_WORKERS=3") {
		t.Errorf("the environment of user code: %s", body)
	}
	s.must("stop")
	<-s.exited
	s.start("--workers", "1", "--listen", "127.0.0.1:0") // the command line wins
	if p := s.status().Programs[0]; p.Want != 1 || len(p.Addresses) != 1 {
		t.Errorf("the command line gave %+v", p)
	}
}

func TestVersionHelpCheckCompletion(t *testing.T) {
	t.Parallel()
	s := newService(t, "http")
	for args, want := range map[string]string{
		"version": " test\n", "help": "reopen-logs", "--help": "reopen-logs", "start -h": "reopen-logs", "check": "ok\n", "completion": "complete -W", "completion zsh": "#compdef",
	} {
		if out := s.must(strings.Fields(args)...); !strings.Contains(out, want) {
			t.Errorf("%s: %q lacks %q", args, out, want)
		}
	}
}

// TestStoppedBeforeItIsReady: a start that is stopped half-way says what it came
// to, and no more.
func TestStoppedBeforeItIsReady(t *testing.T) {
	t.Parallel()
	s := newService(t, "http")
	s.install("never")
	cmd := s.launch()
	eventually(t, "both workers have started", func() bool {
		out, _ := s.run("status", "--json")
		return strings.Count(out, `"starting"`) == 2
	})
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-s.exited
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit %d: %s", code, s.output)
	}
	for _, bad := range []string{"panic", "ADDRESS", "ready\n"} {
		if strings.Contains(s.output.String(), bad) {
			t.Errorf("it says %q: %s", bad, s.output)
		}
	}
}
