package jay_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/supervise"
)

// onLoop runs fn on the worker's loop and waits for it.
func onLoop(t *testing.T, w *jay.Worker, fn func()) {
	t.Helper()
	done := make(chan struct{}, 1)
	w.Loop().Post(func() { fn(); done <- struct{}{} })
	receive(t, done, "the loop")
}

// greeter says hello and hangs up.
type greeter struct{}

func (greeter) Open(c *jay.Conn)                        { c.WriteString("hello"); c.Close() }
func (greeter) Data(_ *jay.Conn, b []byte) (int, error) { return len(b), nil }
func (greeter) Close(*jay.Conn, error)                  {}

// listening runs an echo server and returns its worker.
func listening(t *testing.T, backend string) (w *jay.Worker, addr string) {
	t.Helper()
	started := make(chan *jay.Worker, 1)
	addr = serve(t, &jay.Server{Protocol: every(echo{}), Loops: 1, OnWorkerStart: func(w *jay.Worker) error { started <- w; return nil }}, backend)
	return receive(t, started, "the worker"), addr
}

// TestListenInARunningWorker: further addresses, with a handler of their own
// or the server's, come and go; connections outlive the address.
func TestListenInARunningWorker(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		w, addr := listening(t, backend)
		var same, other *jay.Listener
		onLoop(t, w, func() {
			var err error
			if same, err = w.Listen(jay.Endpoint{Addr: "tcp://127.0.0.1:0"}); err != nil {
				t.Error(err)
			}
			if other, err = w.Listen(jay.Endpoint{Addr: "tcp://127.0.0.1:0", Protocol: every(greeter{})}); err != nil {
				t.Error(err)
			}
			if _, err := w.Listen(jay.Endpoint{Addr: "tcp://" + addr}); err == nil || !strings.Contains(err.Error(), addr) {
				t.Errorf("an address in use gave %v", err)
			}
		})
		c := dial(t, same.Addr().String())
		send(t, c, "a")
		expect(t, c, "a")
		greeted := dial(t, other.Addr().String())
		expect(t, greeted, "hello")
		expectEOF(t, greeted)
		onLoop(t, w, func() { same.Close(); same.Close() })
		closed := func() bool {
			c, err := net.Dial("tcp", same.Addr().String())
			if err == nil {
				c.Close()
			}
			return err != nil
		}
		for deadline := time.Now().Add(patience); !closed(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the closed address still accepts")
			}
		}
		send(t, c, "b")
		expect(t, c, "b")
	})
}

// TestOwnListenersAtTheDrain: what waits in the accept queue when the worker
// drains is served, and the address is free afterwards.
func TestOwnListenersAtTheDrain(t *testing.T) {
	for _, reason := range []supervise.DrainReason{supervise.DrainReload, supervise.DrainStop} {
		t.Run(reason.String(), func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(context.Background())
			own := make(chan *jay.Listener, 1)
			s := &jay.Server{Protocol: every(echo{}), Addr: "tcp://127.0.0.1:0"}
			s.Loops = 1
			s.OnWorkerStart = func(w *jay.Worker) error {
				ln, err := w.Listen(jay.Endpoint{Addr: "tcp://127.0.0.1:0", Protocol: every(greeter{})})
				if err != nil {
					return err
				}
				w.PauseAccept() // so that the client waits in the queue
				own <- ln
				return nil
			}
			ready, ended := make(chan net.Addr, 1), make(chan error, 1)
			s.OnReady = func(a []net.Addr) { ready <- a[0] }
			go func() { ended <- s.Serve(ctx) }()
			ln := receive(t, own, "the listener")
			receive(t, ready, "Serve")
			c := dial(t, ln.Addr().String())
			cancel(jay.DrainWithin(reason, time.Minute))
			expect(t, c, "hello")
			expectEOF(t, c)
			c.Close()
			if err := receive(t, ended, "the end of Serve"); err != nil {
				t.Error(err)
			}
			eventually(t, "the address is free", func() bool { // a client of somebody else's may have the port for a moment
				again, err := net.Listen("tcp", ln.Addr().String())
				if err == nil {
					again.Close()
				}
				return err == nil
			})
		})
	}
}

func TestListenWhereTheStartFails(t *testing.T) {
	boom := errors.New("no database")
	s := &jay.Server{Protocol: every(echo{}), Addr: "tcp://127.0.0.1:0", Loops: 1, OnWorkerStart: func(w *jay.Worker) error {
		if _, err := w.Listen(jay.Endpoint{Addr: "tcp://127.0.0.1:0"}); err != nil {
			t.Error(err)
		}
		return boom // TestMain sees whether a descriptor is left
	}}
	if err := s.Serve(t.Context()); !errors.Is(err, boom) {
		t.Errorf("Serve returned %v, want %v", err, boom)
	}
}

// TestPauseAccept: connections wait while accepting is paused, also through a
// rest of the share rule or after an error of accept, and are served then.
func TestPauseAccept(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		w, addr := listening(t, backend)
		onLoop(t, w, w.PauseAccept)
		c := dial(t, addr)
		send(t, c, "a")
		for range 20 { // turns of the loop, in each of which it would be accepted
			onLoop(t, w, func() {
				if w.Len() > 0 {
					t.Error("accepted while paused")
				}
			})
		}
		onLoop(t, w, w.ResumeAccept)
		expect(t, c, "a")
	})
}
