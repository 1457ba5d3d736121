package jay_test

import (
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/supervise"
)

// named is a protocol with a name.
var named = jay.NewProtocol("named", func(*jay.Conn) jay.Handler { return swallow{} })

// TestDialledIsNotAccepted: what is dialled gets no Layer and takes no place
// from those that are accepted, has deadlines of its own accord, is listed as
// what it is, and its end is told to who has dialled.
func TestDialledIsNotAccepted(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		up := serve(t, &jay.Server{Protocol: every(echo{})}, backend)
		var worker *jay.Worker
		var layers, connects atomic.Int32
		ended, opened, refs := make(chan error, 8), make(chan error, 8), make(chan jay.Ref, 8)
		addr := serve(t, &jay.Server{
			Protocol: every(echo{}), MaxConns: 1,
			Layer:     func() jay.Layer { layers.Add(1); return &shift{ready: true} },
			OnConnect: func(*jay.Conn) { connects.Add(1) },
			Loops:     1, OnWorkerStart: func(w *jay.Worker) error {
				worker = w
				for range 4 {
					d := jay.Dialer{Conn: jay.ConnConfig{IdleTimeout: 100 * time.Millisecond}, OnClose: func(_ *jay.Conn, err error) { ended <- err }}
					d.Dial(w, "tcp://"+up, named, func(c *jay.Conn, err error) {
						if err == nil {
							c.Hold() // until it has been listed
							refs <- c.Ref()
							_, err = c.WriteString("x")
						}
						opened <- err
					})
				}
				return nil
			},
		}, backend)
		for range 4 {
			if err := receive(t, opened, "a dialled connection"); err != nil {
				t.Fatal(err)
			}
		}
		rows := worker.Connections(supervise.ConnectionQuery{})
		for _, r := range rows {
			if !r.Dialled || r.Protocol != "named" {
				t.Errorf("listed as %+v, want dialled and named", r)
			}
		}
		if len(rows) != 4 {
			t.Errorf("%d connections are listed, want 4", len(rows))
		}
		c := dial(t, addr)
		send(t, c, plus("abc"))
		expect(t, c, "hi "+plus("abc"))
		if f, n := layers.Load(), connects.Load(); f != 1 || n != 1 {
			t.Errorf("%d layers, %d times OnConnect; want one of each", f, n)
		}
		for range 4 {
			if err := receive(t, refs, "a Ref").Do((*jay.Conn).Release); err != nil {
				t.Error(err)
			}
		}
		for range 4 {
			if err := receive(t, ended, "the end of a dialled connection"); !errors.Is(err, jay.ErrIdle) {
				t.Errorf("it ended with %v, want ErrIdle", err)
			}
		}
	})
}

// TestDialLeavesNothing: no connection that was dialled, nor any that failed,
// leaves something that waits for the worker's end.
func TestDialLeavesNothing(t *testing.T) {
	up := serve(t, &jay.Server{Protocol: every(echo{})}, "auto")
	results := make(chan error, 200)
	var worker *jay.Worker
	serve(t, &jay.Server{Loops: 1, OnWorkerStart: func(w *jay.Worker) error {
		worker = w
		for i := range cap(results) {
			address := "tcp://" + up
			if i%2 == 0 {
				address = "unix:///nonexistent/socket"
			}
			d := jay.Dialer{}
			if i%3 == 0 {
				d.Timeout = -1
			}
			d.Dial(w, address, every(echo{}), func(c *jay.Conn, err error) {
				if c != nil {
					c.Abort()
				}
				results <- err
			})
		}
		return nil
	}, Protocol: every(echo{})}, "auto")
	for range cap(results) {
		receive(t, results, "a result")
	}
	eventually(t, "nothing waits for the worker's end", func() bool {
		n := make(chan int, 1)
		_ = worker.Loop().Post(func() { n <- worker.Waiting() })
		return receive(t, n, "the loop") == 0
	})
}

// TestListenerCallbacks: connections of a further address have callbacks of
// their own.
func TestListenerCallbacks(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		events := make(chan string, 8)
		say := func(what string) (func(*jay.Conn), func(*jay.Conn, error)) {
			return func(*jay.Conn) { events <- what + " opens" }, func(*jay.Conn, error) { events <- what + " closes" }
		}
		s := &jay.Server{Protocol: every(echo{})}
		s.OnConnect, s.OnClose = say("server")
		var own, half string
		s.Loops = 1
		s.OnWorkerStart = func(w *jay.Worker) error {
			e := jay.Endpoint{Addr: "tcp://127.0.0.1:0"}
			e.OnConnect, e.OnClose = say("own")
			ln, err := w.Listen(e)
			if err != nil {
				return err
			}
			e.OnConnect, _ = say("half")
			e.OnClose = nil
			other, err := w.Listen(e)
			if err != nil {
				return err
			}
			own, half = ln.Addr().String(), other.Addr().String()
			return nil
		}
		addr := serve(t, s, backend)
		for _, tt := range []struct{ addr, opens, closes string }{
			{addr, "server opens", "server closes"}, {own, "own opens", "own closes"}, {half, "half opens", "server closes"},
		} {
			c := dial(t, tt.addr)
			if got := receive(t, events, "OnConnect"); got != tt.opens {
				t.Errorf("%q, want %q", got, tt.opens)
			}
			c.Close()
			if got := receive(t, events, "OnClose"); got != tt.closes {
				t.Errorf("%q, want %q", got, tt.closes)
			}
		}
	})
}

// TestPipeEnd: who has joined two connections is told of the end, once, and why.
func TestPipeEnd(t *testing.T) {
	for name, orderly := range map[string]bool{"in order": true, "reset": false} {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				up := serve(t, &jay.Server{Protocol: every(echo{})}, backend)
				ended := make(chan error, 2)
				addr := serve(t, &jay.Server{Protocol: every(echo{}), OnConnect: func(c *jay.Conn) {
					c.PauseRead()
					jay.Dialer{}.Dial(c.Worker(), "tcp://"+up, every(echo{}), func(up *jay.Conn, err error) {
						if err != nil {
							c.Abort()
							return
						}
						c.ResumeRead()
						jay.PipeFunc(c, up, func(err error) { ended <- err })
					})
				}}, backend)
				c := dial(t, addr)
				send(t, c, "x")
				expect(t, c, "x")
				if orderly {
					_ = c.CloseWrite()
					_, _ = io.Copy(io.Discard, c)
				} else {
					_ = c.SetLinger(0)
				}
				c.Close()
				if err := receive(t, ended, "the end of the pipe"); (err == nil) != orderly {
					t.Errorf("it ended with %v", err)
				}
				if len(ended) > 0 {
					t.Error("its end was told twice")
				}
			})
		})
	}
}
