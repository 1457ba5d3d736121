//go:build linux

package supervise_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/jay-go/jay/control"
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

// TestConnectionsThatNobodyLists: where the workers do not know their connections, the
// list says so, and does not look like that of a service without any.
func TestConnectionsThatNobodyLists(t *testing.T) {
	t.Parallel()
	s := newService(t, "http") // net/http has them
	s.must("start", "-d", "-q", "--workers=2")
	pids := s.pids()
	slices.Sort(pids)
	if out, want := s.must("connections"), fmt.Sprintf("keep no list, and may have some: %d %d\n", pids[0], pids[1]); !strings.HasSuffix(out, want) {
		t.Errorf("connections: %s; want %s", out, want)
	}
	var list control.ConnectionList
	if out := s.must("connections", "--json"); json.Unmarshal([]byte(out), &list) != nil || !slices.Equal(list.Unlisted, pids) || len(list.Missing) > 0 {
		t.Errorf("connections --json: %s; want unlisted %v", out, pids)
	}
}
