package web_test

import (
	"cmp"
	"context"
	"flag"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/leak"
	"github.com/jay-go/jay/internal/needs"
	"github.com/jay-go/jay/web"
)

// TestMain lets more parallel tests run than there are processors: they wait.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	leak.Main(m)
}

// serve runs a server with handler in this process until the test ends and
// returns its address.
func serve(t testing.TB, handler jay.Protocol) string {
	return serveWith(t, &jay.Server{Protocol: handler})
}

func serveWith(t testing.TB, s *jay.Server) string {
	addr, stop := start(t, s)
	t.Cleanup(stop)
	return addr
}

// start is serveWith with the stop in the test's hands: it begins the drain
// and waits for its end.
func start(t testing.TB, s *jay.Server) (addr string, stop func()) {
	t.Helper()
	s.Addr, s.Loop = cmp.Or(s.Addr, "tcp://127.0.0.1:0"), cmp.Or(s.Loop, os.Getenv("JAY_LOOP"))
	s.Loops = needs.Loops(s.Loops)
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan net.Addr, 1), make(chan error, 1)
	s.OnReady = func(a []net.Addr) { ready <- a[0] }
	go func() { ended <- s.Serve(ctx) }()
	select {
	case a := <-ready:
		stopped := false
		return a.String(), func() {
			cancel()
			if stopped {
				return
			}
			stopped = true
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("Serve: %v", err)
				}
			case <-time.After(patience):
				t.Error("Serve did not return within 20 s of the stop")
			}
		}
	case err := <-ended:
		cancel()
		t.Fatalf("Serve did not start: %v", err)
		return "", nil
	}
}

// echoBody is what examples/bodyecho does.
var echoBody = web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
	switch r.Method() {
	case "CONNECT", "TRACE":
		_ = w.SetStatus(405)
		return
	}
	_, _ = w.Write(r.BodyView())
})

func TestConformanceCases(t *testing.T) {
	t.Parallel()
	addr := serve(t, &web.Protocol{Handler: echoBody, HeaderTimeout: 6 * time.Second, IdleTimeout: 6 * time.Second})
	playAll(t, addr)
}

func itoa(n int) string { return strconv.Itoa(n) }
func hex(n int) string  { return strconv.FormatInt(int64(n), 16) }
