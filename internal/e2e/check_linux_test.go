package e2e

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/exampletest"
	"github.com/jay-go/jay/internal/needs"
	"golang.org/x/sys/unix"
)

// checked runs check and returns its lines that begin with a word, without
// what aligns them.
func checked(t *testing.T, binary string, args ...string) (lines []string, stderr string, code int) {
	t.Helper()
	out, stderr, code := run(t, binary, append([]string{"check"}, args...)...)
	for line := range strings.Lines(out) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines, stderr, code
}

// expectLine looks for a line with all of these words in it, in order.
func expectLine(t *testing.T, lines []string, words ...string) {
	t.Helper()
	for _, line := range lines {
		rest, found := line, true
		for _, w := range words {
			var ok bool
			if _, rest, ok = strings.Cut(rest, w); !ok {
				found = false
				break
			}
		}
		if found {
			return
		}
	}
	t.Errorf("no line with %q in\n  %s", words, strings.Join(lines, "\n  "))
}

// TestCheckLeavesNothing: what check has looked at is as it was, and whatever it
// says would start does.
func TestCheckLeavesNothing(t *testing.T) {
	dir := runDir(t)
	for _, name := range []string{"jay", "hello", "faults", "chat", "line", "frame", "timer", "background", "resp", "tcpproxy", "bodyecho", "wsecho"} {
		args := []string{"--run-dir", filepath.Join(dir, "run"), "--log-file", filepath.Join(dir, "log")}
		if name != "background" { // which has no address
			args = append(args, "--listen", "unix://"+filepath.Join(dir, "s"))
		}
		lines, stderr, code := checked(t, binary(t, name), args...)
		if code != 0 || stderr != "" || lines[len(lines)-1] != "ok" {
			t.Errorf("%s: exit %d, standard error %q\n  %s", name, code, stderr, strings.Join(lines, "\n  "))
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Fatalf("%s: check has left %v", name, left)
		}
	}
}

// TestCheckAddresses: each address that cannot be bound is told, with the reason
// and what to do.
func TestCheckAddresses(t *testing.T) {
	dir := runDir(t)
	listen := func(network, address string) string {
		if network == "udp" {
			c, err := net.ListenPacket(network, address)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			return c.LocalAddr().String()
		}
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l.Addr().String()
	}
	stale := filepath.Join(dir, "stale")
	l, err := net.Listen("unix", stale)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tcp, udp, live := listen("tcp", "127.0.0.1:0"), listen("udp", "127.0.0.1:0"), listen("unix", filepath.Join(dir, "live"))
	us := "e2e.test (pid " // this process
	for _, tt := range []struct {
		address string
		line    []string
		todo    string
	}{
		{"tcp://127.0.0.1:0", []string{"ok address", "picks a free port"}, ""},
		{"udp://127.0.0.1:0", []string{"ok address", "picks a free port"}, ""},
		{"tcp://" + tcp, []string{"error address", tcp, "is in use by", us}, "to do: stop that"},
		{"udp://" + udp, []string{"error address", udp, "is in use by", us}, "or: --listen udp://127.0.0.1:0 (0 picks a free port)"},
		{"unix://" + live, []string{"error address", live, "is in use by", us}, "to do: stop that"},
		{"unix://" + stale, []string{"ok address", stale, "is free", "will be replaced"}, ""},
		{"unix://" + file, []string{"error address", "is not a socket"}, "to do: rm " + file},
		{"unix://" + dir + "/none/s", []string{"error address", dir + "/none is not there"}, "to do: mkdir -p " + dir + "/none"},
		{"tcp://192.0.2.99:8080", []string{"error address", "192.0.2.99 is not an address of this machine, which has 127.0.0.1"}, "to do: --listen tcp://:8080 for all addresses"},
		{"127.0.0.1", []string{"error address", "write tcp://127.0.0.1:8080"}, ""},
		{"unix:///" + strings.Repeat("x", 200), []string{"error address", "201 bytes"}, ""},
	} {
		t.Run(tt.address[:min(len(tt.address), 40)], func(t *testing.T) {
			program := binary(t, "hello")
			if strings.HasPrefix(tt.address, "udp://") { // which a jay.Server does not serve
				t.Setenv(ownVariable, "bothKinds")
				program, _ = os.Executable()
			}
			lines, stderr, code := checked(t, program, "--run-dir", filepath.Join(dir, "run"), "--listen", tt.address)
			expectLine(t, lines, tt.line...)
			if tt.todo != "" {
				expectLine(t, lines, tt.todo)
			}
			want, says := 1, "1 problem; it would not start"
			if strings.HasPrefix(tt.line[0], "ok") {
				want, says = 0, ""
			}
			if code != want || !strings.Contains(stderr, says) || says == "" && stderr != "" {
				t.Errorf("exit %d, standard error %q; want %d, %q", code, stderr, want, says)
			}
		})
	}
	if _, err := os.Lstat(stale); err != nil {
		t.Errorf("the socket that nobody listens on: %v", err)
	}
	t.Run("several", func(t *testing.T) {
		_, stderr, code := checked(t, binary(t, "hello"), "--run-dir", filepath.Join(dir, "run"), "--listen", "tcp://"+tcp, "--listen", "x", "--listen", "unix://"+file)
		if code != 1 || !strings.Contains(stderr, "3 problems") {
			t.Errorf("exit %d, standard error %q", code, stderr)
		}
	})
}

