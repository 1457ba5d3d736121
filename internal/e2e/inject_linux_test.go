package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/exampletest"
	"github.com/jay-go/jay/internal/needs"
	"golang.org/x/sys/unix"
)

// inject makes system calls of a process fail, as strace's -e inject says (its
// "when" counts each thread for itself), until the process ends or stop, which
// returns the calls that failed. A call that is failing at the moment of stop
// may return ENOSYS to the process.
func inject(t *testing.T, pid int, calls, fault string) (stop func() []string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "calls")
	said := &exampletest.Output{}
	cmd := exec.Command(needs.Program(t, "strace"), "-f", "-p", fmt.Sprint(pid), "-o", log, "-e", "trace="+calls, "-e", "inject="+calls+":"+fault)
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	running := true
	stop = func() []string {
		if !running {
			return nil
		}
		running = false
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait() // by the signal, or with the process
		b, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		var made []string
		for line := range strings.Lines(string(b)) {
			if strings.Contains(line, "(INJECTED)") {
				made = append(made, line)
			}
		}
		return made
	}
	t.Cleanup(func() { stop() })
	eventually(t, "strace has attached", func() bool { return strings.Contains(said.String(), "attached") })
	return stop
}

// TestAcceptFails: whatever accept says, connections that exist are served,
// accepting resumes, and nothing spins.
func TestAcceptFails(t *testing.T) {
	t.Parallel()
	s := start(t, "faults", "--workers", "1")
	present := dial(t, s.addr)
	worker := present.pid()
	for _, tt := range []struct {
		name    string
		atLeast int  // calls that fail, each time for each thread
		counted bool // in status
	}{
		{"EMFILE", 2, true},
		{"ENFILE", 1, true},
		{"ENOBUFS", 1, true},
		{"ENOMEM", 1, true},
		{"ECONNABORTED", 40, true},
		{"EINTR", 40, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := acceptErrors(s)
			stop := inject(t, worker, "accept4", fmt.Sprintf("error=%s:when=1..%d", tt.name, tt.atLeast))
			newcomer := dial(t, s.addr)
			newcomer.send(get("/"))
			for range 20 {
				if got := present.pid(); got != worker {
					t.Fatalf("worker %d answers, want %d", got, worker)
				}
			}
			if got := workerOf(t, newcomer.receive()); got != worker {
				t.Errorf("the newcomer is served by worker %d, want %d", got, worker)
			}
			want := len(stop())
			if want < tt.atLeast {
				t.Errorf("%d calls failed, want %d", want, tt.atLeast)
			}
			if !tt.counted {
				want = 0
			}
			eventually(t, fmt.Sprintf("status counts %d failures", want), func() bool { return acceptErrors(s)-before == want })
		})
	}
	t.Run("for a second", func(t *testing.T) {
		stop := inject(t, worker, "accept4", "error=EMFILE")
		newcomer := dial(t, s.addr)
		newcomer.send(get("/"))
		for end := time.Now().Add(time.Second); time.Now().Before(end); {
			present.pid()
		}
		if made := stop(); len(made) == 0 || len(made) > 10 {
			t.Errorf("accept was called %d times while it failed for a second", len(made))
		}
		workerOf(t, newcomer.receive())
	})
	if n := strings.Count(s.output.String(), "accept failed"); n == 0 || n > 3 {
		t.Errorf("the log has %d lines about it", n)
	}
}

func acceptErrors(s *service) int {
	s.t.Helper()
	st, _ := s.status()
	return st.Workers[0].AcceptErrors
}

// TestOutOfDescriptors leaves the worker no descriptor for a connection more.
func TestOutOfDescriptors(t *testing.T) {
	t.Parallel()
	s := start(t, "faults", "--workers", "1")
	present, leaves := dial(t, s.addr), dial(t, s.addr)
	worker := present.pid()
	leaves.pid()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", worker))
	if err != nil {
		t.Fatal(err)
	}
	var limit unix.Rlimit
	if err := unix.Prlimit(worker, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = uint64(len(open))
	if err := unix.Prlimit(worker, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
		t.Fatal(err)
	}
	var waiting []*peer
	for range 5 {
		p := dial(t, s.addr)
		p.send(get("/"))
		waiting = append(waiting, p)
	}
	s.wait("accepting fails", func(st status, _ int) bool { return st.Workers[0].AcceptErrors > 2 })
	before := cpuTime(t, worker)
	for range 50 {
		present.pid()
		time.Sleep(10 * time.Millisecond)
	}
	if used := cpuTime(t, worker) - before; used > 250*time.Millisecond {
		t.Errorf("the worker used %v of CPU in half a second without descriptors", used)
	}
	leaves.conn.Close() // makes room for one at a time
	for _, p := range waiting {
		workerOf(t, p.receive())
		p.conn.Close()
	}
	present.pid()
}

// cpuTime is what a process has used, to a hundredth of a second.
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')'):]))
	var user, system int
	fmt.Sscan(fields[12], &user)
	fmt.Sscan(fields[13], &system)
	return time.Duration(user+system) * 10 * time.Millisecond
}

