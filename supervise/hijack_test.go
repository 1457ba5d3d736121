//go:build linux

package supervise_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/reset"
	"github.com/jay-go/jay/supervise"
)

// hijackProgram speaks as libraries for WebSocket do: /echo takes the connection
// and answers each line with the process and the line. /events is an event
// stream. HOOK says what the server does at a shutdown: "none", or "bye", which
// ends both.
func hijackProgram() supervise.Program {
	number := func(name string) int64 { n, _ := strconv.ParseInt(os.Getenv(name), 10, 64); return n }
	return supervise.Program{
		Name: "hijack", Protocol: "http", Listen: []string{"tcp://127.0.0.1:0"}, Count: 2,
		StopTimeout: time.Duration(number("STOP_MS")) * time.Millisecond,
		MaxRequests: number("REQUESTS"), MaxAge: time.Duration(number("AGE_MS")) * time.Millisecond, MaxRSS: number("RSS"),
		Run: func(ctx context.Context, w *supervise.Worker) error {
			var protocols http.Protocols
			protocols.SetHTTP1(true)
			protocols.SetUnencryptedHTTP2(true)
			srv := &http.Server{Protocols: &protocols}
			bye := make(chan struct{})
			if os.Getenv("HOOK") == "bye" {
				srv.RegisterOnShutdown(sync.OnceFunc(func() { close(bye) }))
			}
			mux := http.NewServeMux()
			mux.HandleFunc("/", func(rw http.ResponseWriter, r *http.Request) { fmt.Fprint(rw, os.Getpid()) })
			mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("on purpose") })
			mux.HandleFunc("/echo", func(rw http.ResponseWriter, r *http.Request) { echoLines(rw, bye) })
			mux.HandleFunc("/events", func(rw http.ResponseWriter, r *http.Request) { sendEvents(rw, r, bye) })
			srv.Handler = mux
			return supervise.DrainHTTP(ctx, w, srv)
		},
	}
}

func echoLines(rw http.ResponseWriter, bye chan struct{}) {
	c, b, err := rw.(http.Hijacker).Hijack()
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	go func() { // the handler has returned, as with some libraries
		defer c.Close()
		done := make(chan struct{})
		defer close(done)
		go func() {
			select {
			case <-bye:
				io.WriteString(c, "bye\n")
				c.Close()
			case <-done:
			}
		}()
		for {
			line, err := b.ReadString('\n')
			if err != nil {
				return
			}
			fmt.Fprintf(c, "%d %s", os.Getpid(), line)
		}
	}()
}

