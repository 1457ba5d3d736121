package e2e

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/exampletest"
	"github.com/jay-go/jay/internal/load"
	"github.com/jay-go/jay/internal/needs"
	"github.com/jay-go/jay/internal/reset"
	"golang.org/x/sys/unix"
)

// TestAcceptQueueOverflows: clients for whom not even the kernel has room while
// all workers stand still are served when the workers go on, and status shows
// the queue meanwhile.
func TestAcceptQueueOverflows(t *testing.T) {
	t.Parallel()
	s := startOwn(t, "narrow")
	workers := s.workers()
	exampletest.Suspend(t, workers...)
	clients := load.Load{Addr: s.addr, Connections: 20, PerConn: 1, Timeout: patience}
	end := clients.Start()
	s.wait("a full queue in status", func(st status, _ int) bool {
		p := st.Programs[0]
		return p.AcceptBacklog == 8 && p.AcceptQueue > 8 // the kernel takes one more
	})
	exampletest.Resume(workers...)
	s.wait("an empty queue, and the clients served", func(st status, code int) bool {
		return code == 0 && st.Programs[0].AcceptQueue == 0 && sumRequests(st) > 20
	})
	if report := end(); report.Failed() > 0 {
		t.Errorf("%v", report)
	}
	if after := s.workers(); !slices.Equal(after, workers) {
		t.Errorf("the workers were %v and are %v", workers, after)
	}
}

