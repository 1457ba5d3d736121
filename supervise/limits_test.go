//go:build linux

package supervise_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jay-go/jay/internal/needs"
	"github.com/jay-go/jay/supervise"
)

// manyOptions are a service with $ADDRESSES addresses, each with a socket for
// each worker if $REUSE is set.
func manyOptions() *supervise.Options {
	p := httpProgram()
	n, _ := strconv.Atoi(os.Getenv("ADDRESSES"))
	p.Listen = nil
	for range n {
		p.Listen = append(p.Listen, "tcp://127.0.0.1:0")
	}
	p.ReusePort = os.Getenv("REUSE") != ""
	return options(p)
}

// TestManySockets: many sockets are served through everything that moves them: a
// crash, a scale that leaves all to one worker, a reload and an upgrade. As many
// as are possible are TestLongestMessage's.
func TestManySockets(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name               string
		addresses, workers int
		reuse              string
	}{
		{"five addresses, a socket for each worker", 5, 16, "1"},
		{"many addresses", 300, 2, ""},
		{"more than one message has room for", 128, 8, "1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var limit syscall.Rlimit
			err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
			needs.That(t, err == nil && limit.Max >= 8192, "8192 descriptors")
			s := newService(t, "many", "ADDRESSES="+strconv.Itoa(tt.addresses), "REUSE="+tt.reuse)
			workers := "--workers=" + strconv.Itoa(tt.workers)
			if out, code := s.run("check", workers); code != 0 {
				t.Errorf("check: exit %d: %s", code, out)
			}
			s.start(workers)
			s.served(tt.addresses, "a start")
			syscall.Kill(s.pids()[0], syscall.SIGKILL)
			eventually(t, "the killed worker is replaced", func() bool { st := s.status(); return st.State == "running" && st.Programs[0].Restarts == 1 })
			s.served(tt.addresses, "a crash")
			s.must("scale", "http=1")
			s.served(tt.addresses, "a scale to one worker")
			syscall.Kill(s.pids()[0], syscall.SIGKILL)
			eventually(t, "the killed worker is replaced", func() bool { st := s.status(); return st.State == "running" && st.Programs[0].Restarts == 2 })
			s.served(tt.addresses, "a crash of the only worker")
			s.must("reload")
			s.served(tt.addresses, "a reload")
			s.must("upgrade")
			s.served(tt.addresses, "an upgrade")
		})
	}
}

// served wants answers at addresses from the first to the last, with more requests
// at each than there are sockets of it.
func (s *service) served(addresses int, after string) {
	s.t.Helper()
	list := s.status().Programs[0].Addresses
	if len(list) != addresses {
		s.t.Fatalf("after %s: %d addresses, want %d", after, len(list), addresses)
	}
	for _, i := range []int{0, 1, addresses / 2, addresses - 1} {
		for range 10 {
			if _, err := get(strings.TrimPrefix(list[i], "tcp://"), "/"); err != nil {
				s.t.Errorf("after %s: %s: %v", after, list[i], err)
			}
		}
	}
}

// TestTooManySockets: check, start and scale say the same of what is not possible.
func TestTooManySockets(t *testing.T) {
	t.Parallel()
	s := newService(t, "many", "ADDRESSES=1025", "REUSE=1")
	const want = "4100 sockets in all, at most 4096 are possible"
	for _, command := range []string{"check", "start"} {
		if out, code := s.run(command, "--workers=4"); code == 0 || !strings.Contains(out, want) {
			t.Errorf("%s: exit %d: %s; want %q", command, code, out, want)
		}
	}
	s.start("--workers=1")
	if out, code := s.run("scale", "http=4"); code != 1 || !strings.Contains(out, want) || strings.Count(out, "\n") != 1 {
		t.Errorf("scale: exit %d: %s; want %q", code, out, want)
	}
	s.served(1025, "a scale that is refused")
}

// TestFewDescriptors: where the limit of descriptors has no room for the sockets,
// check and start say so.
func TestFewDescriptors(t *testing.T) {
	t.Parallel()
	prlimit := needs.Program(t, "prlimit")
	s := newService(t, "many", "ADDRESSES=100", "REUSE=1")
	limited := func(n int, args ...string) (string, int) {
		cmd := s.command(args...)
		cmd.Args = append([]string{prlimit, fmt.Sprintf("--nofile=%d:%d", n, n)}, cmd.Args...)
		cmd.Path = prlimit
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	for _, command := range []string{"check", "start"} {
		if out, code := limited(150, command, "--workers=2"); code != 1 || !strings.Contains(out, "needs 216, 200 of them for its sockets, and may have 150") {
			t.Errorf("%s: exit %d: %s", command, code, out)
		}
	}
}
