package jay_test

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
)

// TestCloseReadsOn: whatever is said of the reading after Close, the peer's end is
// seen, and the connection ends with it.
func TestCloseReadsOn(t *testing.T) {
	much := bytes.Repeat([]byte("response"), 64<<10)
	for name, finish := range map[string]func(c *jay.Conn){
		"PauseRead behind Close":     func(c *jay.Conn) { c.Write(much); c.Close(); c.PauseRead() },
		"Close while paused":         func(c *jay.Conn) { c.PauseRead(); c.Write(much); c.Close() },
		"full before Close":          func(c *jay.Conn) { c.Write(much); c.Close() },
		"full behind Close":          func(c *jay.Conn) { _ = c.Ref().Send(much); c.Close() },
		"full behind it, and duplex": func(c *jay.Conn) { _ = c.Ref().Send(much); c.Close(); c.SetDuplex(true) },
	} {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				closed := make(chan error, 1)
				addr := serve(t, &jay.Server{
					Protocol: onLine(func(c *jay.Conn, _ string) { finish(c) }),
					Conn:     jay.ConnConfig{CloseTimeout: -1, HighWater: 4096},
					OnClose:  func(_ *jay.Conn, err error) { closed <- err },
				}, backend)
				c := dial(t, addr)
				send(t, c, "go\n")
				if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, much) {
					t.Fatalf("%d bytes came of %d, then %v", len(got), len(much), err)
				}
				c.Close()
				if err := receive(t, closed, "the end"); err != nil {
					t.Errorf("closed with %v", err)
				}
			})
		})
	}
}

// TestDuplexNoMore: where unsent output stops the reading again, nothing is taken
// from the peer.
func TestDuplexNoMore(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		full := make(chan *jay.Conn, 1)
		addr := serve(t, &jay.Server{
			Protocol: onLine(func(c *jay.Conn, line string) {
				c.SetDuplex(true)
				c.Write(make([]byte, 32<<20))
				c.Loop().AfterFunc(0, func() {
					c.SetDuplex(false)
					full <- c
				})
			}),
			Conn: jay.ConnConfig{CloseTimeout: time.Millisecond},
		}, backend)
		c := dial(t, addr)
		send(t, c, "go\n")
		ref := receive(t, full, "the output").Ref()
		go c.Write(make([]byte, 2<<20))
		const underWay = 256 << 10 // at most, which a stop does not take back
		for range 50 {
			taken := make(chan uint64, 1)
			if err := ref.Do(func(c *jay.Conn) {
				if !c.Full() {
					t.Error("the kernel has taken 32 MiB")
				}
				taken <- c.BytesIn()
			}); err != nil {
				t.Fatal(err)
			}
			if n := receive(t, taken, "a turn"); n > underWay {
				t.Fatalf("the server took %d bytes that it does not read", n)
			}
		}
	})
}

// lastWords is a handler that does not survive its end.
type lastWords struct{ jay.Handler }

func (lastWords) Close(*jay.Conn, error) { panic("boom in Close") }

// TestDetachThroughPanic: a connection that is given away arrives, although
// Handler.Close panics meanwhile.
func TestDetachThroughPanic(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		got, closed := make(chan outcome, 2), make(chan error, 2)
		p := onLine(func(c *jay.Conn, _ string) {
			c.WriteString("before ")
			_ = c.Detach(func(conn net.Conn, unused []byte, err error) { got <- outcome{conn, string(unused), err} })
		})
		addr := serve(t, &jay.Server{
			Protocol: jay.NewProtocol("last words", func(c *jay.Conn) jay.Handler { return lastWords{p.NewConn(c)} }),
			OnError:  func(*jay.Conn, error) {},
			OnClose:  func(_ *jay.Conn, err error) { closed <- err },
		}, backend)
		c := dial(t, addr)
		send(t, c, "go\nunused")
		out := receive(t, got, "the connection")
		if out.err != nil || out.unused != "unused" {
			t.Fatalf("got %q, %v", out.unused, out.err)
		}
		send(t, out.conn, "after")
		_ = out.conn.Close()
		expect(t, c, "before after")
		expectEOF(t, c)
		_ = receive(t, closed, "OnClose")
		if len(got)+len(closed) > 0 {
			t.Error("fn or OnClose was called again")
		}
	})
}

// TestHandlerWhileOpening: a handler that is set before the layer is ready is the one
// that the connection begins with.
func TestHandlerWhileOpening(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		events := make(chan string, 10)
		refs := make(chan jay.Ref, 1)
		addr := serve(t, &jay.Server{
			Protocol:  jay.NewProtocol("never", func(*jay.Conn) jay.Handler { events <- "NewConn"; return echo{} }),
			Layer:     func() jay.Layer { return &gate{born: func(ref jay.Ref) { refs <- ref }} },
			OnConnect: func(c *jay.Conn) { events <- "connect " + c.State() },
			OnClose:   func(*jay.Conn, error) { events <- "close" },
		}, backend)
		c := dial(t, addr)
		ref := receive(t, refs, "the layer")
		if err := ref.Do(func(c *jay.Conn) {
			events <- c.State()
			c.SetHandler(raw{})
		}); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"opening", "connect open"} {
			if got := receive(t, events, want); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		send(t, c, "!word")
		expect(t, c, "WORD")
		c.Close()
		if got := receive(t, events, "close"); got != "close" {
			t.Errorf("got %q, want close", got)
		}
	})
}

// TestOutOfOrder: a change of state that cannot be is noticed, and changes nothing.
func TestOutOfOrder(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		var log logged
		before := slog.Default()
		slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
		t.Cleanup(func() { slog.SetDefault(before) })
		c := dial(t, serve(t, &jay.Server{Protocol: onLine(func(c *jay.Conn, _ string) {
			c.Move()
			c.WriteString(c.State())
		})}, backend))
		send(t, c, "go\n")
		if jay.Strict {
			expectEOF(t, c)
		} else {
			expect(t, c, "open")
		}
		if !strings.Contains(log.String(), "cannot follow") {
			t.Errorf("the log says %q", log.String())
		}
	})
}
