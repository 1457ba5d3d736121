package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/jay-go/jay/internal/needs"
	"golang.org/x/sys/unix"
)

// TestPrivileges: started as root, the workers are what --user says, in every
// thread, and nobody else can write what the service leaves in the file system.
func TestPrivileges(t *testing.T) {
	needs.Root(t)
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, "faults", "--workers", "2", "--user", "nobody", "--listen", "unix://"+filepath.Join(runDir(t), "s"))
	for _, pid := range s.workers() {
		wantInThreads(t, pid, map[string]string{
			"Uid": strings.Repeat("\t"+nobody.Uid, 4), "Gid": strings.Repeat("\t"+nobody.Gid, 4),
			"Groups": "\t" + nobody.Gid, "CapEff": noCaps, "CapPrm": noCaps, "NoNewPrivs": "\t1",
		})
		limits, _ := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
		if !regexp.MustCompile(`Max core file size +0 `).Match(limits) {
			t.Errorf("worker %d may leave core files:\n%s", pid, limits)
		}
		if m := regexp.MustCompile(`Max open files +(\d+) +(\d+)`).FindSubmatch(limits); m == nil || string(m[1]) != string(m[2]) {
			t.Errorf("worker %d may not have all descriptors that it could:\n%s", pid, limits)
		}
	}
	filepath.Walk(s.runDir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.Mode().Perm()&0o002 != 0 {
			t.Errorf("%s: mode %v, %v; others may write it", path, info.Mode(), err)
		}
		return nil
	})
}

// noCaps is no capability, in /proc/PID/status.
const noCaps = "\t0000000000000000"

// wantInThreads holds the status of every thread of a process against what some
// lines of it have to be.
func wantInThreads(t *testing.T, pid int, lines map[string]string) {
	t.Helper()
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if len(threads) < 2 {
		t.Errorf("worker %d has %d threads", pid, len(threads))
	}
	for _, file := range threads {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		for name, want := range lines {
			m := regexp.MustCompile(`(?m)^` + name + `:(.*)$`).FindSubmatch(b)
			if m == nil || strings.TrimRight(string(m[1]), " ") != want {
				t.Errorf("%s: %s is %q, want %q", file, name, m[1], want)
			}
		}
	}
}

// TestCoreDumps: asked for, a crash leaves a core file, or what the machine
// makes of one, and the cause says so.
func TestCoreDumps(t *testing.T) {
	needs.Root(t) // for the hard limit
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &before); err != nil {
		t.Fatal(err)
	}
	unlimited := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unlimited); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_CORE, &before)
	t.Chdir(t.TempDir())
	s := startOwn(t, "dumping")
	dial(t, s.addr).send(get("/"))
	s.wait("a new worker", func(st status, code int) bool { return code == 0 && st.Programs[0].Restarts == 1 })
	st, _ := s.status()
	if got, want := st.Programs[0].LastExit, "signal: aborted (core dumped): panic: for a core file"; got != want {
		t.Errorf("last exit %q, want %q", got, want)
	}
}

// TestCannotSwitch: a master that may not make its workers what it was told to
// does not start, and says why.
func TestCannotSwitch(t *testing.T) {
	needs.Root(t)
	setpriv := needs.Program(t, "setpriv")
	out, err := exec.Command(setpriv, "--bounding-set=-setuid,-setgid", "--inh-caps=-setuid,-setgid",
		binary(t, "faults"), "start", "--run-dir", runDir(t), "--listen", "127.0.0.1:0", "--user", "nobody").CombinedOutput()
	if code := err.(*exec.ExitError).ExitCode(); code != 1 || !strings.Contains(string(out), "CAP_SETUID") {
		t.Errorf("exit %d, %s; want 1 and what is missing", code, out)
	}
}

// TestPort80: workers without rights accept from a port that only root may
// bind, in both modes, across a reload and an upgrade.
func TestPort80(t *testing.T) {
	needs.Root(t)
	for _, mode := range []string{"--reuse-port=false", "--reuse-port"} {
		t.Run(mode, func(t *testing.T) { inNetwork(t, func() { servePort80(t, mode) }) })
	}
}

func servePort80(t *testing.T, mode string) {
	s := launch(t, "hello", "--listen", "127.0.0.1:80", "--workers", "2", "--user", "nobody", mode)
	s.waitReady()
	askAtPort80(t, s)
}

// TestPort80WithoutRoot: a master that is not root and has the capability binds
// the port, again where a reload wants more sockets. Its workers do not have it.
func TestPort80WithoutRoot(t *testing.T) {
	needs.Root(t)
	for _, mode := range []string{"--reuse-port=false", "--reuse-port"} {
		t.Run(mode, func(t *testing.T) { inNetwork(t, func() { servePort80AsNobody(t, mode) }) })
	}
}

func servePort80AsNobody(t *testing.T, mode string) {
	s := launchAsNobody(t, "hello", []string{"--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"},
		"--listen", "127.0.0.1:80", "--workers", "2", mode)
	s.waitReady()
	askAtPort80(t, s)
	if out, code := s.command("scale", "hello=4"); code != 0 {
		t.Errorf("scale: exit %d, %s", code, out)
	}
	for _, pid := range s.workers() {
		wantInThreads(t, pid, map[string]string{
			"Uid": strings.Repeat("\t65534", 4), "CapEff": noCaps, "CapPrm": noCaps, "CapAmb": noCaps, "NoNewPrivs": "\t1",
		})
	}
}

// launchAsNobody starts a program as a user who is not root. rights are words
// for setpriv.
func launchAsNobody(t *testing.T, name string, rights []string, args ...string) *service {
	t.Helper()
	needs.Root(t)
	dir := runDir(t)
	program := forOthers(t, name, dir)
	place := filepath.Join(dir, "run")
	if err := os.Mkdir(place, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(place, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	words := append([]string{"--reuid=65534", "--regid=65534", "--clear-groups"}, rights...)
	words = append(words, program, "start", "--run-dir", place)
	return launchCommand(t, program, place, exec.Command(needs.Program(t, "setpriv"), append(words, args...)...))
}

// askAtPort80 asks a service before and after changes.
func askAtPort80(t *testing.T, s *service) {
	for _, change := range []string{"", "reload", "upgrade"} {
		if change != "" {
			if out, code := s.command(change); code != 0 {
				t.Errorf("%s: exit %d, %s", change, code, out)
			}
		}
		conn, err := net.Dial("tcp", "127.0.0.1:80") // on this thread, whose network it is
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, "GET / HTTP/1.0\r\n\r\n")
		if got, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 200 ") {
			t.Errorf("after %q: %q, %v", change, got, err)
		}
		conn.Close()
	}
}

// inNetwork runs fn on a thread whose network, and that of all processes that
// it starts, is one of its own, with nothing but a loopback interface.
func inNetwork(t *testing.T, fn func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()            // for ever: the thread ends with the goroutine
		if unix.Gettid() == os.Getpid() { // the first one does not end, and /proc/net is its network
			inNetwork(t, fn) // on another, since this one is taken
			runtime.UnlockOSThread()
			return
		}
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Errorf("unshare: %v", err)
			return
		}
		if err := loopbackUp(); err != nil {
			t.Errorf("bring the loopback interface up: %v", err)
			return
		}
		fn()
	}()
	<-done
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
}