func sendEvents(rw http.ResponseWriter, r *http.Request, bye chan struct{}) {
	rw.Header().Set("Content-Type", "text/event-stream")
	for {
		fmt.Fprintf(rw, "data: %d\n\n", os.Getpid())
		http.NewResponseController(rw).Flush()
		select {
		case <-bye:
			io.WriteString(rw, "data: bye\n\n")
			return
		case <-r.Context().Done():
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// echoConn is a client of /echo.
type echoConn struct {
	net.Conn
	t   *testing.T
	in  *bufio.Reader
	pid int
}

func dialEcho(t *testing.T, addr string) *echoConn {
	t.Helper()
	c, err := reset.Dial("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(2 * patience))
	e := &echoConn{Conn: c, t: t, in: bufio.NewReader(c)}
	io.WriteString(c, "GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	resp, err := http.ReadResponse(e.in, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("the upgrade was answered with %v, %v", resp, err)
	}
	e.pid = e.ask()
	return e
}

// ask sends a line and returns who has answered it.
func (e *echoConn) ask() (pid int) {
	e.t.Helper()
	io.WriteString(e, "hello\n")
	line, err := e.in.ReadString('\n')
	if err == nil {
		_, err = fmt.Sscanf(line, "%d hello", &pid)
	}
	if err != nil {
		e.t.Fatalf("a hijacked connection answers %q, %v", line, err)
	}
	return pid
}

// echoOf is a client of /echo whose worker is the one in the slot.
func echoOf(t *testing.T, s *service, slot int) *echoConn {
	t.Helper()
	for addr := s.addr(); ; {
		e := dialEcho(t, addr)
		if slices.ContainsFunc(s.status().Workers, func(w control.WorkerStatus) bool { return w.PID == e.pid && w.Slot == slot }) {
			return e
		}
		e.Close()
	}
}

func (s *service) worker(pid int) *control.WorkerStatus {
	for _, w := range s.status().Workers {
		if w.PID == pid {
			return &w
		}
	}
	return nil
}

// TestHijackedConnections: they outlive every change but the deadline, are in
// the figures of the worker that drains, and once they have gone it goes.
func TestHijackedConnections(t *testing.T) {
	for name, change := range map[string]func(*service){
		"reload":  func(s *service) { s.must("reload") },
		"upgrade": func(s *service) { s.must("upgrade") },
		"scale":   func(s *service) { s.must("scale", "hijack=1") },
		"stop": func(s *service) {
			stop := s.command("stop")
			if err := stop.Start(); err != nil {
				s.t.Fatal(err)
			}
			s.t.Cleanup(func() { stop.Wait() })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, "hijack", "STOP_MS=60000").start()
			e := echoOf(t, s, 1)
			change(s)
			eventually(t, "the worker drains", func() bool { w := s.worker(e.pid); return w != nil && w.State == "draining" })
			if got := e.ask(); got != e.pid {
				t.Errorf("process %d answers, want %d", got, e.pid)
			}
			eventually(t, "the draining worker has one connection in its figures", func() bool {
				w := s.worker(e.pid)
				return w != nil && w.Connections != nil && *w.Connections == 1
			})
			e.Close()
			eventually(t, "the worker has gone", func() bool { return gone(e.pid) })
			if strings.Contains(s.log(), "not drained in time") {
				t.Error("it was killed")
			}
		})
	}
}

// TestHijackedConnectionsEndAtTheDeadline, and not before, in order.
func TestHijackedConnectionsEndAtTheDeadline(t *testing.T) {
	t.Parallel()
	s := newService(t, "hijack", "STOP_MS=3000").start()
	e := dialEcho(t, s.addr())
	s.must("reload")
	e.ask()
	if rest, err := io.ReadAll(e.in); len(rest) > 0 || err != nil {
		t.Errorf("the connection ends with %q, %v", rest, err)
	}
	eventually(t, "the worker has gone", func() bool { return gone(e.pid) })
	if strings.Contains(s.log(), "not drained in time") {
		t.Error("the worker was killed")
	}
}

// TestShutdownFunctions: they are called when the drain begins, although an idle
// connection is there, which is kept.
func TestShutdownFunctions(t *testing.T) {
	for _, how := range []string{"reload", "upgrade", "stop"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := newService(t, "hijack", "STOP_MS=60000", "HOOK=bye").start("--workers", "1")
			e := dialEcho(t, s.addr())
			idle, err := reset.Dial("tcp", s.addr(), patience)
			if err != nil {
				t.Fatal(err)
			}
			defer idle.Close()
			r := bufio.NewReader(idle)
			if closing, err := exchange(idle, r, ""); err != nil || closing {
				t.Fatal(closing, err)
			}
			events, err := begin(s.addr(), "/events")
			if err != nil {
				t.Fatal(err)
			}
			s.must(how)
			if rest, err := io.ReadAll(e.in); string(rest) != "bye\n" || err != nil {
				t.Errorf("the hijacked connection ends with %q, %v", rest, err)
			}
			if rest, err := events(); !strings.HasSuffix(rest, "data: bye\n\n") || err != nil {
				t.Errorf("the event stream ends with %.100q, %v", rest[max(0, len(rest)-100):], err)
			}
			if how == "stop" {
				return
			}
			if closing, err := exchange(idle, r, ""); err != nil || !closing {
				t.Errorf("the idle connection: closing %v, %v; want a response that says close", closing, err)
			}
			eventually(t, "the worker has gone", func() bool { return gone(e.pid) })
		})
	}
}

// TestEventStreamDuringAReload: it goes on, and new ones are the new worker's.
func TestEventStreamDuringAReload(t *testing.T) {
	t.Parallel()
	s := newService(t, "hijack", "STOP_MS=60000").start("--workers", "1")
	c, err := reset.Dial("tcp", s.addr(), patience)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	io.WriteString(c, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	old := s.pids()[0]
	s.must("reload")
	lines := bufio.NewReader(resp.Body)
	for range 100 {
		line, err := lines.ReadString('\n')
		if err != nil || line != "\n" && line != fmt.Sprintf("data: %d\n", old) {
			t.Fatalf("%q, %v in the stream of process %d", line, err, old)
		}
	}
	if body, err := get(s.addr(), "/"); err != nil || body == strconv.Itoa(old) {
		t.Errorf("a new request gets %s, %v", body, err)
	}
	c.Close()
	eventually(t, "the worker has gone", func() bool { return gone(old) })
}

// TestHTTP2DuringAReload: a client that keeps asking is sent to the new worker
// and loses no request.
func TestHTTP2DuringAReload(t *testing.T) {
	t.Parallel()
	s := newService(t, "hijack", "STOP_MS=60000").start("--workers", "1")
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols, DialContext: reset.DialContext}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: patience}
	ask := func() string {
		t.Helper()
		resp, err := client.Get("http://" + s.addr() + "/")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.ProtoMajor != 2 {
			t.Fatalf("%v over %s", err, resp.Proto)
		}
		return string(body)
	}
	old := ask()
	s.must("reload")
	eventually(t, "the new worker is asked", func() bool { return ask() != old })
	pid, _ := strconv.Atoi(old)
	eventually(t, "the old worker has gone", func() bool { return gone(pid) })
}
