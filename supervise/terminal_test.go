//go:build linux

package supervise_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/jay-go/jay/internal/needs"
)

// tty is a terminal with a shell in it, at which a user starts a service.
type tty struct {
	*service
	control *os.File // the terminal emulator's end
	tty     *os.File // nil once hung up
	shell   *exec.Cmd
	ended   chan struct{} // closed when the shell has
}

// newTTY opens a terminal and runs an interactive shell in it, in which $SRV is
// the service's program. tostop is what `stty tostop` does.
func newTTY(t *testing.T, name string, tostop bool) *tty {
	t.Helper()
	s := newService(t, name)
	control, end := openTerminal(t, tostop)
	x := &tty{service: s, control: control, tty: end, ended: make(chan struct{})}
	x.shell = s.command("start")
	x.shell.Path = needs.Program(t, "bash")
	x.shell.Args = []string{"bash", "--norc", "--noprofile", "-i"}
	x.shell.Env = append(x.shell.Env, "SRV="+s.exe, "PS1=", "HISTFILE=")
	x.shell.Dir = s.bin // where nohup puts what it would have printed
	x.shell.Stdin, x.shell.Stdout, x.shell.Stderr = end, end, end
	x.shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := x.shell.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		x.shell.Wait()
		close(x.ended)
	}()
	go func() { // what the terminal shows; ends with EIO
		for b := make([]byte, 4096); ; {
			n, err := control.Read(b)
			s.output.Write(b[:n])
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(x.close)
	return x
}

// openTerminal is a new pseudo-terminal.
func openTerminal(t *testing.T, tostop bool) (control, end *os.File) {
	t.Helper()
	control, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	var number int
	raw, err := control.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	end, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if tostop {
		modes, err := unix.IoctlGetTermios(int(end.Fd()), unix.TCGETS)
		if err == nil {
			modes.Lflag |= unix.TOSTOP
			err = unix.IoctlSetTermios(int(end.Fd()), unix.TCSETS, modes)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return control, end
}

// write types at the terminal.
func (x *tty) write(text string) {
	x.t.Helper()
	if _, err := x.control.WriteString(text); err != nil {
		x.t.Fatal(err)
	}
}

// hangUp is what closing the window does.
func (x *tty) hangUp() {
	if x.tty != nil {
		x.tty.Close()
		x.control.Close()
		x.tty = nil
	}
}

// close ends the shell, and whatever it has started.
func (x *tty) close() {
	if pid := holder(x.dir); pid != 0 {
		syscall.Kill(pid, syscall.SIGTERM)
		syscall.Kill(pid, syscall.SIGCONT)
		eventually(x.t, "the master has gone", func() bool { return gone(pid) })
	}
	x.hangUp()
	select {
	case <-x.ended:
	case <-time.After(patience):
		x.t.Error("the shell does not end with its terminal")
		x.shell.Process.Kill()
		<-x.ended
	}
}

// holder is the number in a run directory's pid file; 0 where there is none.
func holder(dir string) int {
	b, _ := os.ReadFile(dir + "/master.pid")
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return pid
}

// started waits until a master has the run directory.
func (x *tty) started() (master int) {
	x.t.Helper()
	eventually(x.t, "there is a master", func() bool { master = holder(x.dir); return master != 0 })
	return master
}

// processState is the state of a process, as T or S, and the processor time that
// it has had.
func processState(t *testing.T, pid int) (state string, cpu time.Duration) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "gone", 0
	}
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	user, _ := strconv.Atoi(string(f[11]))
	system, _ := strconv.Atoi(string(f[12]))
	return string(f[0]), time.Duration(user+system) * 10 * time.Millisecond
}

func awaitState(t *testing.T, what string, pid int, state string) {
	t.Helper()
	eventually(t, what, func() bool { now, _ := processState(t, pid); return now == state })
}

// idles holds a process to next to no processor time for a while.
func idles(t *testing.T, what string, pid int) {
	t.Helper()
	const while = 500 * time.Millisecond
	_, before := processState(t, pid)
	time.Sleep(while)
	if _, after := processState(t, pid); after-before > while/5 {
		t.Errorf("%s: it has used %v of processor time in %v", what, after-before, while)
	}
}

// TestTerminalForbidsOutput: in the background of a terminal that lets nobody
// there write (stty tostop), a service is suspended when it has something to
// say, like any job, and goes on in the foreground.
func TestTerminalForbidsOutput(t *testing.T) {
	t.Parallel()
	x := newTTY(t, "http", true)
	x.write("$SRV start &\n")
	master := x.started()
	awaitState(t, "the master is suspended", master, "T")
	idles(t, "suspended", master)
	x.write("fg\n")
	eventually(t, "the service says that it is ready", func() bool { return strings.Contains(x.output.String(), "\nready\r\n") })
	st := x.status()
	if st.PID != master || st.State != "running" || st.Programs[0].Restarts != 0 {
		t.Errorf("after fg: master %d, %s, %d restarts; want %d, running, 0", st.PID, st.State, st.Programs[0].Restarts, master)
	}
	mustGet(t, x.addr())
	idles(t, "in the foreground", master)
	x.write("\x03")
	eventually(t, "Ctrl-C ends the master", func() bool { return gone(master) })
}

// TestTerminalSuspends: Ctrl-Z suspends the whole service, bg and fg continue it,
// and nobody is taken for hung or late meanwhile.
func TestTerminalSuspends(t *testing.T) {
	t.Parallel()
	x := newTTY(t, "http", false)
	x.write("$SRV start --watchdog 1s\n")
	master := x.started()
	eventually(t, "the service is ready", func() bool { return strings.Contains(x.output.String(), "\nready\r\n") })
	before, addr := x.status(), x.addr()
	for _, back := range []string{"bg", "fg"} {
		x.write("\x1a")
		awaitState(t, "Ctrl-Z suspends the master", master, "T")
		for _, w := range before.Workers {
			awaitState(t, "Ctrl-Z suspends a worker", w.PID, "T")
		}
		time.Sleep(3 * time.Second) // of a suspension that would be too long for the watchdog and its grace
		x.write(back + "\n")
		mustGet(t, addr)
		idles(t, "after "+back, master)
		after := x.status()
		if after.State != "running" || len(after.Workers) != len(before.Workers) || after.Programs[0].Restarts != 0 {
			t.Errorf("after %s: %s, %d workers, %d restarts", back, after.State, len(after.Workers), after.Programs[0].Restarts)
		}
		for i, w := range after.Workers {
			if w.PID != before.Workers[i].PID || w.State != "ready" {
				t.Errorf("after %s: worker %d is %s; before it was %d", back, w.PID, w.State, before.Workers[i].PID)
			}
		}
		if back == "bg" {
			x.write("fg\n")
			eventually(t, "the service has the terminal again", func() bool { return x.foreground() == master })
		}
	}
	if log := x.log(); strings.Contains(log, "hung") || strings.Contains(log, "kill worker") {
		t.Errorf("somebody was taken for hung")
	}
	x.write("\x03")
	eventually(t, "Ctrl-C ends the master", func() bool { return gone(master) })
}

// foreground is the process group that has the terminal.
func (x *tty) foreground() int {
	var group int
	raw, err := x.control.SyscallConn() // at the other end it would have to be our own terminal
	if err == nil {
		raw.Control(func(fd uintptr) { group, err = unix.IoctlGetInt(int(fd), unix.TIOCGPGRP) })
	}
	if err != nil {
		x.t.Fatal(err)
	}
	return group
}

// TestTerminalHangsUp: a service ends with its terminal, unless it was started
// by nohup; then it goes on, and idles. While there is a terminal, HUP is a
// reload.
func TestTerminalHangsUp(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, line string
		leave      string // by this instead of a hang-up
		survives   bool
	}{
		{"foreground", "$SRV start\n", "", false},
		{"background", "$SRV start &\n", "", false},
		{"the shell itself", "exec $SRV start\n", "", false},
		{"left in the background", "$SRV start &\n", "exit\nexit\n", true},
		{"nohup", `nohup sh -c 'exec "$SRV" start >/dev/tty 2>&1' &` + "\n", "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			x := newTTY(t, "http", false)
			x.write(test.line)
			master := x.started()
			eventually(t, "the service is ready", func() bool { return strings.Contains(x.output.String(), "\nready\r\n") })
			if err := syscall.Kill(master, syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			eventually(t, "HUP is a reload", func() bool { return x.status().Generation == 2 })
			pids := x.pids()
			if test.leave != "" {
				x.write(test.leave)
				<-x.ended
			} else {
				x.hangUp()
			}
			if !test.survives {
				eventually(t, "the master ends with its terminal", func() bool { return gone(master) })
				for _, pid := range pids {
					eventually(t, "a worker ends with it", func() bool { return gone(pid) })
				}
				return
			}
			<-x.ended
			x.hangUp()
			idles(t, "without its terminal", master)
			if test.leave != "" { // it is noticed a while later
				eventually(t, "the log says that the terminal has gone", func() bool {
					return strings.Contains(x.must("logs", "-n", "100"), "the terminal has gone; SIGHUP is a reload")
				})
				syscall.Kill(master, syscall.SIGHUP)
				eventually(t, "HUP is a reload again", func() bool { return x.status().Generation == 3 })
			} else {
				x.must("reload")
			}
			if st := x.status(); st.PID != master || st.State != "running" || st.Generation != 3 {
				t.Errorf("master %d, %s, generation %d; want %d, running, 3", st.PID, st.State, st.Generation, master)
			}
			x.must("stop")
		})
	}
}

// TestTerminalUpgrade: a SIGHUP at a terminal is a reload, also when an upgrade
// executes the next master before the terminal has been looked at again.
func TestTerminalUpgrade(t *testing.T) {
	t.Parallel()
	x := newTTY(t, "http", false)
	x.write("exec $SRV start\n")
	master := x.started()
	eventually(t, "the service is ready", func() bool { return strings.Contains(x.output.String(), "\nready\r\n") })
	for round := range 5 {
		for _, sig := range []syscall.Signal{syscall.SIGUSR2, syscall.SIGHUP} {
			if err := syscall.Kill(master, sig); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(round) * 10 * time.Millisecond) // some are in the last moment before the exec
		}
		eventually(t, "both have been heeded", func() bool { return x.status().Generation == 1+2*(round+1) })
	}
	x.must("stop")
}
