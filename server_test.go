package jay_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/jay-go/jay"
)

// backends are the loops that every test of this package runs on.
var backends = []string{"auto", "goroutine"}

// eachBackend runs a test once on every loop backend of the platform.
func eachBackend(t *testing.T, test func(t *testing.T, backend string)) {
	for _, b := range backends {
		t.Run(b, func(t *testing.T) { test(t, b) })
	}
}

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
	s.Loop = backend
	if s.Addr == "" {
		s.Addr = "tcp://127.0.0.1:0"
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready := make(chan net.Addr, 1)
	ended := make(chan error, 1)
	go func() { ended <- s.ServeReady(ctx, func(a []net.Addr) { ready <- a[0] }) }()
	stopped := false
	stop = func() {
		cancel()
		if stopped {
			return
		}
		stopped = true
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Serve returned %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("Serve did not return within 20 s of the stop")
		}
	}
	select {
	case a := <-ready:
		return a.String(), stop
	case err := <-ended:
		t.Fatalf("Serve did not start: %v", err)
	case <-time.After(10 * time.Second):
		t.Fatal("Serve was not ready within 10 s")
	}
	return "", nil
}

// dial connects to a server under test; the connection is closed at the end.
func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
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
