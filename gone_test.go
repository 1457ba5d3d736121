package jay_test

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/supervise"
)

// told is a handler that records what it is told of each connection's end. It
// does what a client's line asks for.
type told struct {
	jay.Handler
	words chan string
	refs  chan jay.Ref
}

func newTold() told {
	h := told{words: make(chan string, 20), refs: make(chan jay.Ref, 20)}
	h.Handler = onLine(func(c *jay.Conn, line string) {
		switch line {
		case "pause":
			c.PauseRead()
		case "hold":
			c.Hold()
		case "pause and hold":
			c.PauseRead()
			c.Hold()
		case "fill":
			c.Write(make([]byte, 32<<20)) // more than the kernel takes, on whatever system
		default:
			h.words <- line
			return
		}
		h.refs <- c.Ref()
	}).NewConn(nil)
	return h
}

func (h told) Gone(*jay.Conn)  { h.words <- "gone" }
func (h told) Drain(*jay.Conn) { h.words <- "drain" }
func (h told) EOF(c *jay.Conn) { h.words <- "EOF" }
func (h told) Close(_ *jay.Conn, err error) {
	if err != nil {
		h.words <- "failure"
		return
	}
	h.words <- "close"
}

func (h told) expect(t *testing.T, when string, words ...string) {
	t.Helper()
	for _, want := range words {
		if got := receive(t, h.words, want+" "+when); got != want {
			t.Errorf("%s: told %q, want %q", when, got, want)
		}
	}
}

func (h told) nothing(t *testing.T, ref jay.Ref, when string) {
	t.Helper()
	done := make(chan bool, 1)
	for range 3 { // turns
		if ref.Do(func(*jay.Conn) { done <- true }) == nil {
			receive(t, done, "a turn")
		}
	}
	select {
	case got := <-h.words:
		t.Errorf("%s: told %q, want nothing", when, got)
	default:
	}
}

// TestGoneWhilePaused has clients leave while reading is stopped, whatever has
// stopped it: the handler is told at once, and of nothing twice; what was sent
// before is delivered when reading goes on.
func TestGoneWhilePaused(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for _, why := range []string{"pause", "pause and hold", "fill"} {
			for _, leave := range []string{"close", "half-close"} {
				if why == "fill" && leave == "close" && network == "unix" {
					continue // writing to a Unix socket that has closed fails at once: there is no pause
				}
				t.Run(network+"/"+why+"/"+leave, func(t *testing.T) {
					eachBackend(t, func(t *testing.T, backend string) { testGone(t, backend, network, why, leave) })
				})
			}
		}
	}
}

func testGone(t *testing.T, backend, network, why, leave string) {
	h := newTold()
	s := &jay.Server{Protocol: every(h)}
	if network == "unix" {
		s.Addr = "unix://" + filepath.Join(t.TempDir(), "s")
	}
	c := dialOn(t, network, serve(t, s, backend))
	send(t, c, why+"\nunread\n")
	ref := receive(t, h.refs, "the pause")
	h.nothing(t, ref, "the client is there")
	if why == "fill" && leave == "close" {
		c.(*net.TCPConn).CloseWrite() // a close would reset: there are bytes it has not read
	} else if leave == "close" {
		c.Close()
	} else {
		c.(interface{ CloseWrite() error }).CloseWrite()
	}
	h.expect(t, "the client has left", "gone")
	h.nothing(t, ref, "reading is stopped still")
	if why == "fill" {
		c.Close() // unread bytes: it resets
		h.expect(t, "after the reset", "failure")
		return
	}
	_ = ref.Do((*jay.Conn).ResumeRead)
	h.expect(t, "after ResumeRead", "unread", "EOF")
	if why == "pause and hold" {
		_ = ref.Do((*jay.Conn).Release)
		h.expect(t, "after Release", "EOF")
	}
	_ = ref.Close()
	h.expect(t, "after Close", "close")
}

// TestGoneIsNoEnd has a client finish sending while reading is paused and wait:
// it gets its response.
func TestGoneIsNoEnd(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		h := newTold()
		c := dial(t, serve(t, &jay.Server{Protocol: every(h)}, backend))
		send(t, c, "pause and hold\n")
		ref := receive(t, h.refs, "the pause")
		c.CloseWrite()
		h.expect(t, "the client has finished", "gone")
		if err := ref.Do(func(c *jay.Conn) { c.CloseWith([]byte("response")) }); err != nil {
			t.Fatal(err)
		}
		expect(t, c, "response")
		expectEOF(t, c)
		h.expect(t, "closed", "close")
	})
}

// TestResetWhileHeld resets a connection of which EOF or Gone was told, and for
// which something is under way: it ends.
func TestResetWhileHeld(t *testing.T) {
	for first, word := range map[string]string{"hold": "EOF", "pause and hold": "gone"} {
		t.Run(first, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				h := newTold()
				c := dial(t, serve(t, &jay.Server{Protocol: every(h)}, backend))
				send(t, c, first+"\n")
				receive(t, h.refs, "the request")
				c.CloseWrite()
				h.expect(t, "the client has finished", word)
				c.SetLinger(0)
				c.Close()
				h.expect(t, "after the reset", "failure")
			})
		})
	}
}

// TestReleaseInADrain releases a Hold while the worker drains: the handler is
// told of the drain again, and of EOF only if the client has finished.
func TestReleaseInADrain(t *testing.T) {
	for _, finished := range []bool{false, true} {
		name := "open"
		if finished {
			name = "half-closed"
		}
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				h := newTold()
				addr, drain := drainable(t, &jay.Server{Protocol: every(h)}, backend)
				c := dial(t, addr)
				send(t, c, "hold\n")
				ref := receive(t, h.refs, "the request")
				drain(jay.DrainWithin(supervise.DrainReload, time.Minute))
				h.expect(t, "the drain has begun", "drain")
				want := []string{"drain"}
				if finished {
					c.CloseWrite()
					h.expect(t, "the client has finished", "EOF")
					want = append(want, "EOF")
				}
				_ = ref.Do((*jay.Conn).Release)
				h.expect(t, "after Release", want...)
				h.nothing(t, ref, "after Release")
				send := func(c *jay.Conn) { c.CloseWith([]byte("bye")) }
				if err := ref.Do(send); err != nil {
					t.Fatal(err)
				}
				expect(t, c, "bye")
			})
		})
	}
}

// drainable serves until drain is called, with what it is to say, and then
// until the connections have gone.
func drainable(t *testing.T, s *jay.Server, backend string) (addr string, drain func(*supervise.Drain)) {
	t.Helper()
	s.Loop, s.Addr = backend, "tcp://127.0.0.1:0"
	ctx, cancel := context.WithCancelCause(context.Background())
	ready, ended := make(chan net.Addr, 1), make(chan error, 1)
	s.OnReady = func(a []net.Addr) { ready <- a[0] }
	go func() { ended <- s.Serve(ctx) }()
	drained := false
	t.Cleanup(func() {
		if !drained {
			cancel(nil)
		}
		if err := receive(t, ended, "the end of Serve"); err != nil {
			t.Errorf("Serve returned %v", err)
		}
	})
	return receive(t, ready, "Serve").String(), func(d *supervise.Drain) { drained = true; cancel(d) }
}
