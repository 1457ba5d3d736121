//go:build linux

package supervise_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/exampletest"
	"github.com/jay-go/jay/internal/needs"
	"github.com/jay-go/jay/supervise"
)

// logProgram logs n lines of size bytes through the worker's logger for
// /log?n=&size=&id=; /orphaned logs and prints when the master has gone.
func logProgram() supervise.Program {
	return supervise.Program{
		Name: "log", Protocol: "http", Listen: []string{"tcp://127.0.0.1:0"}, Count: 1,
		Run: func(ctx context.Context, w *supervise.Worker) error {
			mux := http.NewServeMux()
			mux.HandleFunc("/log", func(rw http.ResponseWriter, r *http.Request) {
				n, _ := strconv.Atoi(r.FormValue("n"))
				size, _ := strconv.Atoi(r.FormValue("size"))
				for i := range n {
					w.Logger().Info("line", "id", r.FormValue("id")+"-"+strconv.Itoa(i), "x", strings.Repeat("x", size))
				}
				fmt.Fprint(rw, os.Getpid())
			})
			mux.HandleFunc("/orphaned", func(rw http.ResponseWriter, r *http.Request) {
				io.WriteString(rw, "begin ")
				http.NewResponseController(rw).Flush()
				<-ctx.Done() // the master is gone
				for range 100 {
					w.Logger().Info("an orphan's line")
					fmt.Fprintln(os.Stderr, "an orphan's line")
					fmt.Println("an orphan's line")
				}
				io.WriteString(rw, "end")
			})
			return supervise.DrainHTTP(ctx, w, &http.Server{Handler: mux})
		},
	}
}

// logOptions puts the log aside at $LOG_SIZE bytes.
func logOptions() *supervise.Options {
	o := options(logProgram())
	o.LogFileMaxSize, _ = strconv.ParseInt(os.Getenv("LOG_SIZE"), 10, 64)
	o.LogFileBackups = -1
	return o
}

// say has the service log n lines and returns the worker that did.
func (s *service) say(addr, id string, n, size int) (pid int) {
	s.t.Helper()
	body, err := get(addr, fmt.Sprintf("/log?id=%s&n=%d&size=%d", id, n, size))
	if err == nil {
		pid, err = strconv.Atoi(body)
	}
	if err != nil {
		s.t.Fatalf("a request that logs %d lines: %q, %v", n, body, err)
	}
	return pid
}

// shows waits until every line of say(id, n) is in the files, and reports those
// that are there more than once or cut.
func shows(t *testing.T, pattern, id string, n int) {
	t.Helper()
	var count map[string]int
	eventually(t, "all lines of "+id+" are in "+pattern, func() bool {
		count = map[string]int{}
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			f, err := os.Open(file)
			if err != nil {
				continue // it is being renamed
			}
			for sc := bufio.NewScanner(f); sc.Scan(); {
				_, rest, found := strings.Cut(sc.Text(), " id="+id+"-")
				number, x, _ := strings.Cut(rest, " ")
				if found && strings.HasPrefix(x, "x=") {
					count[number]++
				}
			}
			f.Close()
		}
		return len(count) == n
	})
	for number, times := range count {
		if times != 1 {
			t.Errorf("line %s of %s is there %d times", number, id, times)
		}
	}
}

// TestRotationAndUpgrade: a daemon's log is put aside while its workers log,
// and the master that an upgrade begins goes on in the same file.
func TestRotationAndUpgrade(t *testing.T) {
	t.Parallel()
	s := newService(t, "log", "LOG_SIZE=50000")
	file := filepath.Join(s.bin, "x.log")
	s.must("start", "-d", "--log-file", file)
	addr := s.addr()
	var clients sync.WaitGroup
	for i := range 20 {
		clients.Go(func() { s.say(addr, "before"+strconv.Itoa(i), 50, 100) })
	}
	clients.Wait()
	for i := range 20 {
		shows(t, filepath.Join(s.bin, "x*.log"), "before"+strconv.Itoa(i), 50)
	}
	master := s.status().PID
	inode := func(path string) uint64 {
		fi, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return fi.Sys().(*syscall.Stat_t).Ino
	}
	before := inode(file)
	s.must("upgrade")
	if after := inode(file); after != before {
		t.Errorf("the upgrade has begun another file")
	}
	s.say(s.addr(), "after", 50, 100)
	shows(t, filepath.Join(s.bin, "x*.log"), "after", 50)
	if err := os.Rename(file, filepath.Join(s.bin, "x.log.1")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(master, syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "there is a new file after SIGUSR1", func() bool { _, err := os.Stat(file); return err == nil })
	s.say(s.addr(), "renamed", 50, 100)
	shows(t, file, "renamed", 50)
	for _, fd := range []int{1, 2} { // what the runtime of the master prints when it dies
		if target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", master, fd)); target != file {
			t.Errorf("descriptor %d of the daemon is %s, %v; want %s", fd, target, err, file)
		}
	}
	aside, err := filepath.Glob(filepath.Join(s.bin, "x-*.log"))
	if err != nil || len(aside) < 2 {
		t.Errorf("files put aside: %q, %v; want some", aside, err)
	}
	for _, path := range append(aside, file) {
		fi, err := os.Stat(path)
		if err != nil || fi.Mode().Perm() != 0o640 || fi.Size() > 50_000 {
			t.Errorf("%s: mode %v, %d bytes, %v; want 0640, at most 50000", path, fi.Mode().Perm(), fi.Size(), err)
		}
	}
	if st := s.status(); st.LogDropped != 0 || st.LogError != "" {
		t.Errorf("status: %d lines dropped, %q", st.LogDropped, st.LogError)
	}
}

