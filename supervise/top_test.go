//go:build linux

package supervise_test

import (
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/jay-go/jay/internal/exampletest"
)

// TestTopLeavesTheTerminal: q, Ctrl-C and every signal that ends a process end top,
// Ctrl-Z suspends it, and the terminal is then as it was before.
func TestTopLeavesTheTerminal(t *testing.T) {
	t.Parallel()
	s := newService(t, "http").start()
	for _, tt := range []struct {
		name string
		end  func(t *testing.T, control *os.File, pid int)
	}{
		{"q", func(t *testing.T, control *os.File, _ int) { control.WriteString("xq") }},
		{"Ctrl-C", func(t *testing.T, control *os.File, _ int) { control.WriteString("\x03") }},
		{"Ctrl-Backslash", func(t *testing.T, control *os.File, _ int) { control.WriteString("\x1c") }},
		{"TERM", func(t *testing.T, _ *os.File, pid int) { syscall.Kill(pid, syscall.SIGTERM) }},
		{"HUP", func(t *testing.T, _ *os.File, pid int) { syscall.Kill(pid, syscall.SIGHUP) }},
		{"Ctrl-Z, and q later", func(t *testing.T, control *os.File, pid int) {
			for range 2 {
				control.WriteString("\x1a")
				awaitState(t, "Ctrl-Z suspends it", pid, "T")
				if mode := lineMode(t, control); !mode {
					t.Error("suspended, it leaves the terminal without lines")
				}
				syscall.Kill(pid, syscall.SIGCONT)
				eventually(t, "it reads keys again", func() bool { return !lineMode(t, control) })
			}
			control.WriteString("q")
		}},
	} {
		for _, words := range []string{"top", "status --watch"} {
			t.Run(tt.name+", "+words, func(t *testing.T) {
				t.Parallel()
				control, end := openTerminal(t, false)
				defer control.Close()
				shown := &exampletest.Output{}
				go io.Copy(shown, control) // ends with EIO, or when it is closed
				cmd := s.command(strings.Fields(words)...)
				cmd.Stdin, cmd.Stdout, cmd.Stderr = end, end, end
				cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				eventually(t, "it shows the service twice", func() bool { return strings.Count(shown.String(), "running ") >= 2 })
				if lineMode(t, control) {
					t.Error("keys wait for the end of a line")
				}
				tt.end(t, control, cmd.Process.Pid)
				if err := cmd.Wait(); err != nil {
					t.Errorf("it ends with %v:\n%s", err, shown)
				}
				if !lineMode(t, control) {
					t.Error("it leaves the terminal without lines")
				}
				end.Close()
			})
		}
	}
}

// lineMode reports whether a terminal gives lines, and shows what is typed.
func lineMode(t *testing.T, control *os.File) bool {
	t.Helper()
	raw, err := control.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var mode *unix.Termios
	raw.Control(func(fd uintptr) { mode, err = unix.IoctlGetTermios(int(fd), unix.TCGETS) })
	if err != nil {
		t.Fatal(err)
	}
	return mode.Lflag&unix.ICANON != 0 && mode.Lflag&unix.ECHO != 0
}