// TestCheckReusePort: an address that another process shares would be bound, and
// its clients spread over both.
func TestCheckReusePort(t *testing.T) {
	other := start(t, "hello", "--reuse-port", "--workers", "1")
	lines, stderr, code := checked(t, binary(t, "hello"), "--run-dir", runDir(t), "--listen", other.addr, "--reuse-port")
	expectLine(t, lines, "warning address", other.addr, "is shared with hello (pid ")
	if code != 0 || stderr != "" {
		t.Errorf("exit %d, standard error %q", code, stderr)
	}
	for range 50 { // check has not taken a connection away
		if got := exchange(t, other.addr, "GET / HTTP/1.0\r\n\r\n"); !strings.HasSuffix(got, "Hello, World!") {
			t.Errorf("answer %q", got)
		}
	}
}

// TestCheckRunning: what the service itself holds is not in its way.
func TestCheckRunning(t *testing.T) {
	t.Parallel()
	dir := runDir(t)
	for _, args := range [][]string{{}, {"--reuse-port"}} {
		s := launch(t, "hello", append(args, "--listen", "127.0.0.1:0", "--listen", "unix://"+filepath.Join(dir, "s"), "--workers", "1")...)
		s.waitReady()
		again := append(args, "--run-dir", s.runDir, "--listen", s.addr, "--listen", "unix://"+filepath.Join(dir, "s"))
		lines, stderr, code := checked(t, s.binary, again...)
		if code != 0 || stderr != "" {
			t.Errorf("exit %d, standard error %q\n  %s", code, stderr, strings.Join(lines, "\n  "))
		}
		expectLine(t, lines, "ok service", "it runs")
		expectLine(t, lines, "ok address", s.addr+" is the running service's own")
		expectLine(t, lines, "ok address", dir+"/s is the running service's own")
		if lines, _, code := checked(t, s.binary, "--run-dir", runDir(t), "--listen", s.addr); code != 1 {
			t.Errorf("from another run directory: exit %d\n  %s", code, strings.Join(lines, "\n  "))
		}
		exampletest.Suspend(t, s.cmd.Process.Pid)
		lines, _, code = checked(t, s.binary, again...)
		exampletest.Resume(s.cmd.Process.Pid)
		expectLine(t, lines, "warning service", "does not answer")
		if code != 1 {
			t.Errorf("of a service that is stopped: exit %d\n  %s", code, strings.Join(lines, "\n  "))
		}
		s.command("stop")
		s.waitExit()
	}
}

// TestCheckPlaces: the run directory, the log and the program file.
func TestCheckPlaces(t *testing.T) {
	dir := runDir(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	long := filepath.Join(dir, strings.Repeat("x", 100))
	for _, tt := range []struct {
		name string
		args []string
		line []string
		todo string
	}{
		{"a run directory to be made", []string{"--run-dir", dir + "/a/b"}, []string{"ok run directory", dir + "/a/b will be made"}, ""},
		{"a file in its place", []string{"--run-dir", file}, []string{"error run directory", "is not a directory"}, "choose another --run-dir"},
		{"a file above it", []string{"--run-dir", file + "/x"}, []string{"error run directory", "not a directory"}, "choose another --run-dir"},
		{"a long path", []string{"--run-dir", long}, []string{"error run directory", "at most 107 fit"}, "choose a shorter --run-dir"},
		{"a log to be made", []string{"--log-file", dir + "/log"}, []string{"ok log", dir + "/log will be made"}, ""},
		{"a log that is there", []string{"--log-file", file}, []string{"ok log", file}, ""},
		{"a log without a directory", []string{"--log-file", dir + "/none/log"}, []string{"error log", dir + "/none is not there"}, "to do: mkdir -p " + dir + "/none"},
		{"a directory as the log", []string{"--log-file", dir}, []string{"error log", "is a directory"}, "choose another --log-file"},
		{"a pipe as the log", []string{"--log-file", pipe}, []string{"ok log", pipe + " is a pipe"}, ""},
		{"a link as the log", []string{"--log-file", link}, []string{"error log", "is a symbolic link"}, "to do: name the file itself"},
		{"no such user", []string{"--user", "no-such-user"}, []string{"error user", "no such user"}, "to do: useradd --system no-such-user"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			needsRootFor(t, tt.args)
			args := append([]string{"--listen", "127.0.0.1:0"}, tt.args...)
			if !slices.Contains(tt.args, "--run-dir") {
				args = append(args, "--run-dir", filepath.Join(dir, "run"))
			}
			lines, _, code := checked(t, binary(t, "hello"), args...)
			expectLine(t, lines, tt.line...)
			if tt.todo != "" {
				expectLine(t, lines, tt.todo)
			}
			if want := map[bool]int{true: 1}[strings.HasPrefix(tt.line[0], "error")]; code != want {
				t.Errorf("exit %d, want %d\n  %s", code, want, strings.Join(lines, "\n  "))
			}
		})
	}
}