// TestLogDeviceFull: a log that takes nothing costs no request anything, and
// status, its table and the metrics say what is lost.
func TestLogDeviceFull(t *testing.T) {
	t.Parallel()
	s := newService(t, "log")
	s.start("--log-file", "/dev/full")
	addr := s.addr()
	for i := range 20 {
		s.say(addr, strconv.Itoa(i), 10, 100)
	}
	var st control.Status
	eventually(t, "the lines are counted", func() bool { st = s.status(); return st.LogDropped >= 200 })
	if !strings.Contains(st.LogError, "no space left") {
		t.Errorf("log_error is %q", st.LogError)
	}
	if table := s.must("status"); !strings.Contains(table, "lines dropped") || !strings.Contains(table, "no space left") {
		t.Errorf("the table does not say what is lost:\n%s", table)
	}
	metrics, err := s.client().Get(t.Context(), "/metrics")
	if err != nil || !strings.Contains(string(metrics), "\njay_log_dropped_lines_total 2") {
		t.Errorf("metrics: %v\n%s", err, metrics)
	}
	if lines := s.must("logs", "-n", "1000"); strings.Count(lines, "msg=line") != 200 {
		t.Errorf("the logs command shows %d of 200 lines", strings.Count(lines, "msg=line"))
	}
	s.must("reload")
	if got := s.status().LogDropped; got <= st.LogDropped {
		t.Errorf("%d lines dropped after a reload, %d before", got, st.LogDropped)
	}
	s.must("upgrade")
	if got := s.status().LogDropped; got <= st.LogDropped {
		t.Errorf("%d lines dropped after an upgrade, %d before: it is since the start", got, st.LogDropped)
	}
}

// TestLogDiskFull: on a disk that fills up every request is answered; with
// space again the log says how much is lost and goes on. No line in it is cut.
func TestLogDiskFull(t *testing.T) {
	t.Parallel()
	needs.Root(t)
	s := newService(t, "log")
	disk := filepath.Join(s.bin, "disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("jay-test", disk, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatalf("mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	file, ballast := filepath.Join(disk, "log"), filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 32<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start("--log-file", file)
	addr := s.addr()
	const requests, lines = 50, 20
	for i := range requests {
		s.say(addr, strconv.Itoa(i), lines, 500)
	}
	var st control.Status
	eventually(t, "what was logged is written or dropped", func() bool {
		st = s.status()
		b, _ := os.ReadFile(file)
		return st.LogDropped+int64(strings.Count(string(b), "msg=line")) >= requests*lines
	})
	if st.LogDropped == 0 || !strings.Contains(st.LogError, "no space left") {
		t.Errorf("%d lines dropped, log_error %q", st.LogDropped, st.LogError)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the log tells, unasked", func() bool {
		b, _ := os.ReadFile(file)
		return strings.Contains(string(b), " lines dropped")
	})
	s.say(addr, "again", 5, 500)
	shows(t, file, "again", 5)
	st = s.status()
	b, err := os.ReadFile(file)
	if err != nil || st.LogError != "" {
		t.Fatalf("%v; log_error %q", err, st.LogError)
	}
	text, whole, told := string(b), 0, int64(0)
	for line := range strings.Lines(text) {
		if strings.Contains(line, "msg=line") && strings.Contains(line, "x="+strings.Repeat("x", 500)+"\n") {
			whole++
		} else if strings.Contains(line, "xx") {
			t.Errorf("a line is cut: %q", line)
		}
		if _, rest, found := strings.Cut(line, `msg="log: `); found {
			var n int64
			fmt.Sscan(rest, &n)
			told += n
		}
	}
	if told != st.LogDropped || int64(whole)+told < requests*lines {
		t.Errorf("%d lines are whole, %d told of, %d counted; %d were logged", whole, told, st.LogDropped, requests*lines)
	}
}

