package jay_test

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/leak"
	"github.com/jay-go/jay/internal/needs"
	"github.com/jay-go/jay/internal/reset"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	leak.Main(m)
}

// backends are the loops that every test of this package runs on.
var backends = []string{"auto", "goroutine"}

// eachBackend runs a test once on every loop backend of the platform.
func eachBackend(t *testing.T, test func(t *testing.T, backend string)) {
	for _, b := range backends {
		t.Run(b, func(t *testing.T) { test(t, b) })
	}
}

// patience is how long a test waits for what must happen.
const patience = time.Minute

// serve runs s in this process until the test ends and returns its address.
func serve(t *testing.T, s *jay.Server, backend string) string {
	t.Helper()
	addr, stop := serveStop(t, s, backend)
	t.Cleanup(stop)
	return addr
}

// serveStop is serve with the stop in the test's hands. stop waits for the end
// and may be called twice.
func serveStop(t *testing.T, s *jay.Server, backend string) (addr string, stop func()) {
	t.Helper()
	s.Loop, s.Loops = backend, needs.Loops(s.Loops)
	if s.Addr == "" {
		s.Addr = "tcp://127.0.0.1:0"
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready := make(chan net.Addr, 1)
	ended := make(chan error, 1)
	s.OnReady = func(a []net.Addr) { ready <- a[0] }
	go func() { ended <- s.Serve(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := receive(t, ended, "the end of Serve"); err != nil {
			t.Errorf("Serve returned %v", err)
		}
	})
	select {
	case a := <-ready:
		return a.String(), stop
	case err := <-ended:
		t.Fatalf("Serve did not start: %v", err)
	case <-time.After(patience):
		t.Fatal("Serve was not ready in time")
	}
	return "", nil
}

// receive waits for a value that must come.
func receive[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("%s did not come within %v", what, patience)
		panic("unreachable")
	}
}

// eventually waits for a condition that must become true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// dial connects to a server under test; the connection is closed at the end.
func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	return dialOn(t, "tcp", addr).(*net.TCPConn)
}

func dialOn(t *testing.T, network, addr string) net.Conn {
	t.Helper()
	c, err := net.DialTimeout(network, addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reset.Close(c) })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

// echo sends back what it gets.
type echo struct{}

func (echo) Open(*jay.Conn) {}
func (echo) Data(c *jay.Conn, b []byte) (int, error) {
	_, err := c.Write(b)
	return len(b), err
}
func (echo) Close(*jay.Conn, error) {}

// lines is the codec of the tests: text up to a newline, at most 64 bytes.
type lines struct{}

func (lines) Parse(b []byte) (string, int, error) {
	line, _, ok := strings.Cut(string(b), "\n")
	switch {
	case len(line) > 64:
		return "", 0, errLong
	case !ok:
		return "", 0, nil
	}
	return line, len(line) + 1, nil
}

func (lines) Name() string { return "lines" }

func (lines) Append(dst []byte, m string) ([]byte, error) {
	return append(append(dst, m...), '\n'), nil
}

type longError struct{}

func (longError) Error() string { return "line too long" }

var errLong = longError{}

// onLine is a protocol that calls fn for each line.
func onLine(fn func(c *jay.Conn, line string)) jay.Protocol {
	return &jay.Messages[string]{Codec: lines{}, OnMessage: fn}
}

// every has one handler for all connections.
func every(h jay.Handler) jay.Protocol {
	return jay.NewProtocol("tcp", func(*jay.Conn) jay.Handler { return h })
}