func needsRootFor(t *testing.T, args []string) {
	if slices.Contains(args, "--user") {
		needs.Root(t)
	}
}

// forOthers puts a program into a directory, for other users to execute.
func forOthers(t *testing.T, name, dir string) string {
	t.Helper()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, name)
	b, err := os.ReadFile(binary(t, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, b, 0o755); err != nil {
		t.Fatal(err)
	}
	return program
}

// TestCheckRights: what only root may do is told to others, and root is told
// what it should not do.
func TestCheckRights(t *testing.T) {
	needs.Root(t)
	dir := runDir(t)
	program := forOthers(t, "hello", dir)
	t.Run("root", func(t *testing.T) {
		lines, _, code := checked(t, program, "--run-dir", filepath.Join(dir, "run"), "--listen", "127.0.0.1:0")
		expectLine(t, lines, "warning user", "the workers run as root")
		if end := strings.Join(lines[len(lines)-2:], ", "); code != 0 || end != "1 warning, ok" {
			t.Errorf("exit %d, at the end %q", code, end)
		}
		lines, _, code = checked(t, program, "--run-dir", filepath.Join(dir, "run"), "--listen", "127.0.0.1:0", "--user", "nobody")
		expectLine(t, lines, "ok user", "the workers run as nobody")
		if end := strings.Join(lines[len(lines)-2:], ", "); code != 0 || end != ", ok" {
			t.Errorf("as nobody: exit %d, at the end %q", code, end)
		}
	})
	t.Run("a program that the workers may not execute", func(t *testing.T) {
		if err := os.Chmod(program, 0o700); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(program, 0o755)
		lines, _, code := checked(t, program, "--run-dir", filepath.Join(dir, "run"), "--listen", "127.0.0.1:0", "--user", "nobody")
		expectLine(t, lines, "error program file", "the workers' user nobody may not execute "+program, "mode 0700, of root:root")
		expectLine(t, lines, "to do: chmod a+rx "+program)
		if code != 1 {
			t.Errorf("exit %d", code)
		}
	})
	t.Run("nobody", func(t *testing.T) {
		inNetwork(t, func() { checkAsNobody(t, program, dir) })
	})
}

// checkAsNobody runs in a network in which the ports below 1024 are root's.
func checkAsNobody(t *testing.T, program, dir string) {
	cmd := exec.Command(needs.Program(t, "setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups", program, "check",
		"--run-dir", filepath.Join(dir, "run"), "--log-file", filepath.Join(dir, "log"), "--listen", "127.0.0.1:80", "--user", "nobody")
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "4 problems") {
		t.Errorf("%v, want exit 1 and 4 problems", err)
	}
	var lines []string
	for line := range strings.Lines(string(out)) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	expectLine(t, lines, "error run directory", "cannot be made in "+dir+": permission denied")
	expectLine(t, lines, "as root: install -d -m 0700 -o nobody "+dir+"/run")
	expectLine(t, lines, "error log", "cannot be made in "+dir+": permission denied")
	expectLine(t, lines, "error user", "only root can switch")
	expectLine(t, lines, "error address", "127.0.0.1:80 cannot be bound: ports below 1024 need CAP_NET_BIND_SERVICE, which nobody does not have")
	expectLine(t, lines, "to do: in a systemd unit: AmbientCapabilities=CAP_NET_BIND_SERVICE, or a socket unit")
	expectLine(t, lines, "or: as root: setcap cap_net_bind_service=+ep "+program)
	expectLine(t, lines, "or: as root: sysctl -w net.ipv4.ip_unprivileged_port_start=80")
	expectLine(t, lines, "or: --listen tcp://127.0.0.1:8080")
}

// TestCheckMaxConns: the connections of a server are held against the limit of
// descriptors.
func TestCheckMaxConns(t *testing.T) {
	t.Setenv(ownVariable, "crowded")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	lines, _, code := checked(t, self, "--run-dir", filepath.Join(runDir(t), "run"))
	expectLine(t, lines, "warning descriptors a worker of crowded wants 1000000064 ", "and may have ")
	expectLine(t, lines, "LimitNOFILE=1000000064")
	expectLine(t, lines, "warning accept queue crowded asks for a backlog of 2000000, which the kernel cuts to ")
	if code != 0 {
		t.Errorf("exit %d", code)
	}
}

// TestCheckActivated: a socket of the service manager need not be bound.
func TestCheckActivated(t *testing.T) {
	activate := needs.Program(t, "systemd-socket-activate")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	out := &exampletest.Output{}
	cmd := exec.Command(activate, "-l", address, binary(t, "hello"), "check", "--run-dir", filepath.Join(runDir(t), "run"), "--listen", address)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	eventually(t, "check has run for a connection", func() bool {
		if c, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			c.Close()
		}
		return strings.Contains(out.String(), "socket of the service manager")
	})
}
