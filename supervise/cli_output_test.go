//go:build linux

package supervise_test

import (
	"bufio"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestOutputThatCannotBeWritten: a command whose output is lost has failed, and says so,
// though what it was asked to do is done.
func TestOutputThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	s := newService(t, "http")
	s.must("start", "-d", "-q", "--workers=1")
	for _, args := range []string{
		"status", "status --json", "status --watch", "connections", "connections --json", "top", "logs", "logs -f", "check --listen=127.0.0.1:0",
		"help", "help start", "version", "completion", "scale http=1", "reopen-logs",
	} {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		cmd := s.command(strings.Fields(args)...)
		cmd.Stdout, cmd.Stderr = full, &said
		cmd.Run()
		full.Close()
		if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.HasSuffix(said.String(), ": no space left on device\n") {
			t.Errorf("%s: exit %d: %s", args, code, said.String())
		}
	}
}

// TestLogsThatNobodyReads: logs -f ends with its reader, though nothing is logged.
func TestLogsThatNobodyReads(t *testing.T) {
	t.Parallel()
	s := newService(t, "http")
	s.must("start", "-d", "-q", "--workers=1")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := s.command("logs", "-f")
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if _, err := bufio.NewReader(r).ReadString('\n'); err != nil {
		t.Error(err)
	}
	r.Close()
	cmd.Wait()
	if code, want := cmd.ProcessState.ExitCode(), 128+int(syscall.SIGPIPE); code != want {
		t.Errorf("exit %d, want %d", code, want)
	}
}
