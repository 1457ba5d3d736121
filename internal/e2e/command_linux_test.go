package e2e

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// TestCommands is a service's life by its command line, with the exit codes
// that scripts rely on.
func TestCommands(t *testing.T) {
	s := start(t, "jay")
	st, code := s.status()
	if code != 0 || st.State != "running" || st.PID != s.cmd.Process.Pid {
		t.Errorf("status: exit %d, state %q, pid %d; want 0, running, %d", code, st.State, st.PID, s.cmd.Process.Pid)
	}
	p := st.Programs[0]
	if p.Name != "http" || p.Protocol != "http" || p.Want != runtime.NumCPU() || p.Ready != p.Want {
		t.Errorf("program in status: %+v; want http with %d workers, all ready", p, runtime.NumCPU())
	}
	table, code := s.command("status")
	if code != 0 || !strings.Contains(table, "tcp://"+s.addr) || !strings.Contains(table, "ready") {
		t.Errorf("status: exit %d, no address and state in\n%s", code, table)
	}

	_, stderr, code := run(t, s.binary, "start", "--run-dir", s.runDir, "--listen", "127.0.0.1:0")
	if code != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "running") {
		t.Errorf("a second start: exit %d, standard error %q; want 1 and a line that says it is running", code, stderr)
	}

	if out, code := s.command("stop"); code != 0 {
		t.Errorf("stop: exit %d\n%s", code, out)
	}
	if code := s.waitExit(); code != 0 {
		t.Errorf("the stopped master exited with %d, want 0", code)
	}
	if conn, err := net.Dial("tcp", s.addr); err == nil {
		conn.Close()
		t.Error("after stop somebody still accepts connections")
	}

	out, code := s.command("status", "--json")
	if code != 3 || strings.TrimSpace(out) != `{"state":"stopped"}` {
		t.Errorf("status --json of nothing: exit %d, %q; want 3 and the state stopped", code, out)
	}
	if _, code := s.command("stop"); code != 1 {
		t.Errorf("stop of nothing: exit %d, want 1", code)
	}
}

func TestWrongUsage(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		says string // on standard error
	}{
		{"unknown command", []string{"strat"}, "start"},
		{"unknown flag", []string{"start", "--worker", "2"}, "--workers"},
		{"not a number", []string{"start", "--workers", "many"}, "auto"},
		{"not an address", []string{"start", "--listen", "tcp:/127.0.0.1:80"}, "tcp://"},
		{"unknown server", []string{"start", "--workers", "htp=2"}, "http"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, stderr, code := run(t, binary(t, "jay"), append(tt.args, "--run-dir", runDir(t))...)
			if code != 2 || !strings.Contains(stderr, tt.says) {
				t.Errorf("exit %d, standard error %q; want 2, naming %q", code, stderr, tt.says)
			}
		})
	}
}

func TestHelpAndVersion(t *testing.T) {
	help, _, _ := run(t, binary(t, "jay"), "help", "start")
	if !strings.Contains(help, "--loop BACKEND") || !strings.Contains(help, "auto, epoll, goroutine") || strings.Contains(help, "io_uring") || strings.Contains(help, "--admin") {
		t.Errorf("help start offers what there is not, or lacks what there is:\n%s", help)
	}
	for _, tt := range []struct {
		command string
		shows   string
	}{{"help", "start"}, {"version", "jay"}} {
		if out, stderr, code := run(t, binary(t, "jay"), tt.command); code != 0 || !strings.Contains(out, tt.shows) {
			t.Errorf("%s: exit %d, standard output %q, standard error %q", tt.command, code, out, stderr)
		}
	}
}

// TestStartTable is what a user sees first.
func TestStartTable(t *testing.T) {
	s := start(t, "jay", "--workers", "3")
	eventually(t, "a line that says ready", func() bool {
		return regexp.MustCompile(`(?m)^ready`).MatchString(s.output.String())
	})
	table := s.output.String()
	for _, want := range []string{"tcp://" + s.addr, s.runDir, "epoll", "http", "3"} {
		if !strings.Contains(table, want) {
			t.Errorf("the start table lacks %q:\n%s", want, table)
		}
	}
	if strings.Contains(table, "\x1b") {
		t.Errorf("colour, though this is no terminal:\n%q", table)
	}
}

// TestDaemon starts in the background: the command ends when all is ready.
func TestDaemon(t *testing.T) {
	bin, dir := binary(t, "jay"), runDir(t)
	_, stderr, code := run(t, bin, "start", "-d", "--run-dir", dir, "--listen", "127.0.0.1:0")
	if code != 0 {
		t.Fatalf("start -d: exit %d, %s", code, stderr)
	}
	s := &service{t: t, binary: bin, runDir: dir}
	defer func() {
		if _, code := s.command("stop"); code != 0 {
			t.Errorf("stop: exit %d", code)
		}
		eventually(t, "no process left", func() bool { return len(s.processes()) == 0 })
	}()
	if st, code := s.status(); code != 0 || st.Programs[0].Ready != runtime.NumCPU() {
		t.Errorf("after start -d: status exit %d, %+v", code, st)
	}
	if _, err := os.Stat(filepath.Join(dir, "jay.log")); err != nil {
		t.Errorf("the daemon's log: %v", err)
	}
}

// TestDaemonFails: start -d says why it could not start.
func TestDaemonFails(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, stderr, code := run(t, binary(t, "jay"), "start", "-d", "--run-dir", runDir(t), "--listen", ln.Addr().String())
	if code != 1 || !strings.Contains(stderr, "address already in use") || !strings.Contains(stderr, ln.Addr().String()) {
		t.Errorf("start -d on a taken address: exit %d, %q; want 1 and the cause", code, stderr)
	}
}
