package jay_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/needs"
	"github.com/jay-go/jay/supervise"
)

// serveAll is serve for a server with several endpoints.
func serveAll(t *testing.T, s *jay.Server, backend string) (addrs []string) {
	t.Helper()
	s.Loop, s.Loops = backend, needs.Loops(s.Loops)
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan []net.Addr, 1), make(chan error, 1)
	s.OnReady = func(a []net.Addr) { ready <- a }
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := receive(t, ended, "the end of Serve"); err != nil {
			t.Errorf("Serve returned %v", err)
		}
	})
	for _, a := range receive(t, ready, "the addresses") {
		addrs = append(addrs, a.String())
	}
	return addrs
}

// holding is raw whose connections are not idle until they are released.
type holding struct {
	raw
	refs chan jay.Ref
}

func (h holding) Open(c *jay.Conn) {
	c.Hold()
	h.refs <- c.Ref()
}

// TestEndpoints: each endpoint of one server has a protocol, limits and callbacks
// of its own, and the server's where it leaves them open.
func TestEndpoints(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		var worker *jay.Worker
		events := make(chan string, 20)
		idles := make(chan jay.Ref, 1)
		upper := jay.NewProtocol("upper", func(*jay.Conn) jay.Handler { return holding{refs: idles} })
		addrs := serveAll(t, &jay.Server{
			Addr: "tcp://127.0.0.1:0", Protocol: every(echo{}), Conn: jay.ConnConfig{MaxInput: 1 << 20, IdleTimeout: time.Minute},
			Endpoints: []jay.Endpoint{
				{Addr: "tcp://localhost:0", Protocol: upper, Conn: jay.ConnConfig{IdleTimeout: 100 * time.Millisecond}},
				{Addr: "unix://" + filepath.Join(t.TempDir(), "s"), Protocol: onLine(func(c *jay.Conn, line string) { c.WriteString(line + ".") }), Conn: jay.ConnConfig{MaxInput: 4},
					OnConnect: func(*jay.Conn) { events <- "own" }, OnClose: func(_ *jay.Conn, err error) { events <- err.Error() }},
			},
			Loops: 1, OnWorkerStart: func(w *jay.Worker) error { worker = w; return nil },
			OnConnect: func(*jay.Conn) { events <- "server's" },
			OnError:   func(*jay.Conn, error) {},
		}, backend)
		plain, loud := dial(t, addrs[0]), dial(t, addrs[1])
		send(t, plain, "abc")
		expect(t, plain, "abc")
		send(t, loud, "abc")
		expect(t, loud, "ABC")
		near, err := net.Dial("unix", addrs[2])
		if err != nil {
			t.Fatal(err)
		}
		defer near.Close()
		send(t, near, "a\n")
		expect(t, near, "a.")
		var words []string
		for _, r := range worker.Connections(supervise.ConnectionQuery{}) {
			words = append(words, r.Protocol)
		}
		slices.Sort(words) // clients of two addresses are accepted in any order
		if got := strings.Join(words, " "); got != "lines tcp upper" {
			t.Errorf("the connections speak %q", got)
		}
		for _, want := range []string{"server's", "server's", "own"} {
			if got := receive(t, events, "OnConnect"); got != want {
				t.Errorf("OnConnect is the %s, want the %s", got, want)
			}
		}
		send(t, near, "too long for this one")
		_ = near.(*net.UnixConn).CloseWrite() // or it would be awaited
		if got := receive(t, events, "OnClose"); got != jay.ErrInputLimit.Error() {
			t.Errorf("OnClose got %q, want %q", got, jay.ErrInputLimit)
		}
		_ = receive(t, idles, "the one that holds").Do((*jay.Conn).Release)
		expectEOF(t, loud) // idle
		send(t, plain, strings.Repeat("x", 1000))
		expect(t, plain, strings.Repeat("x", 1000))
	})
}

// TestEndpointLimits: status has the limits of the first endpoint, and what is
// otherwise at further ones.
func TestEndpointLimits(t *testing.T) {
	s := &jay.Server{
		Addr: "tcp://127.0.0.1:1", Protocol: every(echo{}), Conn: jay.ConnConfig{MaxInput: 1000},
		Endpoints: []jay.Endpoint{{Addr: "tcp://127.0.0.1:2", Conn: jay.ConnConfig{MaxOutput: 2000, IdleTimeout: -1}}},
	}
	limits := s.Program().Limits
	for name, want := range map[string]float64{
		"max_input_bytes": 1000, "max_output_bytes": 64 << 20, "tcp://127.0.0.1:2 max_output_bytes": 2000,
		"tcp://127.0.0.1:2 max_input_bytes": 0, "idle_timeout_s": 75, "tcp://127.0.0.1:2 idle_timeout_s": 0,
	} {
		if limits[name] != want {
			t.Errorf("%s is %v, want %v", name, limits[name], want)
		}
	}
}

// TestEndpointErrors: what is wrong with an endpoint is said at the start, with
// its address.
func TestEndpointErrors(t *testing.T) {
	for name, test := range map[string]struct {
		endpoint jay.Endpoint
		want     string
	}{
		"no protocol":          {jay.Endpoint{Addr: "tcp://127.0.0.1:0"}, "Protocol is nil"},
		"an address of no use": {jay.Endpoint{Addr: "tcp://nowhere", Protocol: every(echo{})}, "nowhere"},
		"marks the other way":  {jay.Endpoint{Addr: "tcp://127.0.0.1:0", Protocol: every(echo{}), Conn: jay.ConnConfig{HighWater: 1, LowWater: 2}}, "LowWater"},
	} {
		err := (&jay.Server{Endpoints: []jay.Endpoint{test.endpoint}}).Serve(t.Context())
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.endpoint.Addr) {
			t.Errorf("%s: %v, want %q and %q in it", name, err, test.want, test.endpoint.Addr)
		}
	}
}

// TestNewConnFails: a protocol that panics costs the connection alone.
func TestNewConnFails(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		errs := make(chan error, 1)
		first := true
		addr := serve(t, &jay.Server{
			Loops: 1,
			Protocol: jay.NewProtocol("picky", func(*jay.Conn) jay.Handler {
				if first {
					first = false
					panic("no handler today")
				}
				return echo{}
			}),
			OnError: func(_ *jay.Conn, err error) { errs <- err },
		}, backend)
		expectEOF(t, dial(t, addr))
		if err := receive(t, errs, "OnError"); !errors.As(err, new(*jay.PanicError)) {
			t.Errorf("OnError got %v, want a panic", err)
		}
		c := dial(t, addr)
		send(t, c, "abc")
		expect(t, c, "abc")
	})
}

// TestEndpointsOfOneAddress: with port 0 two endpoints may have the same address,
// and are two all the same.
func TestEndpointsOfOneAddress(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		const any = "tcp://127.0.0.1:0"
		upper := jay.NewProtocol("upper", func(*jay.Conn) jay.Handler { return raw{} })
		addrs := serveAll(t, &jay.Server{
			Addr: any, Protocol: every(echo{}), Endpoints: []jay.Endpoint{{Addr: any, Protocol: upper}, {Addr: any}},
		}, backend)
		for i, want := range []string{"abc", "ABC", "abc"} {
			c := dial(t, addrs[i])
			send(t, c, "abc")
			expect(t, c, want)
		}
	})
}
