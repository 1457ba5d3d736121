package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/jay-go/jay/internal/needs"
)

// TestForkFails: while no process can be started the master lives, says so once,
// tries again and again, and refuses a reload; those who serve do not notice.
// When it passes everything is as before.
func TestForkFails(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ errno, says string }{
		{"EAGAIN", "resource temporarily unavailable"},
		{"ENOMEM", "cannot allocate memory"},
	} {
		t.Run(tt.errno, func(t *testing.T) {
			s := start(t, "faults", "--workers", "2")
			forkFails(t, s, tt.says, func(master int) (stop func()) {
				stopped := inject(t, master, "clone,clone3,vfork", "error="+tt.errno)
				return func() {
					if made := stopped(); len(made) < 4 {
						t.Errorf("%d calls failed, want the tries of a slot and of a reload", len(made))
					}
				}
			})
		})
	}
	t.Run("RLIMIT_NPROC", func(t *testing.T) {
		s := launchAsNobody(t, "faults", nil, "--listen", "127.0.0.1:0", "--workers", "2")
		s.waitReady()
		forkFails(t, s, "resource temporarily unavailable", func(master int) (stop func()) {
			var own unix.Rlimit // which it has inherited
			if err := unix.Getrlimit(unix.RLIMIT_NPROC, &own); err != nil {
				t.Fatal(err)
			}
			limit := func(soft int64) { // the hard limit stays, so that it can be undone
				out, err := exec.Command(needs.Program(t, "setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups",
					needs.Program(t, "prlimit"), "--pid", strconv.Itoa(master), fmt.Sprintf("--nproc=%d:", soft)).CombinedOutput()
				if err != nil {
					t.Fatalf("prlimit: %v: %s", err, out)
				}
			}
			limit(1)
			return func() { limit(int64(own.Cur)) }
		})
	})
}

// forkFails lets a service of two workers live through a time in which its
// master can start nothing.
func forkFails(t *testing.T, s *service, says string, begin func(master int) (stop func())) {
	before, _ := s.status()
	victim, stays := before.Workers[0].PID, before.Workers[1].PID
	open := atRest(t, before.PID)
	stop := begin(before.PID)
	syscall.Kill(victim, syscall.SIGKILL)
	s.wait("the slot waits, with the reason", func(st status, code int) bool {
		return code == 1 && st.Workers[0].State == "backoff" && strings.HasPrefix(st.Programs[0].LastExit, "start: ") &&
			strings.Contains(st.Programs[0].LastExit, says)
	})
	_, stderr, code := s.run("reload")
	if code != 1 || !strings.Contains(stderr, says) {
		t.Errorf("reload: exit %d, %q; want 1 and the reason", code, stderr)
	}
	cpu := cpuTime(t, before.PID)
	time.Sleep(2 * time.Second) // for more tries
	if used := cpuTime(t, before.PID) - cpu; used > time.Second {
		t.Errorf("the master used %v of CPU in two seconds in which it could start nothing", used)
	}
	for range 10 {
		p := dial(t, s.addr)
		if got := p.pid(); got != stays {
			t.Errorf("worker %d answers, want %d, which nothing has happened to", got, stays)
		}
		p.conn.Close()
	}
	if n := strings.Count(s.output.String(), `msg="start worker"`); n != 1 {
		t.Errorf("the log says %d times that no worker can be started", n)
	}
	stop()
	s.wait("two workers serve", func(st status, code int) bool { return code == 0 })
	after, _ := s.status()
	if after.PID != before.PID || after.Generation != 1 || !after.hasWorker(stays) {
		t.Errorf("afterwards %+v, before %+v", after, before)
	}
	if out, code := s.command("reload"); code != 0 {
		t.Errorf("reload when it has passed: exit %d\n%s", code, out)
	}
	s.wait("the old workers to have gone", func(st status, _ int) bool { return len(st.Workers) == 2 })
	sameNumber(t, before.PID, open)
}

