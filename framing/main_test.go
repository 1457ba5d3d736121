package framing_test

import (
	"context"
	"log/slog"
	"net"
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

// eachBackend runs a test once on every loop backend of the platform.
func eachBackend(t *testing.T, test func(t *testing.T, backend string)) {
	for _, b := range []string{"auto", "goroutine"} {
		t.Run(b, func(t *testing.T) { test(t, b) })
	}
}

// patience is how long a test waits for what must happen.
const patience = time.Minute

// serve runs s in this process until the test ends and returns its address.
func serve(t *testing.T, s *jay.Server, backend string) string {
	t.Helper()
	s.Loop, s.Loops, s.Addr = backend, needs.Loops(s.Loops), "tcp://127.0.0.1:0"
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan net.Addr, 1), make(chan error, 1)
	s.OnReady = func(a []net.Addr) { ready <- a[0] }
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := receive(t, ended, "the end of Serve"); err != nil {
			t.Errorf("Serve returned %v", err)
		}
	})
	select {
	case a := <-ready:
		return a.String()
	case err := <-ended:
		ended <- err
		t.Fatalf("Serve did not start: %v", err)
	case <-time.After(patience):
		t.Fatal("Serve was not ready in time")
	}
	return ""
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

// dial connects to a server under test; the connection is closed at the end.
func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reset.Close(c) })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn)
}
