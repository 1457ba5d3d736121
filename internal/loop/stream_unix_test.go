//go:build unix

package loop_test

import (
	"io"
	"net"
	"strings"
	"testing"

	"github.com/jay-go/jay/internal/loop"
	"golang.org/x/sys/unix"
)

func TestReceive(t *testing.T) {
	eachBackend(t, loop.Config{}, func(r *rig) {
		networks(r, func(r *rig, network string) {
			peer, c := r.attach(network)
			r.on(c.StartRecv)
			write(r, peer, "hello")
			c.expect("hello")
			big := strings.Repeat("0123456789abcdef", 1<<16)
			go func() { _, _ = io.WriteString(peer, big); _ = peer.Close() }()
			c.expect(big)
			c.expectErr(io.EOF)
			r.still("at the end of a stream that is not closed yet")
			r.on(c.StartRecv) // means nothing after the end
			r.still("asked for more after the end")
			c.expectNone()
			r.on(func() { c.Close(false); c.Close(false) })
		})
	})
}

// The read budget is what one Received brings at most.
func TestReadBudget(t *testing.T) {
	eachBackend(t, loop.Config{ReadBudget: 7}, func(r *rig) {
		peer, c := r.attach("tcp")
		write(r, peer, strings.Repeat("x", 70))
		r.on(c.StartRecv)
		for n := 0; n < 70; {
			e := wait(r, "bytes", c.events)
			if n += len(e.data); len(e.data) > 7 || e.err != nil {
				r.Fatalf("with a budget of 7: %v", e)
			}
		}
	})
}

// What a stream's peer may do while the stream is paused.
var whilePaused = []struct {
	name, network string
	act           func(peer net.Conn)
	end           error // what follows the bytes, nil: nothing
}{
	{"bytes pending", "tcp", func(net.Conn) {}, nil},
	{"bytes pending", "unix", func(net.Conn) {}, nil},
	{"half-closed", "tcp", func(p net.Conn) { _ = p.(*net.TCPConn).CloseWrite() }, io.EOF},
	{"half-closed", "unix", func(p net.Conn) { _ = p.(*net.UnixConn).CloseWrite() }, io.EOF},
	{"closed", "tcp", func(p net.Conn) { _ = p.Close() }, io.EOF},
	{"closed", "unix", func(p net.Conn) { _ = p.Close() }, io.EOF},
}

// Bytes and the end that come while a stream is paused are kept, the loop
// sleeps meanwhile, and resuming brings them.
func TestPause(t *testing.T) {
	eachBackend(t, loop.Config{}, func(r *rig) {
		for _, tt := range whilePaused {
			r.Run(tt.name+" "+tt.network, func(t *testing.T) {
				r := r.sub(t)
				peer, c := r.attach(tt.network)
				r.on(c.StartRecv)
				write(r, peer, "one")
				c.expect("one")
				r.on(c.StopRecv)
				write(r, peer, "two")
				r.still("paused, with bytes pending")
				tt.act(peer)
				r.still("paused, peer " + tt.name)
				c.expectNone()
				r.on(c.StartRecv)
				c.expect("two")
				if tt.end != nil {
					c.expectErr(tt.end)
				} else {
					write(r, peer, "three")
					c.expect("three")
				}
				r.still("resumed, peer " + tt.name)
				r.on(func() { c.Close(false) })
			})
		}
	})
}

// A reset is reported also while paused: the connection has failed, and a
// server should not keep it.
func TestResetByPeer(t *testing.T) {
	for _, tt := range []struct {
		name               string
		receiving, sending bool
	}{
		{"receiving", true, false},
		{"paused", false, false},
		{"paused, send pending", false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachBackend(t, loop.Config{}, func(r *rig) {
				peer, c := r.attach("tcp")
				if tt.receiving {
					r.on(c.StartRecv)
				}
				if tt.sending {
					r.on(func() { c.fill() })
				}
				r.on(func() {})
				reset(peer)
				e := wait(r, "the reset", c.events)
				for e.sent >= 0 && e.err == nil { // the Send ends first; its error will do
					e = wait(r, "the reset", c.events)
				}
				if !is(e.err, unix.ECONNRESET) {
					r.Errorf("got %v, want connection reset", e)
				}
				r.still("reset and not closed yet")
				r.on(func() { c.Close(false) })
			})
		})
	}
}

func reset(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// fill sends until the kernel takes no more.
func (c *conn) fill() (taken int) {
	chunk := make([]byte, 1<<20)
	for !c.Sending() {
		n, err := c.Send([][]byte{chunk})
		if err != nil {
			c.r.Errorf("Send: %v", err)
			return taken
		}
		taken += n
	}
	return taken
}

// What Stop and Start say last is what holds, however often they alternate.
func TestPauseAndResumeInOneTurn(t *testing.T) {
	eachBackend(t, loop.Config{}, func(r *rig) {
		peer, c := r.attach("tcp")
		for i := range 20 {
			r.on(func() { c.StartRecv(); c.StopRecv(); c.StartRecv() })
			write(r, peer, "ping")
			c.expect("ping")
			r.on(func() { c.StopRecv(); c.StartRecv(); c.StopRecv() })
			write(r, peer, "held")
			if i%2 == 0 {
				r.on(func() {}) // it has been seen, perhaps, perhaps not
			}
			c.expectNone()
			r.on(c.StartRecv)
			c.expect("held")
		}
	})
}

// Pausing from inside Received: exactly what it was given is consumed.
func TestPauseInsideReceived(t *testing.T) {
	eachBackend(t, loop.Config{ReadBudget: 4}, func(r *rig) {
		peer, c := r.attach("unix")
		c.onReceived = func([]byte, error) { c.StopRecv() }
		write(r, peer, "aaaabbbbcc")
		for _, want := range []string{"aaaa", "bbbb", "cc"} {
			r.on(c.StartRecv)
			c.expect(want)
			r.still("paused inside Received")
			c.expectNone()
		}
	})
}