// TestLogFIFO: a FIFO without a reader holds up neither the start, as a daemon
// or not, nor a request.
func TestLogFIFO(t *testing.T) {
	t.Parallel()
	for _, start := range []string{"foreground", "daemon"} {
		t.Run(start, func(t *testing.T) {
			t.Parallel()
			s := newService(t, "log")
			fifo := filepath.Join(s.bin, "fifo")
			if err := syscall.Mkfifo(fifo, 0o600); err != nil {
				t.Fatal(err)
			}
			if start == "daemon" {
				s.must("start", "-d", "--log-file", fifo)
			} else {
				s.start("--log-file", fifo)
			}
			addr := s.addr()
			for i := range 40 {
				s.say(addr, strconv.Itoa(i), 200, 1000)
			}
			eventually(t, "of 8 MB in a FIFO that nobody reads some are lost", func() bool {
				st := s.status()
				return st.LogDropped > 0 || st.Workers[0].LogDropped > 0
			})
			s.must("reload")
			s.must("upgrade")
			r, err := os.Open(fifo)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			r.SetReadDeadline(time.Now().Add(patience))
			sc := bufio.NewScanner(r)
			for sc.Scan() && !strings.Contains(sc.Text(), " lines dropped") {
			}
			if err := sc.Err(); err != nil {
				t.Errorf("who reads in the end is not told what is lost: %v", err)
			}
			r.Close()
			s.say(s.addr(), "gone", 1, 10) // the reader has gone again
			s.must("stop")
		})
	}
}

// TestClosedStandardStreams: who has started the service may go, or never have
// listened.
func TestClosedStandardStreams(t *testing.T) {
	t.Parallel()
	sh := needs.Program(t, "sh")
	for name, script := range map[string]string{
		"head":             `"$0" "$@" 2>&1 | head -1`,
		"no output":        `exec "$0" "$@" >&-`,
		"no errors":        `exec "$0" "$@" 2>&-`,
		"nothing":          `exec "$0" "$@" <&- >&- 2>&-`,
		"output is full":   `exec "$0" "$@" >/dev/full 2>/dev/full`,
		"head -1 of stdio": `"$0" "$@" | head -1`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, "log")
			s.launchBy(sh, "-c", script)
			eventually(t, "the service is ready", func() bool { return s.status().State == "running" })
			master, addr := s.status().PID, s.addr()
			pid := 0
			for i := range 10 {
				pid = s.say(addr, strconv.Itoa(i), 10, 1000)
			}
			syscall.Kill(pid, syscall.SIGKILL)
			eventually(t, "a killed worker is replaced", func() bool { st := s.status(); return st.State == "running" && st.Programs[0].Restarts == 1 })
			s.say(addr, "again", 10, 1000)
			s.must("upgrade")
			s.say(s.addr(), "upgraded", 10, 1000)
			if st := s.status(); st.PID != master || st.Programs[0].Restarts != 1 {
				t.Errorf("master %d, %d restarts; want %d, 1", st.PID, st.Programs[0].Restarts, master)
			}
		})
	}
}

// TestLoggingToStoppedMaster: a worker logs 10 MB to a master that does not
// run, serves all the while, and what was lost is known when the master goes on.
func TestLoggingToStoppedMaster(t *testing.T) {
	t.Parallel()
	s := newService(t, "log").start()
	addr, master := s.addr(), s.status().PID
	exampletest.Suspend(t, master)
	worker := 0
	for i := range 10 {
		worker = s.say(addr, "stopped"+strconv.Itoa(i), 1000, 1000)
	}
	exampletest.Resume(master)
	eventually(t, "the worker's lost lines are counted", func() bool {
		st := s.status()
		return len(st.Workers) == 1 && st.Workers[0].LogDropped > 0
	})
	w := s.status().Workers[0]
	if w.PID != worker {
		t.Errorf("worker %d was replaced by %d", worker, w.PID)
	}
	note := fmt.Sprintf("log: %d lines dropped", w.LogDropped)
	eventually(t, "the log has "+note, func() bool { return strings.Contains(s.log(), note) })
	if table := s.must("status"); !strings.Contains(table, fmt.Sprintf("%d by worker log/0", w.LogDropped)) {
		t.Errorf("the table does not say what is lost:\n%s", table)
	}
	metrics, err := s.client().Get(t.Context(), "/metrics")
	if err != nil || !strings.Contains(string(metrics), "jay_worker_log_dropped_lines_total{") {
		t.Errorf("metrics: %v\n%s", err, metrics)
	}
}

// TestLoggingWithoutMaster: a worker that logs and prints when its master is
// dead is not ended by a signal: it finishes what it does.
func TestLoggingWithoutMaster(t *testing.T) {
	t.Parallel()
	s := newService(t, "log").start()
	rest, err := begin(s.addr(), "/orphaned")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if body, err := rest(); body != "begin end" || err != nil {
		t.Errorf("an orphan that logs answers %q, %v", body, err)
	}
}

// TestLogLinkRefused: a link in the place of the log is somebody's trap.
func TestLogLinkRefused(t *testing.T) {
	t.Parallel()
	s := newService(t, "log")
	target, link := filepath.Join(s.bin, "target"), filepath.Join(s.bin, "link")
	if err := errors.Join(os.WriteFile(target, nil, 0o600), os.Symlink(target, link)); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"start", "--log-file", link}, {"start", "-d", "--log-file", link}} {
		if out, code := s.run(args...); code != 1 || strings.Count(out, "\n") != 1 || !strings.Contains(out, "symbolic link") {
			t.Errorf("%q: exit %d: %s; want 1 and the cause", args, code, out)
		}
	}
	if fi, err := os.Stat(target); err != nil || fi.Size() != 0 {
		t.Errorf("the link's target: %v, %v", fi, err)
	}
}
