package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/needs"
)

// A manager is a service manager's notification socket.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
}

// newManager makes a socket that what is launched afterwards notifies.
func newManager(t *testing.T) *manager {
	t.Helper()
	path := filepath.Join(runDir(t), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return &manager{t, conn}
}

// await reads notifications until one has a line that begins so, and returns it.
func (m *manager) await(line string) string {
	m.t.Helper()
	m.conn.SetReadDeadline(time.Now().Add(patience))
	var seen []string
	for buf := make([]byte, 4096); ; {
		n, err := m.conn.Read(buf)
		if err != nil {
			m.t.Fatalf("no notification %q came, but %q: %v", line, seen, err)
		}
		text := string(buf[:n])
		if strings.Contains("\n"+text, "\n"+line) {
			return text
		}
		seen = append(seen, text)
	}
}

// TestNotify: the service manager is told when the service is ready, reloads
// and stops, and that it lives.
func TestNotify(t *testing.T) {
	m := newManager(t)
	t.Setenv("WATCHDOG_USEC", "500000")
	s := launch(t, "hello", "--listen", "127.0.0.1:0", "--workers", "2")
	if got := m.await("READY=1"); !strings.Contains(got, "STATUS=running, generation 1: hello 2 of 2\n") {
		t.Errorf("at the start it is told %q", got)
	}
	s.waitReady()
	for _, pid := range s.workers() {
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil || strings.Contains(string(env), "NOTIFY_SOCKET") || strings.Contains(string(env), "WATCHDOG_USEC") {
			t.Errorf("worker %d could speak to the service manager: %q, %v", pid, env, err)
		}
	}
	m.await("WATCHDOG=1")
	for generation, change := range []string{"reload", "upgrade"} {
		if out, code := s.command(change); code != 0 {
			t.Errorf("%s: exit %d, %s", change, code, out)
		}
		if got := m.await("RELOADING=1"); !strings.Contains(got, "\nMONOTONIC_USEC=") {
			t.Errorf("%s: it is told %q", change, got)
		}
		if got := m.await("READY=1"); !strings.Contains(got, fmt.Sprintf("generation %d:", generation+2)) {
			t.Errorf("after the %s it is told %q", change, got)
		}
	}
	s.command("stop")
	m.await("STOPPING=1")
}

// TestActivation: sockets of the service manager are served, stay what they are
// across reload, upgrade and restart, and are not removed at the end.
func TestActivation(t *testing.T) {
	dir := runDir(t)
	path := filepath.Join(dir, "http.sock")
	unixListener, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	unixListener.SetUnlinkOnClose(false)
	tcpListener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var files []*os.File
	for _, ln := range []interface{ File() (*os.File, error) }{unixListener, tcpListener.(*net.TCPListener)} {
		f, err := ln.File()
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	unixListener.Close()
	tcpListener.Close()
	bin := binary(t, "hello")
	// The first is found by its address, the second by the program's name.
	cmd := exec.Command("sh", "-c", `export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=other:hello; exec "$0" "$@"`,
		bin, "start", "--run-dir", dir, "--listen", "127.0.0.1:1", "--listen", "unix://"+path)
	cmd.ExtraFiles = files
	s := launchCommand(t, bin, dir, cmd)
	for _, f := range files {
		f.Close()
	}
	s.waitReady()
	for _, change := range []string{"", "reload", "upgrade", "restart"} {
		if change != "" {
			if out, code := s.command(change); code != 0 {
				t.Fatalf("%s: exit %d, %s", change, code, out)
			}
		}
		for network, address := range map[string]string{"unix": path, "tcp": tcpListener.Addr().String()} {
			if got := askHello(t, network, address); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
				t.Errorf("after %q, at %s: %q", change, address, got)
			}
		}
	}
	s.command("stop")
	s.waitExit()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the service manager's socket is gone: %v", err)
	}
}

// TestActivationOfBothKinds: a stream and a datagram socket on one port, as name
// servers have them, are not taken for each other; one that nobody serves is
// told of, by check too.
func TestActivationOfBothKinds(t *testing.T) {
	tcpListener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := tcpListener.Addr().String()
	packets, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	idle, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var files []*os.File
	for _, ln := range []any{packets, tcpListener, idle} {
		f, err := ln.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
		ln.(io.Closer).Close()
	}
	t.Setenv(ownVariable, "bothKinds")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := runDir(t)
	command := func(args ...string) *exec.Cmd {
		args = append(args, "--run-dir", dir, "--reuse-port", "--listen", "tcp://"+address, "--listen", "udp://"+address)
		cmd := exec.Command("sh", append([]string{"-c", `export LISTEN_PID=$$ LISTEN_FDS=3; exec "$0" "$@"`, self}, args...)...)
		cmd.ExtraFiles = files
		return cmd
	}
	nobody := idle.Addr().String()
	out, err := command("check").CombinedOutput()
	if err != nil || !strings.Contains(string(out), nobody+" is a socket of the service manager, named") {
		t.Errorf("check: %v\n%s", err, out)
	}
	s := launchCommand(t, self, dir, command("start"))
	for _, f := range files {
		f.Close()
	}
	s.waitReady()
	if log := s.output.String(); !strings.Contains(log, "that no program serves") || !strings.Contains(log, nobody) {
		t.Errorf("the log does not tell of %s:\n%s", nobody, log)
	}
	for _, change := range []string{"", "reload", "upgrade", "restart"} {
		if change != "" {
			if out, code := s.command(change); code != 0 {
				t.Fatalf("%s: exit %d, %s", change, code, out)
			}
		}
		for range 8 {
			for _, network := range []string{"tcp", "udp"} {
				if got := knock(t, network, address); got != network {
					t.Errorf("after %q, %s answers %q", change, network, got)
				}
			}
		}
	}
}

// knock sends a byte and gives what comes.
func knock(t *testing.T, network, address string) string {
	t.Helper()
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	n, err := conn.Read(b)
	if err != nil {
		t.Error(err)
	}
	return string(b[:n])
}

func askHello(t *testing.T, network, address string) string {
	t.Helper()
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{t, conn}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	p.send("GET / HTTP/1.0\r\n\r\n")
	got, err := p.rest()
	if err != nil {
		t.Error(err)
	}
	return got
}

// TestUnits: the unit files in contrib are what systemd understands.
func TestUnits(t *testing.T) {
	analyze := needs.Program(t, "systemd-analyze")
	units, _ := filepath.Glob("../../contrib/*.so*")
	services, _ := filepath.Glob("../../contrib/*.service")
	if len(units) == 0 || len(services) == 0 {
		t.Fatal("there are none")
	}
	out, err := exec.Command(analyze, append([]string{"verify", "--man=no"}, append(units, services...)...)...).CombinedOutput()
	if text := strings.TrimSpace(string(out)); err != nil || text != "" {
		t.Errorf("systemd-analyze verify: %v\n%s", err, text)
	}
}
