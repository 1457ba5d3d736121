//go:build linux

package supervise_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/needs"
)

// TestFirstProcess: a service is process 1 of a PID namespace, as in a
// container: it does everything as ever, and reaps what others leave to it.
func TestFirstProcess(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	unshare := needs.Program(t, "unshare")
	s := newService(t, "http")
	s.install("one")
	s.launchBy(unshare, "--pid", "--fork", "--mount-proc")
	eventually(t, "the service is ready", func() bool { return logged("\nready\n", 1)(s) })
	st := s.status()
	if st.PID != 1 {
		t.Fatalf("the master is process %d, want 1", st.PID)
	}
	addr := s.addr()
	inside := func() int { // the namespace, without the program that made it
		return len(slices.DeleteFunc(s.processes(), func(pid int) bool { return pid == s.cmd.Process.Pid }))
	}
	for range 3 {
		if body, err := get(addr, "/orphan"); err != nil || body != "" {
			t.Errorf("a worker could not leave orphans: %q, %v", body, err)
		}
	}
	eventually(t, "the strangers have ended and are reaped", func() bool { return inside() == 3 && s.zombies() == 0 })
	s.must("reload")
	s.install("two")
	s.must("upgrade")
	eventually(t, "the old workers are reaped", func() bool { return inside() == 3 && s.zombies() == 0 })
	if st := s.status(); st.PID != 1 || st.Version != "two" || st.Generation != 3 {
		t.Errorf("after reload and upgrade: master %d, version %s, generation %d; want 1, two, 3", st.PID, st.Version, st.Generation)
	}
	mustGet(t, addr)
	s.must("stop")
	<-s.exited
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("it exited with %d", code)
	}
}

// zombies counts the dead children of the service's processes.
func (s *service) zombies() (n int) {
	alive := map[string]bool{}
	for _, pid := range s.processes() {
		alive[strconv.Itoa(pid)] = true
	}
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, file := range all {
		b, _ := os.ReadFile(file) // it may have gone
		_, rest, _ := strings.Cut(string(b), ") ")
		if f := strings.Fields(rest); len(f) > 1 && f[0] == "Z" && alive[f[1]] {
			n++
		}
	}
	return n
}

// TestReleaseLink: the service is started through a link to the release, which
// is moved to the next one; the old one may be removed.
func TestReleaseLink(t *testing.T) {
	t.Parallel()
	s := newService(t, "http")
	current := filepath.Join(s.bin, "current")
	release := func(name string) {
		t.Helper()
		dir := filepath.Join(s.bin, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		s.exe = filepath.Join(dir, "service")
		s.install(name)
		if err := os.Symlink(name, current+".next"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(current+".next", current); err != nil {
			t.Fatal(err)
		}
		s.exe = filepath.Join(current, "service")
	}
	release("one")
	s.start()
	release("two")
	if err := os.RemoveAll(filepath.Join(s.bin, "one")); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(s.pids()[0], syscall.SIGKILL)
	eventually(t, "the old code is back", func() bool {
		st := s.status()
		return st.State == "running" && st.Programs[0].Restarts == 1 && st.Generation == 1
	})
	s.must("reload")
	s.must("upgrade")
	if st := s.status(); st.Version != "two" || st.Generation != 3 {
		t.Errorf("version %s, generation %d; want two, 3", st.Version, st.Generation)
	}
}

// TestDirectoryThatTheUserCannotEnter: the workers run as somebody who could
// not execute the file by its path, and have no rights but his.
func TestDirectoryThatTheUserCannotEnter(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	s := newService(t, "http")
	s.install("one")
	if err := os.Chmod(s.bin, 0o700); err != nil {
		t.Fatal(err)
	}
	s.start("--user", "nobody")
	check := func(when string) {
		t.Helper()
		mustGet(t, s.addr())
		for _, pid := range s.pids() {
			for _, thread := range threads(t, pid) {
				if uid, caps := thread["Uid"], thread["CapEff"]; strings.Join(strings.Fields(uid), " ") != strings.TrimSpace(strings.Repeat(nobody.Uid+" ", 4)) || strings.Trim(caps, "0") != "" {
					t.Errorf("%s a thread of worker %d has uid %s, capabilities %s", when, pid, uid, caps)
				}
			}
		}
	}
	check("at first")
	s.install("two")
	s.must("reload")
	check("after a reload")
	s.must("upgrade")
	check("after an upgrade")
	if st := s.status(); st.Version != "two" || st.Generation != 3 {
		t.Errorf("version %s, generation %d; want two, 3", st.Version, st.Generation)
	}
}

// threads are the status of each thread of a process, by field.
func threads(t *testing.T, pid int) (list []map[string]string) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(files) == 0 {
		t.Fatalf("threads of %d: %v, %v", pid, files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		fields := map[string]string{}
		for _, line := range strings.Split(string(b), "\n") {
			name, value, _ := strings.Cut(line, ":")
			fields[name] = strings.TrimSpace(value)
		}
		list = append(list, fields)
	}
	return list
}

// TestRemovedRunDir: whatever a cleaner removes of the run directory, the
// service can be controlled, and is still the only one.
func TestRemovedRunDir(t *testing.T) {
	for _, tt := range []struct {
		name   string
		remove func(dir string) error
	}{
		{"control socket", func(dir string) error { return os.Remove(filepath.Join(dir, "control.sock")) }},
		{"pid file", func(dir string) error { return os.Remove(filepath.Join(dir, "master.pid")) }},
		{"everything", os.RemoveAll},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, "http").start()
			master, addr := s.cmd.Process.Pid, s.addr()
			if err := tt.remove(s.dir); err != nil {
				t.Fatal(err)
			}
			eventually(t, "what was removed is there again", func() bool {
				for _, name := range []string{"control.sock", "master.pid"} {
					if _, err := os.Lstat(filepath.Join(s.dir, name)); err != nil {
						return false
					}
				}
				return true
			})
			if out, code := s.run("start"); code != 1 || !strings.Contains(out, fmt.Sprintf("already running (pid %d)", master)) {
				t.Errorf("a second start: exit %d: %s", code, out)
			}
			eventually(t, "the master answers", func() bool { _, code := s.run("status"); return code == 0 })
			mustGet(t, addr)
			for _, command := range []string{"reload", "upgrade", "stop"} {
				s.must(command)
			}
			<-s.exited
		})
	}
}

// TestFollowersOfARemovedSocket: who follows the log or the events when the
// control socket is removed goes on doing so, and is told the end as ever.
func TestFollowersOfARemovedSocket(t *testing.T) {
	t.Parallel()
	s := newService(t, "http").start()
	socket := filepath.Join(s.dir, "control.sock")
	before, err := os.Lstat(socket)
	if err != nil {
		t.Fatal(err)
	}
	var followers []io.ReadCloser
	for _, path := range []string{"/v1/logs?n=0&follow=1", "/v1/events"} {
		c, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(4 * patience)) // for all of it
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: jay\r\n\r\n", path)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		followers = append(followers, resp.Body)
	}
	if err := os.Remove(socket); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another socket", func() bool {
		now, err := os.Lstat(socket)
		return err == nil && !os.SameFile(before, now)
	})
	s.must("reload")
	s.must("stop")
	<-s.exited
	for i, want := range []string{"name=reload", "event: reload-done"} {
		got, err := io.ReadAll(followers[i])
		if err != nil || !strings.Contains(string(got), want) {
			t.Errorf("follower %d: %q, %v; want %q and an end", i, got, err, want)
		}
	}
}
