package jay_test

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jay-go/jay"
)

// bomb is a handler in which the named callback panics, or calls Goexit, on
// connections that asked for it.
type bomb struct {
	jay.Handler
	where  string
	goexit bool
	armed  *atomic.Bool // the next connection is the one
	victim jay.Ref      // loop only
}

func (h *bomb) explode(where string) {
	if h.where != where {
		return
	}
	if h.goexit {
		runtime.Goexit()
	}
	panic("boom in " + where)
}

func (h *bomb) is(c *jay.Conn) bool { return c != nil && c.Ref() == h.victim }

func (h *bomb) Open(c *jay.Conn) {
	if h.armed.CompareAndSwap(true, false) {
		h.victim = c.Ref()
		h.explode("Open")
	}
}

func (h *bomb) Data(c *jay.Conn, b []byte) (int, error) {
	if !h.is(c) {
		return h.Handler.Data(c, b)
	}
	switch h.where {
	case "Deadline":
		c.SetDeadline(time.Millisecond)
	case "Ref.Do":
		_ = c.Ref().Do(func(*jay.Conn) { h.explode("Ref.Do") })
	case "OnBufferFull":
		c.Write(make([]byte, 64<<10))
	case "Close", "OnClose":
		c.Abort()
	}
	h.explode("Data")
	return len(b), nil
}

func (h *bomb) Deadline(*jay.Conn) { h.explode("Deadline") }

func (h *bomb) EOF(c *jay.Conn) {
	if h.is(c) {
		if h.where == "Deadline" {
			return // which has yet to come
		}
		h.explode("EOF")
	}
	c.Close()
}

func (h *bomb) Panic(c *jay.Conn, _ *jay.PanicError) {
	c.WriteString("sorry")
	h.explode("Panic")
}

func (h *bomb) Close(c *jay.Conn, _ error) {
	if h.is(c) {
		h.explode("Close")
	}
}

// TestPanicCostsOneConnection lets every callback panic in turn. The
// connection ends, OnClose is called for it once, OnError gets the stack, and
// the neighbours do not notice.
func TestPanicCostsOneConnection(t *testing.T) {
	places := []string{"Open", "OnConnect", "Data", "EOF", "Deadline", "Ref.Do", "OnBufferFull", "Close", "OnClose", "OnError", "Panic"}
	for _, where := range places {
		for _, how := range []string{"panic", "goexit"} {
			t.Run(where+"/"+how, func(t *testing.T) {
				eachBackend(t, func(t *testing.T, backend string) { testPanic(t, backend, where, how == "goexit") })
			})
		}
	}
}

func testPanic(t *testing.T, backend, where string, goexit bool) {
	h := &bomb{Handler: echo{}, where: where, goexit: goexit, armed: new(atomic.Bool)}
	if where == "OnError" || where == "Panic" {
		h.where = "Data"
	}
	errs, closes := make(chan error, 4), make(chan error, 4)
	s := &jay.Server{
		Loops:    1,
		Protocol: every(h),
		Conn:     jay.ConnConfig{HighWater: 4096},
		OnConnect: func(c *jay.Conn) {
			if h.is(c) {
				h.explode("OnConnect")
			}
		},
		OnBufferFull: func(*jay.Conn) { h.explode("OnBufferFull") },
		OnClose: func(c *jay.Conn, err error) {
			if h.is(c) {
				closes <- err
				h.explode("OnClose")
			}
		},
		OnError: func(c *jay.Conn, err error) {
			errs <- err
			if where == "OnError" {
				panic("boom in OnError")
			}
		},
	}
	if where == "Panic" {
		h.where = "Data"
		s.Protocol = every(&doubleBomb{h})
	}
	addr := serve(t, s, backend)
	neighbour := dial(t, addr)
	send(t, neighbour, "a")
	expect(t, neighbour, "a")
	h.armed.Store(true)
	victim := dial(t, addr)
	_, _ = io.WriteString(victim, "x")
	_ = victim.CloseWrite()
	got, readErr := io.ReadAll(victim)
	if last := "sorry"; where == "Data" || where == "Ref.Do" || where == "Deadline" || where == "EOF" {
		if string(got) != last || readErr != nil {
			t.Errorf("the victim got %q, %v; want %q", got, readErr, last)
		}
	}
	wantError := where != "Close" && where != "OnClose" && where != "Panic"
	if wantError {
		err := receive(t, errs, "OnError")
		var p *jay.PanicError
		if !errors.As(err, &p) || p.Goexit != goexit || !strings.Contains(string(p.Stack), "explode") {
			t.Errorf("OnError got %v, want a PanicError with the stack", err)
		}
	}
	if where != "Open" {
		receive(t, closes, "OnClose")
	}
	send(t, neighbour, "b")
	expect(t, neighbour, "b")
	if n := len(closes); n > 0 {
		t.Errorf("OnClose was called %d times more", n)
	}
}

// doubleBomb panics again while it writes the last answer.
type doubleBomb struct{ *bomb }

func (h *doubleBomb) Panic(*jay.Conn, *jay.PanicError) { panic("boom again") }

func TestPanicOutsideConnections(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		errs := make(chan error, 1)
		var worker *jay.Worker
		addr := serve(t, &jay.Server{
			Protocol: every(echo{}),
			Loops:    1, OnWorkerStart: func(w *jay.Worker) error { worker = w; return nil },
			OnError: func(c *jay.Conn, err error) {
				if c != nil {
					t.Error("OnError blames a connection for a posted func")
				}
				errs <- err
			},
		}, backend)
		worker.Loop().Post(func() { panic("posted") })
		if err := receive(t, errs, "OnError"); !strings.Contains(err.Error(), "posted") {
			t.Errorf("OnError got %v", err)
		}
		c := dial(t, addr)
		send(t, c, "on")
		expect(t, c, "on")
	})
}

// openPanics is a handler that panics as soon as it has a connection.
type openPanics struct{ sink }

func (openPanics) Open(*jay.Conn) { panic("boom in Open") }

// What a timer sets off on a connection is that connection's callback: a panic
// closes it, and nobody else.
func TestPanicThatATimerSetsOff(t *testing.T) {
	for name, does := range map[string]func(c *jay.Conn){
		"SetHandler": func(c *jay.Conn) { c.SetHandler(openPanics{}) },
		"Call":       func(c *jay.Conn) { c.Call(func() { panic("boom in Call") }) },
		"OnError":    func(c *jay.Conn) { c.Write(make([]byte, 2<<20)) }, // beyond MaxOutput
	} {
		t.Run(name, func(t *testing.T) {
			closed := make(chan error, 1)
			addr := serve(t, &jay.Server{Protocol: every(sink{}), Conn: jay.ConnConfig{MaxOutput: 1 << 20},
				OnConnect: func(c *jay.Conn) { c.Loop().AfterFunc(time.Millisecond, func() { does(c) }) },
				OnError: func(c *jay.Conn, err error) {
					if c == nil {
						t.Errorf("whose callback was it? %v", err)
					} else if _, again := errors.AsType[*jay.PanicError](err); !again {
						panic("boom in OnError")
					}
				},
				OnClose: func(_ *jay.Conn, err error) { closed <- err },
			}, "")
			c := dialOn(t, "tcp", addr)
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
			if err := receive(t, closed, "OnClose"); err == nil {
				t.Error("OnClose was not told why")
			}
		})
	}
}
