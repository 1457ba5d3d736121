//go:build unix

package loop_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/loop"
)

// A stream is given away in every state of its receiving; the net.Conn has
// all bytes that Received did not get, and works both ways.
func TestDetach(t *testing.T) {
	for _, tt := range []struct {
		name  string
		ready func(r *rig, peer net.Conn, c *conn) // brings the stream into the state
		read  string                               // what the net.Conn then has, before "more"
	}{
		{"never received", func(*rig, net.Conn, *conn) {}, ""},
		{"never received, bytes pending", func(r *rig, peer net.Conn, _ *conn) {
			write(r, peer, "first")
			r.still("bytes pending")
		}, "first"},
		{"paused", func(r *rig, peer net.Conn, c *conn) {
			r.on(c.StartRecv)
			write(r, peer, "taken")
			c.expect("taken")
			r.on(c.StopRecv)
		}, ""},
		{"paused, bytes pending", func(r *rig, peer net.Conn, c *conn) {
			r.on(c.StartRecv)
			write(r, peer, "taken")
			c.expect("taken")
			r.on(c.StopRecv)
			write(r, peer, "ahead")
			r.still("bytes read ahead")
		}, "ahead"},
		{"paused and resumed and paused", func(r *rig, peer net.Conn, c *conn) {
			write(r, peer, "ahead")
			r.still("bytes read ahead")
			r.on(func() { c.StartRecv(); c.StopRecv() })
		}, "ahead"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachBackend(t, loop.Config{}, func(r *rig) {
				networks(r, func(r *rig, network string) {
					peer, c := r.attach(network)
					tt.ready(r, peer, c)
					var own net.Conn
					r.on(func() { own = c.detach() })
					before := r.polls.Load()
					checkDetached(r, own, peer, tt.read)
					if n := r.polls.Load() - before; n > 1 { // once: behind the func that has detached it
						r.Errorf("the loop was woken %d times for a connection that it has given away", n)
					}
					c.expectNone()
				})
			})
		})
	}
}

func (c *conn) detach() net.Conn {
	own, err := c.Detach()
	if err != nil {
		c.r.Errorf("Detach: %v", err)
	}
	return own
}

func checkDetached(r *rig, own, peer net.Conn, read string) {
	r.Helper()
	if own == nil {
		r.Fatal("Detach returned no connection")
	}
	defer own.Close()
	_ = own.SetDeadline(time.Now().Add(patience))
	write(r, peer, "more")
	got := make([]byte, len(read)+len("more"))
	if _, err := io.ReadFull(own, got); err != nil || string(got) != read+"more" {
		r.Errorf("the connection read %q, %v; want %q", got, err, read+"more")
	}
	write(r, own, "answer")
	if err := own.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		r.Errorf("CloseWrite: %v", err)
	}
	if got, err := io.ReadAll(peer); err != nil || string(got) != "answer" {
		r.Errorf("the peer read %q, %v; want the answer and the end", got, err)
	}
	_ = peer.Close()
	if n, err := own.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		r.Errorf("behind the last bytes Read = %d, %v; want EOF", n, err)
	}
}

// An upgrade: the handler sees the request, gives the connection away in the
// same callback, and what follows belongs to the new owner.
func TestDetachInsideReceived(t *testing.T) {
	eachBackend(t, loop.Config{ReadBudget: 5}, func(r *rig) {
		networks(r, func(r *rig, network string) {
			peer, c := r.attach(network)
			out := make(chan net.Conn, 1)
			c.onReceived = func([]byte, error) { c.StopRecv(); out <- c.detach() }
			write(r, peer, "hellorest")
			r.on(c.StartRecv)
			checkDetached(r, wait(r, "the connection", out), peer, "rest")
			c.expect("hello")
			c.expectNone()
		})
	})
}

// Detach is refused while a Send is pending, and nothing is lost by asking.
func TestDetachWithSendPending(t *testing.T) {
	eachBackend(t, loop.Config{}, func(r *rig) {
		peer, c := r.attach("unix")
		r.on(func() {
			c.fill()
			if own, err := c.Detach(); err == nil {
				r.Errorf("Detach with a Send pending returned %v and no error", own)
			}
		})
		go func() { _, _ = io.Copy(io.Discard, peer) }()
		if e := wait(r, "Sent", c.events); e.err != nil || e.sent < 0 {
			r.Errorf("got %v, want Sent", e)
		}
		r.on(func() {
			for c.Sending() {
				r.Error("Sending is true after Sent")
				return
			}
			_ = c.detach().Close()
		})
	})
}