// TestMasterOutOfDescriptors: a master that may open nothing more answers all the
// same, refuses what it cannot do, leaks nothing, and stops when told to.
func TestMasterOutOfDescriptors(t *testing.T) {
	t.Parallel()
	s := start(t, "faults", "--workers", "2")
	st, _ := s.status()
	open := atRest(t, st.PID)
	restore := s.exhaust(st.PID)
	for range 3 {
		began := time.Now()
		_, stderr, code := s.run("reload")
		if code != 1 || !strings.Contains(stderr, "too many open files") || !strings.Contains(stderr, "RLIMIT_NOFILE") {
			t.Errorf("reload: exit %d, %q; want 1 and the reason", code, stderr)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it was refused after %v", took)
		}
	}
	syscall.Kill(st.Workers[0].PID, syscall.SIGKILL)
	s.wait("the slot waits, with the reason", func(st status, code int) bool {
		return code == 1 && st.Workers[0].State == "backoff" && strings.Contains(st.Programs[0].LastExit, "too many open files")
	})
	cpu := cpuTime(t, st.PID)
	var idle []net.Conn
	for range 5 { // each takes a descriptor of the control API, if there is one
		c, err := net.Dial("unix", filepath.Join(s.runDir, "control.sock"))
		if err != nil {
			t.Fatal(err)
		}
		idle = append(idle, c)
	}
	time.Sleep(2 * time.Second)
	if used := cpuTime(t, st.PID) - cpu; used > 500*time.Millisecond {
		t.Errorf("the master used %v of CPU in two seconds without descriptors", used)
	}
	for _, c := range idle {
		c.Close()
	}
	if n := strings.Count(s.output.String(), `msg="start worker"`); n != 1 {
		t.Errorf("the log says %d times that no worker can be started", n)
	}
	restore()
	s.wait("two workers serve", func(_ status, code int) bool { return code == 0 })
	if out, code := s.command("reload"); code != 0 {
		t.Errorf("reload when it has passed: exit %d\n%s", code, out)
	}
	s.wait("the old workers to have gone", func(st status, _ int) bool { return len(st.Workers) == 2 })
	sameNumber(t, st.PID, open)

	defer s.exhaust(st.PID)()
	if out, code := s.command("stop"); code != 0 {
		t.Errorf("stop: exit %d\n%s", code, out)
	}
	s.waitExit()
}

// descriptorsOf lists the descriptors of a process, each with what it is.
func descriptorsOf(t *testing.T, pid int) []string {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range list {
		what, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, e.Name())) // "" when it has been closed
		all = append(all, e.Name()+" "+what)
	}
	return all
}

// sameNumber waits until a process has as many descriptors as it had.
func sameNumber(t *testing.T, pid int, before []string) {
	t.Helper()
	now := descriptorsOf(t, pid)
	for deadline := time.Now().Add(patience); len(now) != len(before); now = descriptorsOf(t, pid) {
		if time.Now().After(deadline) {
			t.Fatalf("the master has %d descriptors, had %d:\n  %s\nhad\n  %s", len(now), len(before), strings.Join(now, "\n  "), strings.Join(before, "\n  "))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// atRest are the descriptors of a master that nobody asks: those of the command
// that has just asked are gone soon.
func atRest(t *testing.T, pid int) []string {
	t.Helper()
	list, since := descriptorsOf(t, pid), time.Now()
	eventually(t, "the descriptors stay", func() bool {
		if now := descriptorsOf(t, pid); !slices.Equal(now, list) {
			list, since = now, time.Now()
		}
		return time.Since(since) > 200*time.Millisecond
	})
	return list
}

// TestRemovedSocketWithoutDescriptors: a control socket that was removed while
// the master has too few descriptors to make it again, whichever it lacks, is
// made when there are some.
func TestRemovedSocketWithoutDescriptors(t *testing.T) {
	t.Parallel()
	for free := range 4 {
		t.Run(fmt.Sprintf("%d free", free), func(t *testing.T) {
			s := start(t, "hello", "--workers", "1")
			master := s.cmd.Process.Pid
			restore := s.exhaust(master)
			var limit unix.Rlimit
			if err := unix.Prlimit(master, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
				t.Fatal(err)
			}
			limit.Cur += uint64(free)
			if err := unix.Prlimit(master, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(s.runDir, "control.sock")); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the master has tried", func() bool {
				return strings.Contains(s.output.String(), "the run directory ha")
			})
			restore()
			s.wait("an answer", func(_ status, code int) bool { return code == 0 })
		})
	}
}

// exhaust leaves a master no descriptor more, until restore. Numbers that are
// free below others are taken by clients that follow the log.
func (s *service) exhaust(pid int) (restore func()) {
	s.t.Helper()
	var clients []net.Conn
	for firstFree(s.t, pid) < len(descriptorsOf(s.t, pid)) {
		c, err := net.Dial("unix", filepath.Join(s.runDir, "control.sock"))
		if err != nil {
			s.t.Fatal(err)
		}
		fmt.Fprint(c, "GET /v1/logs?n=0&follow=1 HTTP/1.1\r\nHost: jay\r\n\r\n")
		if _, err := c.Read(make([]byte, 1)); err != nil { // it is being answered
			s.t.Fatal(err)
		}
		clients = append(clients, c)
	}
	var before unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &before); err != nil {
		s.t.Fatal(err)
	}
	now := unix.Rlimit{Cur: uint64(firstFree(s.t, pid)), Max: before.Max}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &now, nil); err != nil {
		s.t.Fatal(err)
	}
	return func() {
		for _, c := range clients {
			c.Close()
		}
		if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &before, nil); err != nil && s.running() {
			s.t.Error(err)
		}
	}
}

// firstFree is the number that the next descriptor of a process would have.
func firstFree(t *testing.T, pid int) int {
	t.Helper()
	for n := 0; ; n++ {
		if _, err := os.Lstat(fmt.Sprintf("/proc/%d/fd/%d", pid, n)); err != nil {
			return n
		}
	}
}
