//go:build linux

package supervise_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/jay-go/jay/internal/exampletest"
)

// aliveAndEnds holds a service to what its master is for, whoever does not read
// what it says: it answers, replaces a worker, scales, reloads, and heeds TERM.
func (s *service) aliveAndEnds(master int) {
	s.t.Helper()
	eventually(s.t, "the service answers and runs", func() bool { return s.status().State == "running" })
	generation := s.status().Generation
	syscall.Kill(s.pids()[0], syscall.SIGKILL)
	eventually(s.t, "a killed worker is replaced", func() bool {
		st := s.status()
		return st.State == "running" && st.Programs[0].Restarts == 1
	})
	for n := 3; n <= 9; n++ {
		s.must("scale", "http="+strconv.Itoa(n))
	}
	s.must("scale", "http=1")
	s.must("reload")
	s.must("upgrade")
	if st := s.status(); st.PID != master || st.Generation != generation+2 {
		s.t.Errorf("master %d, generation %d; want %d, %d", st.PID, st.Generation, master, generation+2)
	}
	if err := syscall.Kill(master, syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, "TERM ends the master", func() bool { // whose parent may stand still
		state, _ := processState(s.t, master)
		return state == "Z" || gone(master)
	})
}

// TestManagerDoesNotRead: a service manager that stops reading its socket holds
// up nothing.
func TestManagerDoesNotRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(tempDir(t), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	s := newService(t, "http", "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=100000")
	s.launch()
	manager.SetReadDeadline(time.Now().Add(patience))
	for buf := make([]byte, 4096); ; {
		n, err := manager.Read(buf)
		if err != nil {
			t.Fatalf("the manager is not told that the service is ready: %v", err)
		}
		if strings.Contains(string(buf[:n]), "\nREADY=1") {
			break
		}
	}
	fillSocket(t, path)
	s.aliveAndEnds(s.cmd.Process.Pid)
}

// fillSocket sends datagrams to a socket until it takes no more.
func fillSocket(t *testing.T, path string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) }) // what it has sent stays until it is read
	for {
		err := unix.Sendto(fd, []byte("X=1"), 0, &unix.SockaddrUnix{Name: path})
		if errors.Is(err, unix.EAGAIN) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestOutputIsStuck: nobody reads what the service prints, from before it is
// ready.
func TestOutputIsStuck(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(t *testing.T, s *service) *exec.Cmd{
		"standard output is a full pipe": func(t *testing.T, s *service) *exec.Cmd {
			cmd := s.command("start")
			cmd.Stdout, cmd.Stderr = fullPipe(t), s.output
			return cmd
		},
		"standard error is a full pipe": func(t *testing.T, s *service) *exec.Cmd {
			cmd := s.command("start")
			cmd.Stdout, cmd.Stderr = s.output, fullPipe(t)
			return cmd
		},
		"a terminal after Ctrl-S": func(t *testing.T, s *service) *exec.Cmd {
			control, end := openTerminal(t, false)
			t.Cleanup(func() { control.Close(); end.Close() })
			if _, err := control.WriteString("\x13"); err != nil {
				t.Fatal(err)
			}
			cmd := s.command("start")
			cmd.Stdin, cmd.Stdout, cmd.Stderr = end, end, end
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			return cmd
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, "http")
			cmd := begin(t, s)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			exited := make(chan struct{})
			s.cmd, s.exited = cmd, exited
			go func() { cmd.Wait(); close(exited) }()
			s.aliveAndEnds(cmd.Process.Pid)
		})
	}
}

// fullPipe is the writing end of a pipe that nobody reads.
func fullPipe(t *testing.T) *os.File {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[0]) })
	for {
		if _, err := unix.Write(fds[1], make([]byte, 4096)); err != nil {
			break
		}
	}
	if err := unix.SetNonblock(fds[1], false); err != nil {
		t.Fatal(err)
	}
	w := os.NewFile(uintptr(fds[1]), "full pipe")
	t.Cleanup(func() { w.Close() })
	return w
}

// TestStarterDoesNotRead: the command that starts a daemon stands still, and the
// daemon does not wait for it.
func TestStarterDoesNotRead(t *testing.T) {
	t.Parallel()
	gate := filepath.Join(tempDir(t), "gate")
	s := newService(t, "gated", "GATE="+gate)
	cmd := s.command("start", "-d")
	cmd.Stdout, cmd.Stderr = s.output, s.output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Wait() })
	master := 0
	eventually(t, "there is a daemon", func() bool { master = holder(s.dir); return master != 0 })
	exampletest.Suspend(t, cmd.Process.Pid)
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.aliveAndEnds(master)
	exampletest.Resume(cmd.Process.Pid)
}

// TestHooksNeverReturn: user code in the master that never returns does not keep
// it from answering, nor from heeding a second TERM.
func TestHooksNeverReturn(t *testing.T) {
	t.Parallel()
	s := newService(t, "hanging hooks").start()
	master := s.cmd.Process.Pid
	s.must("reload") // OnMasterReload does not return
	for range 3 {
		restarts := s.status().Programs[0].Restarts
		syscall.Kill(s.pids()[0], syscall.SIGKILL)
		eventually(t, "a killed worker is replaced", func() bool {
			st := s.status()
			return st.State == "running" && st.Programs[0].Restarts == restarts+1
		})
	}
	syscall.Kill(master, syscall.SIGTERM)
	eventually(t, "the workers have gone, and the master answers", func() bool {
		st := s.status()
		return st.State == "stopping" && len(st.Workers) == 0
	})
	eventually(t, "another TERM, which is not of the same moment, ends it", func() bool {
		syscall.Kill(master, syscall.SIGTERM)
		select {
		case <-s.exited:
			return true
		case <-time.After(stopAgain):
			return false
		}
	})
	if log := s.log(); !strings.Contains(log, "stopped at once: OnMasterStop or OnWorkerExit has not returned") || !strings.Contains(log, "msg=stopped") {
		t.Error("the log does not say what was not waited for")
	}
	if left := s.status(); left.PID != 0 {
		t.Errorf("status after the end: %+v", left)
	}
}

// stopAgain is how far apart signals are that are not taken for one wish, in part.
const stopAgain = 300 * time.Millisecond
