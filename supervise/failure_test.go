//go:build linux

package supervise_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jay-go/jay/internal/exampletest"
	"github.com/jay-go/jay/internal/needs"
)

// The commands of the command line that need a master: those that change the
// service, and those that ask.
var (
	changing = []string{"stop", "reload", "upgrade", "scale http=1", "reopen-logs"}
	asking   = []string{"status", "status --watch", "connections", "top", "logs"}
)

// wantAll runs commands at once and wants an exit code and one line with a text.
func wantAll(t *testing.T, command func(args ...string) *exec.Cmd, commands []string, code int, text string) {
	t.Helper()
	var all sync.WaitGroup
	for _, words := range commands {
		cmd := command(strings.Fields(words)...)
		all.Go(func() {
			b, _ := cmd.CombinedOutput()
			if out := string(b); cmd.ProcessState.ExitCode() != code || strings.Count(out, "\n") != 1 || !strings.Contains(out, text) {
				t.Errorf("%s: exit %d: %s; want exit %d and one line with %q", words, cmd.ProcessState.ExitCode(), out, code, text)
			}
		})
	}
	all.Wait()
}

// TestCommandsWithoutAnAnswer: whatever is in the place of a master that answers, a
// command ends, says on one line what is there, and has the exit code for it.
func TestCommandsWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	t.Run("nothing", func(t *testing.T) {
		t.Parallel()
		s := newService(t, "http")
		wantAll(t, s.command, changing, 1, "not running (run directory "+s.dir+")")
		wantAll(t, s.command, asking, 3, "not running (run directory "+s.dir+")")
	})
	t.Run("the socket of a master that is dead", func(t *testing.T) {
		t.Parallel()
		s := newService(t, "http").start()
		s.cmd.Process.Kill()
		<-s.exited
		wantAll(t, s.command, changing, 1, "not running (run directory "+s.dir+")")
		wantAll(t, s.command, asking, 3, "not running (run directory "+s.dir+")")
	})
	t.Run("a master that is stopped", func(t *testing.T) {
		t.Parallel()
		s := newService(t, "http").start()
		exampletest.Suspend(t, s.cmd.Process.Pid)
		wantAll(t, s.command, append(asking, "reload", "restart", "reopen-logs"), 1, "does not answer: it is stopped (SIGSTOP)")
		wantAll(t, s.command, []string{"start", "start -d"}, 1, "already running (pid ")
	})
	t.Run("one of another user", func(t *testing.T) {
		t.Parallel()
		needs.Root(t)
		open := tempDir(t)
		s := newService(t, "http")
		s.dir = filepath.Join(open, "run")
		s.install("one")
		s.start()
		stranger := func(args ...string) *exec.Cmd {
			cmd := s.command(args...)
			cmd.Path = s.exe
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			return cmd
		}
		wantAll(t, stranger, append(append([]string{"restart"}, asking...), changing...), 1, s.dir+": permission denied; it belongs to root")
		wantAll(t, stranger, []string{"start", "start -d"}, 1, "belongs to uid 0")
	})
	t.Run("one that is stopping", func(t *testing.T) {
		t.Parallel()
		s := newService(t, "http").start()
		rest, err := begin(s.addr(), "/slow?ms=60000")
		if err != nil {
			t.Fatal(err)
		}
		go rest()
		stop := s.begin("stop", step{"stopping", func(s *service) bool { return s.status().State == "stopping" }})
		wantAll(t, s.command, []string{"reload", "restart", "scale http=1"}, 1, "the service is stopping")
		if out, code := s.run("status"); code != 1 || !strings.HasPrefix(out, "stopping ") {
			t.Errorf("status: exit %d: %s", code, out)
		}
		s.cmd.Process.Signal(syscall.SIGTERM) // a second time: at once
		s.cmd.Process.Signal(syscall.SIGTERM)
		if out, code := stop(); code != 0 {
			t.Errorf("stop: exit %d: %s", code, out)
		}
	})
	t.Run("one that stops meanwhile", func(t *testing.T) {
		t.Parallel()
		s := newService(t, "http")
		s.install("good")
		s.start()
		s.install("never")
		reload := s.begin("reload", starting)
		s.must("stop")
		if out, code := reload(); code != 1 || !strings.Contains(out, "stopping") && !strings.Contains(out, "ended meanwhile") {
			t.Errorf("reload: exit %d: %s", code, out)
		}
	})
	t.Run("one that is killed meanwhile", func(t *testing.T) {
		t.Parallel()
		s := newService(t, "http")
		s.install("good")
		s.start()
		s.install("never")
		reload := s.begin("reload", starting)
		s.cmd.Process.Kill()
		if out, code := reload(); code != 1 || !strings.Contains(out, "reload: the master has ended meanwhile") {
			t.Errorf("reload: exit %d: %s", code, out)
		}
	})
}

// TestControlPathTooLong: a run directory whose control socket no client could reach
// is refused before anything is made or started.
func TestControlPathTooLong(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	s := newService(t, "http")
	s.dir = filepath.Join(dir, strings.Repeat("long", 25))
	wantAll(t, s.command, append([]string{"start", "start -d", "restart", "restart -d", "status", "logs"}, changing...), 1,
		"bytes, at most 107 fit a Unix address; choose a shorter --run-dir")
	if out, code := s.run("check"); code != 1 || !strings.Contains(out, "at most 107 fit a Unix address") {
		t.Errorf("check: exit %d: %s", code, out)
	}
	if _, err := os.Lstat(s.dir); !os.IsNotExist(err) {
		t.Errorf("it has made the run directory: %v", err)
	}
	s.dir = s.dir[:107-len("/control.sock")]
	s.start()
	mustGet(t, s.addr())
}