// TestClientsReset: clients that reset their connections, in the queue, before
// a request, within it or within a large answer, cost nothing but their own
// connections.
func TestClientsReset(t *testing.T) {
	t.Parallel()
	s := start(t, "faults", "--workers", "1")
	bystander := dial(t, s.addr)
	worker := bystander.pid()
	idle := descriptors(t, worker)
	for _, tt := range []struct {
		name, request string
		receive       int64
		times         int
	}{
		{"at once", "", 0, 5000},
		{"within the request", "GET / HT", 0, 500},
		{"after the request", get("/"), 0, 500},
		{"within the answer", get("/bytes?n=10000000"), 1000, 50},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var clients sync.WaitGroup
			for range 5 {
				clients.Go(func() {
					for range tt.times / 5 {
						if err := cutOff(s.addr, tt.request, tt.receive); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			clients.Wait()
			if got := bystander.pid(); got != worker {
				t.Errorf("worker %d answers, want %d", got, worker)
			}
			eventually(t, "no descriptor more than before", func() bool { return descriptors(t, worker) <= idle })
			s.wait("one connection left", func(st status, _ int) bool { return st.Workers[0].Connections == 1 })
		})
	}
	if n := strings.Count(s.output.String(), "\n"); n > 100 {
		t.Errorf("the log has %d lines", n)
	}
}

// cutOff connects, sends, receives some of the answer and resets the connection.
func cutOff(addr, request string, receive int64) error {
	conn, err := reset.Dial("tcp", addr, patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, request); err != nil {
		return err
	}
	_, err = io.CopyN(io.Discard, conn, receive)
	return err
}

func descriptors(t *testing.T, pid int) int {
	t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

// TestSignalStorm: two hundred signals within a second, of every kind that does
// not stop a service, and no client notices.
func TestSignalStorm(t *testing.T) {
	t.Parallel()
	s := start(t, "hello", "--workers", "2")
	busy := load.Load{Addr: s.addr, Connections: 8, Pause: 4 * time.Millisecond}
	end := busy.Start()
	idle := descriptors(t, s.cmd.Process.Pid)
	kinds := []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGCHLD, syscall.SIGPIPE, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGWINCH}
	for i := range 200 {
		s.cmd.Process.Signal(kinds[(i+rand.IntN(2))%len(kinds)])
		time.Sleep(5 * time.Millisecond)
	}
	settled, generation := time.Now(), 0
	s.wait("the changes are over", func(st status, code int) bool {
		if code != 0 || st.Generation != generation || st.State != "running" || len(st.Workers) != 2 {
			generation, settled = st.Generation, time.Now()
		}
		return time.Since(settled) > 3*time.Second // longer than reloads by signal are apart
	})
	if generation < 2 {
		t.Errorf("generation %d: no change was made", generation)
	}
	if report := end(); report.Failed() > 0 {
		t.Errorf("%v", report)
	}
	if got := len(s.processes()); got != 3 {
		t.Errorf("%d processes, want a master and two workers", got)
	}
	eventually(t, "no descriptor more than before", func() bool { return descriptors(t, s.cmd.Process.Pid) <= idle })
}

// TestGarbageFromAWorker: whatever comes out of a worker's end of the control
// socket, the master goes on, and says so in few lines.
func TestGarbageFromAWorker(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	s := start(t, "faults", "--workers", "2")
	workers := s.workers()
	control := controlOf(t, workers[0])
	defer unix.Close(control)
	for i := range 1000 {
		for _, packet := range []string{
			"garbage\n\x1b[2J", "{", "{}", `{"v":99,"kind":"ready"}`, `{"v":1,"kind":"unheard-of"}`, `{"v":1,"kind":"stats","seq":-1}`,
			strings.Repeat("[", 10_000), strings.Repeat("x", 100_000),
		} {
			if err := unix.Send(control, []byte(packet), 0); err != nil && !errors.Is(err, unix.EAGAIN) {
				t.Fatalf("packet %d of %d bytes: %v", i, len(packet), err)
			}
		}
	}
	if out, code := s.command("reload"); code != 0 {
		t.Errorf("reload: exit %d, %s", code, out)
	}
	dial(t, s.addr).pid()
	log := s.output.String()
	if n := strings.Count(log, "message"); n == 0 || n > 50 {
		t.Errorf("the log has %d lines about it", n)
	}
	if strings.Contains(log, "\x1b") {
		t.Error("the log has what was sent, unescaped")
	}
}

// controlOf returns a descriptor of ours for a worker's end of its control
// socket.
func controlOf(t *testing.T, pid int) int {
	t.Helper()
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(process)
	for number := range 100 {
		fd, err := unix.PidfdGetfd(process, number, 0)
		if err != nil {
			continue
		}
		if kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err == nil && kind == unix.SOCK_SEQPACKET {
			return fd
		}
		unix.Close(fd)
	}
	t.Fatalf("worker %d has no control socket", pid)
	return -1
}

// TestOtherClock: the monotonic clock of a machine may be anything.
func TestOtherClock(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	path, dir := binary(t, "hello"), runDir(t)
	cmd := exec.Command(needs.Program(t, "unshare"), "-T", "--monotonic", "100000000", "--boottime", "100000000", "--fork", "--kill-child=TERM",
		path, "start", "--run-dir", dir, "--listen", "127.0.0.1:0", "--watchdog", "5s")
	s := launchCommand(t, path, dir, cmd)
	s.waitReady()
	busy := load.Load{Addr: s.addr, Connections: 2, Pause: time.Millisecond}
	end := busy.Start()
	workers := s.workers()
	for _, command := range []string{"reload", "upgrade"} {
		if out, code := s.command(command); code != 0 {
			t.Errorf("%s: exit %d, %s", command, code, out)
		}
	}
	if report := end(); report.Failed() > 0 || report.Counts[load.Answered] == 0 {
		t.Errorf("%v", report)
	}
	s.wait("the old workers to have gone", func(st status, code int) bool {
		return code == 0 && !slices.ContainsFunc(workers, st.hasWorker)
	})
	if strings.Contains(s.output.String(), "hung") {
		t.Errorf("a worker was taken for hung:\n%s", s.output)
	}
}

// TestFewDescriptors: a service that may open 32 descriptors serves forty
// clients after another, and those that are there all the time.
func TestFewDescriptors(t *testing.T) {
	path, dir := binary(t, "faults"), runDir(t)
	cmd := exec.Command(needs.Program(t, "prlimit"), "--nofile=32:32", path, "start", "--run-dir", dir, "--listen", "127.0.0.1:0", "--workers", "1")
	s := launchCommand(t, path, dir, cmd)
	s.waitReady()
	present := dial(t, s.addr)
	worker := present.pid()
	var waiting []*peer
	for range 40 {
		p := dial(t, s.addr)
		p.send(get("/"))
		waiting = append(waiting, p)
	}
	s.wait("accepting fails", func(st status, _ int) bool { return st.Workers[0].AcceptErrors > 0 })
	if got := present.pid(); got != worker {
		t.Errorf("worker %d answers, want %d", got, worker)
	}
	for _, p := range waiting {
		workerOf(t, p.receive())
		p.conn.Close()
	}
	if got := present.pid(); got != worker {
		t.Errorf("worker %d answers, want %d", got, worker)
	}
}