// TestSendFails: what the kernel does not take is sent again, from the byte
// that it did not take.
func TestSendFails(t *testing.T) {
	t.Parallel()
	s := start(t, "jay", "--workers", "1")
	worker := s.workers()[0]
	body := make([]byte, 100_000)
	for i := range body {
		body[i] = byte('a' + i%23)
	}
	request := fmt.Sprintf("POST / HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	whole := exchange(t, s.addr, request)
	if !strings.HasSuffix(whole, request) {
		t.Fatalf("%d bytes of answer, which do not end with the request", len(whole))
	}
	for _, tt := range []struct {
		name, fault string
		claimed     int // bytes of the answer that a call says it has sent, and has not
	}{
		{"EINTR", "error=EINTR:when=1..5", 0},
		{"EAGAIN", "error=EAGAIN:when=1..3", 0},
		{"ENOBUFS", "error=ENOBUFS:when=1..3", 0},
		{"nothing taken", "retval=0:when=1..3", 0},
		{"one byte taken", "retval=1:when=1", 1},
		{"part of the first piece taken", "retval=1000:when=1", 1000},
		{"more than one piece taken", "retval=20000:when=1", 20000},
		{"part taken twice", "retval=5000:when=1..2", 5000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stop := inject(t, worker, "writev", tt.fault)
			got := exchange(t, s.addr, request)
			made := len(stop()) // more than "when" says where the loop has changed threads
			if made == 0 {
				t.Error("no call was changed")
			}
			if want := withoutDate(whole[made*tt.claimed:]); withoutDate(got) != want {
				t.Errorf("%d bytes came, want %d; beginning with %.200q, want %.200q", len(got), len(want), got, want)
			}
		})
	}
}

// TestKernelWithoutMemory: a kernel that has no memory for what is sent says so,
// or EAGAIN, of sockets that it calls writable. The bytes are tried again, less
// and less often, and arrive in the end.
func TestKernelWithoutMemory(t *testing.T) {
	t.Parallel()
	for _, loop := range []string{"epoll", "goroutine"} {
		s := start(t, "jay", "--workers", "1", "--loop", loop)
		body := strings.Repeat("0123456789", 10_000)
		request := fmt.Sprintf("POST / HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		for _, fault := range []string{"ENOBUFS", "ENOMEM", "EAGAIN"} {
			if fault == "EAGAIN" && loop == "goroutine" {
				continue // package net waits for an edge then, which an injected error does not bring
			}
			t.Run(loop+"/"+fault, func(t *testing.T) {
				stop := inject(t, s.workers()[0], "writev", "error="+fault)
				got := make(chan string, 1)
				go func() { got <- exchange(t, s.addr, request) }()
				time.Sleep(time.Second)
				if made := stop(); len(made) == 0 || len(made) > 30 {
					t.Errorf("%d calls failed in a second, want some and few", len(made))
				}
				if answer := <-got; !strings.HasSuffix(answer, request) {
					t.Errorf("%d bytes of answer, which do not end with the request", len(answer))
				}
			})
		}
	}
}

// TestInterrupted: a signal in the middle of any call changes nothing, from
// the first connection to the end of the worker.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for _, calls := range []string{"recvfrom", "sendto", "epoll_wait,epoll_pwait"} {
		t.Run(calls, func(t *testing.T) {
			s := start(t, "faults", "--workers", "1")
			worker := s.workers()[0]
			stop := inject(t, worker, calls, "error=EINTR:when=1+2")
			for range 5 {
				p := dial(t, s.addr)
				for range 3 {
					if got := p.pid(); got != worker {
						t.Fatalf("worker %d answers, want %d", got, worker)
					}
				}
				p.conn.Close()
			}
			s.command("stop")
			s.waitExit()
			if made := stop(); len(made) == 0 {
				t.Error("no call was interrupted")
			}
			if log := s.output.String(); !strings.Contains(log, `cause="exit 0"`) {
				t.Errorf("the worker has not ended in order:\n%s", log)
			}
		})
	}
}

// exchange sends a request and returns all that comes until the end.
func exchange(t *testing.T, addr, request string) string {
	t.Helper()
	p := dial(t, addr)
	p.send(request)
	got, err := p.rest()
	if err != nil && err != io.EOF {
		t.Errorf("after %d bytes: %v", len(got), err)
	}
	return got
}

// withoutDate blanks what changes from answer to answer.
func withoutDate(answer string) string {
	before, rest, ok := strings.Cut(answer, "\r\nDate: ")
	if !ok {
		return answer
	}
	_, after, _ := strings.Cut(rest, "\r\n")
	return before + "\r\n" + after
}
