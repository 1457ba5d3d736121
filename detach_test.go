package jay_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/jay-go/jay"
)

// outcome is what the func given to Detach was called with.
type outcome struct {
	conn   net.Conn
	unused string
	err    error
}

// detacher is a server whose connections do, at a line, what act does; it
// may Detach with the func that it is given.
func detacher(t *testing.T, backend string, act func(c *jay.Conn, fn func(net.Conn, []byte, error))) (*net.TCPConn, chan outcome) {
	t.Helper()
	got := make(chan outcome, 10)
	addr := serve(t, &jay.Server{Protocol: onLine(func(c *jay.Conn, _ string) {
		act(c, func(conn net.Conn, unused []byte, err error) { got <- outcome{conn, string(unused), err} })
	})}, backend)
	c := dial(t, addr)
	send(t, c, "go\nunused")
	return c, got
}

// TestDetachSendsWhatWasAccepted writes in every way before a Detach: all of it
// arrives, in order, before what the new owner writes. Afterwards nothing more
// is accepted.
func TestDetachSendsWhatWasAccepted(t *testing.T) {
	big := bytes.Repeat([]byte("0123456789abcdef"), 16<<20/16)
	for name, size := range map[string]int{"little": 16, "more than the kernel takes": len(big)} {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				refused := make(chan error, 10)
				c, got := detacher(t, backend, func(c *jay.Conn, fn func(net.Conn, []byte, error)) {
					c.Write(big[:size])
					_ = c.Ref().Send([]byte("sent "))
					if err := c.Detach(fn); err != nil {
						t.Error(err)
					}
					_, err := c.Write([]byte("lost"))
					refused <- err
					refused <- c.Ref().Send([]byte("lost"))
					_, err = c.Writev([]byte("lost"))
					refused <- err
					refused <- c.Detach(fn)
				})
				for range 4 {
					if err := receive(t, refused, "an attempt after Detach"); !errors.Is(err, jay.ErrClosed) {
						t.Errorf("after Detach: %v, want ErrClosed", err)
					}
				}
				all := make([]byte, size)
				if _, err := io.ReadFull(c, all); err != nil || !bytes.Equal(all, big[:size]) {
					t.Fatalf("what was written before arrived damaged, %v", err)
				}
				out := receive(t, got, "the connection")
				if out.err != nil || out.unused != "unused" {
					t.Fatalf("got %q, %v", out.unused, out.err)
				}
				send(t, out.conn, "after")
				_ = out.conn.Close()
				expect(t, c, "sent after")
				if len(got) > 0 {
					t.Errorf("fn was called again with %+v", <-got)
				}
			})
		})
	}
}

// TestDetachThatFails ends the connection between Detach and the giving away:
// fn is told once.
func TestDetachThatFails(t *testing.T) {
	boom := errors.New("boom")
	for name, tt := range map[string]struct {
		then func(c *jay.Conn)
		want error // nil: any
	}{
		"Close":                {(*jay.Conn).Close, jay.ErrClosed},
		"Abort":                {(*jay.Conn).Abort, jay.ErrAborted},
		"CloseOn":              {func(c *jay.Conn) { c.CloseOn(jay.ProgramFault, boom) }, boom},
		"AbortOn":              {func(c *jay.Conn) { c.AbortOn(jay.SystemFault, boom) }, boom},
		"Abort, output unsent": {func(c *jay.Conn) { c.Loop().AfterFunc(0, c.Abort) }, jay.ErrAborted},
		"the peer resets":      {func(c *jay.Conn) {}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				c, got := detacher(t, backend, func(c *jay.Conn, fn func(net.Conn, []byte, error)) {
					c.Write(make([]byte, 32<<20))
					if err := c.Detach(fn); err != nil {
						t.Error(err)
					}
					tt.then(c)
				})
				if tt.want == nil {
					expect(t, c, "\x00")
					c.SetLinger(0)
					c.Close()
				}
				out := receive(t, got, "the outcome")
				if out.conn != nil || out.err == nil || tt.want != nil && !errors.Is(out.err, tt.want) {
					t.Errorf("got %v, %v; want %v", out.conn, out.err, tt.want)
				}
				c.Close()
				if len(got) > 0 {
					t.Errorf("fn was called again with %+v", <-got)
				}
			})
		})
	}
}

// TestSendThenFinish has Ref.Send accept something just before the connection
// finishes: it arrives; what is not accepted is an error.
func TestSendThenFinish(t *testing.T) {
	for name, finish := range map[string]func(*jay.Conn){"Close": (*jay.Conn).Close, "CloseWrite": (*jay.Conn).CloseWrite} {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				refused := make(chan error, 1)
				addr := serve(t, &jay.Server{Protocol: onLine(func(c *jay.Conn, _ string) {
					c.WriteString("first ")
					_ = c.Ref().Send([]byte("second"))
					finish(c)
					refused <- c.Ref().Send([]byte("third"))
				})}, backend)
				c := dial(t, addr)
				send(t, c, "go\n")
				expect(t, c, "first second")
				expectEOF(t, c)
				if err := receive(t, refused, "Send afterwards"); !errors.Is(err, jay.ErrClosed) {
					t.Errorf("Send afterwards: %v, want ErrClosed", err)
				}
			})
		})
	}
}
