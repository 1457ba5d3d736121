package supervise

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestControlServedAgain: a control socket that cannot be served again after an
// upgrade that failed is tried again, with one line in the log; closing twice
// does no harm.
func TestControlServedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	f, err := ln.(*net.UnixListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd := int(f.Fd())
	if err := syscall.SetNonblock(fd, true); err != nil { // Fd has made it block, which a master's socket never does
		t.Fatal(err)
	}
	var log bytes.Buffer
	m := &master{c: &config{}, logger: slog.New(slog.NewTextHandler(&log, nil))}
	if m.control, err = newControlServer(m, fd); err != nil {
		t.Fatal(err)
	}
	closed := m.control
	closed.close(time.Second)
	closed.close(time.Second)
	closed.fd = -1 // as good as no descriptors
	m.reopenControl()
	m.reopenControl()
	if got := strings.Count(log.String(), "\n"); got != 1 || len(m.timers) != 2 {
		t.Errorf("%d lines in the log, %d tries to come; want 1, 2:\n%s", got, len(m.timers), &log)
	}
	closed.fd = fd
	for _, next := range m.timers {
		next.fn()
	}
	if m.control == closed || m.control.closed() || len(m.timers) != 2 {
		t.Fatal("not served again")
	}
	defer m.control.close(time.Second)
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) },
	}}
	resp, err := client.Get("http://jay/healthz")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("healthz: %v, %v", resp, err)
	}
	resp.Body.Close()
}

// TestCallbackTime: two digits, of whatever a worker says.
func TestCallbackTime(t *testing.T) {
	for s, want := range map[float64]string{
		0: "-", 8e-9: "8ns", 0.000_035_84: "36µs", 0.000_123: "120µs", 0.05: "50ms", 7200: "2h0m0s", 9e9: "2500000h0m0s", -1: "-1s",
	} {
		if got := callbackTime(&s); got != want {
			t.Errorf("%v s: %q, want %q", s, got, want)
		}
	}
	callbackTime(new(1e300)) // ends
}
