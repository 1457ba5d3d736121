package e2e

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/reset"
)

func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: test\r\n\r\n" }

// A peer is one keep-alive connection to examples/faults.
type peer struct {
	t    *testing.T
	conn net.Conn
}

func dial(t *testing.T, addr string) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reset.Close(conn) })
	return &peer{t, conn}
}

// send begins an exchange, for which there is so much patience.
func (p *peer) send(text string) {
	p.t.Helper()
	p.conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(p.conn, text); err != nil {
		p.t.Fatal(err)
	}
}

// pid asks for any path and returns the worker that answers.
func (p *peer) pid() int {
	p.t.Helper()
	p.send(get("/"))
	return workerOf(p.t, p.receive())
}

// receive returns the next answer: its head and a body of known length.
func (p *peer) receive() (answer string) {
	p.t.Helper()
	one := make([]byte, 1)
	missing := -1 // bytes of the body, once the head is complete
	for missing != 0 {
		if _, err := p.conn.Read(one); err != nil {
			p.t.Fatalf("%v after the answer's first %q", err, answer)
		}
		answer += string(one)
		if missing > 0 {
			missing--
		} else if strings.HasSuffix(answer, "\r\n\r\n") {
			_, rest, _ := strings.Cut(answer, "Content-Length: ")
			length, _, _ := strings.Cut(rest, "\r\n")
			missing, _ = strconv.Atoi(length)
		}
	}
	return answer
}

// rest returns what comes until the server closes.
func (p *peer) rest() (string, error) {
	b, err := io.ReadAll(p.conn)
	return string(b), err
}

func workerOf(t *testing.T, answer string) int {
	t.Helper()
	var pid int
	_, body, _ := strings.Cut(answer, "\r\n\r\n")
	if n, _ := fmt.Sscanf(body, "ok %d\n", &pid); n != 1 || !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
		t.Fatalf("answer %q, want ok PID", answer)
	}
	return pid
}

// TestPanicIsolation: a callback that panics or exits its goroutine costs its
// client a 500 and nobody else anything.
func TestPanicIsolation(t *testing.T) {
	for _, path := range []string{"/panic", "/goexit"} {
		t.Run(path, func(t *testing.T) {
			s := start(t, "faults", "--workers", "1")
			bystander := dial(t, s.addr)
			worker := bystander.pid()
			for range 3 {
				victim := dial(t, s.addr)
				victim.send(get(path))
				got, err := victim.rest()
				if err != nil || !strings.HasPrefix(got, "HTTP/1.1 500 ") {
					t.Errorf("the answer is %q, %v; want 500 and an orderly close", got, err)
				}
			}
			if got := bystander.pid(); got != worker {
				t.Errorf("another connection is now served by worker %d, was %d", got, worker)
			}
			s.wait("three panics in status", func(st status, _ int) bool { return st.Workers[0].Panics == 3 })
			if st, _ := s.status(); st.Programs[0].Restarts != 0 || st.Workers[0].PID != worker {
				t.Errorf("a panic has cost a worker: %+v", st)
			}
			if path == "/panic" && !strings.Contains(s.output.String(), "faults.go:") {
				t.Errorf("no stack in the log:\n%s", s.output)
			}
		})
	}
}

// TestWorkerEnds: what ends a worker is told in status, and a new one serves.
func TestWorkerEnds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ path, cause string }{
		{"/exit?code=7", "exit 7"},
		{"/fatal", "exit 2: fatal error: concurrent map writes"},
		{"/goroutine", "exit 2: panic: asked to by GET /goroutine"},
		{"/overflow", "exit 2: fatal error: stack overflow"},
		{"/signal?n=11", "exit 2: SIGSEGV: segmentation violation"},
		{"/signal?n=6", "exit 2: SIGABRT: abort"},
		{"/signal?n=9", "signal: killed"},
	} {
		t.Run(tt.path, func(t *testing.T) {
			s := start(t, "faults", "--workers", "1", "--watchdog", "2m") // a stack of 1 GB takes its time to fill
			s.racy = tt.path == "/fatal"
			p := dial(t, s.addr)
			worker := p.pid()
			p.send(get(tt.path))
			if got, _ := p.rest(); got != "" {
				t.Errorf("answer %q from a worker that ended", got)
			}
			s.wait("a new worker", func(st status, code int) bool { return code == 0 && st.Workers[0].PID != worker })
			st, _ := s.status()
			if got := st.Programs[0]; got.Restarts != 1 || !strings.HasPrefix(got.LastExit, tt.cause) {
				t.Errorf("restarts %d, last exit %q; want 1, %q", got.Restarts, got.LastExit, tt.cause)
			}
			if got := dial(t, s.addr).pid(); got == worker {
				t.Errorf("worker %d answers, which has ended", got)
			}
		})
	}
}

// TestSlow: an answer that comes later blocks nobody meanwhile.
func TestSlow(t *testing.T) {
	t.Parallel()
	s := start(t, "faults", "--workers", "1")
	slow, quick := dial(t, s.addr), dial(t, s.addr)
	const later = 2 * time.Second // long enough for ten answers on a busy machine
	began := time.Now()
	slow.send(get(fmt.Sprintf("/slow?ms=%d", later.Milliseconds())))
	for range 10 {
		quick.pid()
	}
	if took := time.Since(began); took >= later {
		t.Errorf("ten quick answers took %v beside a slow one", took)
	}
	workerOf(t, slow.receive())
	if took := time.Since(began); took < later {
		t.Errorf("the slow answer came after %v", took)
	}
}
