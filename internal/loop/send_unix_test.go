//go:build unix

package loop_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/jay-go/jay/internal/loop"
	"golang.org/x/sys/unix"
)

// sender sends data to the end by the contract of Send, in pieces.
type sender struct {
	c     *conn
	rest  []byte
	piece int
	calls int
	ended chan error
}

func (s *sender) more() {
	for len(s.rest) > 0 {
		var bufs [][]byte
		total := 0
		for p := s.rest; len(p) > 0 && len(bufs) < 50; {
			k := min(s.piece, len(p))
			bufs = append(bufs, p[:k])
			p, total = p[k:], total+k
		}
		s.calls++
		n, err := s.c.Send(bufs)
		if err != nil {
			s.ended <- err
			return
		}
		s.rest = s.rest[n:]
		if n < total {
			if !s.c.Sending() {
				s.c.r.Errorf("Send took %d of %d and no Sent will follow", n, total)
			}
			return
		}
		if s.c.Sending() {
			s.c.r.Error("Send took everything, and Sending is true")
		}
	}
	s.ended <- nil
}

func (s *sender) sent(n int, err error) {
	if s.c.Sending() {
		s.c.r.Error("Sending is still true in Sent")
	}
	if s.rest = s.rest[n:]; err != nil {
		s.ended <- err
		return
	}
	s.more()
}

func (r *rig) send(c *conn, data []byte, piece int) *sender {
	s := &sender{c: c, rest: data, piece: piece, ended: make(chan error, 1)}
	r.on(func() { c.onSent = s.sent; s.more() })
	return s
}

// Far more than the kernel takes at once arrives whole, and the loop does not
// spin while the peer does not read.
func TestSendShort(t *testing.T) {
	data := make([]byte, 16<<20)
	for i := range data {
		data[i] = byte(i ^ i>>8 ^ i>>16)
	}
	eachBackend(t, loop.Config{}, func(r *rig) {
		networks(r, func(r *rig, network string) {
			peer, c := r.attach(network)
			s := r.send(c, data, 100_000)
			r.still("the peer does not read")
			if len(s.ended) > 0 {
				r.Fatal("16 MiB were taken by a peer that does not read: the test tests nothing")
			}
			got := make([]byte, len(data))
			if _, err := io.ReadFull(peer, got); err != nil {
				r.Fatal(err)
			}
			if err := wait(r, "the end of sending", s.ended); err != nil || !bytes.Equal(got, data) {
				r.Errorf("sent with error %v, arrived intact %v", err, bytes.Equal(got, data))
			}
			r.still("everything sent")
			r.on(func() { c.Close(false) })
		})
	})
}

// One Send with more buffers than a system call takes, empty ones among them.
func TestSendManyBuffers(t *testing.T) {
	eachBackend(t, loop.Config{}, func(r *rig) {
		networks(r, func(r *rig, network string) {
			peer, c := r.attach(network)
			var bufs [][]byte
			var want []byte
			for i := range 1000 {
				b := bytes.Repeat([]byte{byte(i)}, i%5)
				bufs, want = append(bufs, b), append(want, b...)
			}
			taken := 0
			advance := func(n int) {
				for taken += n; n > 0 || len(bufs) > 0 && len(bufs[0]) == 0; {
					k := min(n, len(bufs[0]))
					if n, bufs[0] = n-k, bufs[0][k:]; len(bufs[0]) == 0 {
						bufs = bufs[1:]
					}
				}
			}
			next := func() {
				for len(bufs) > 0 && !c.Sending() {
					n, err := c.Send(bufs)
					if err != nil {
						r.Error(err)
					}
					advance(n)
				}
			}
			r.on(func() {
				c.onSent = func(n int, err error) { advance(n); next() }
				next()
			})
			got := make([]byte, len(want))
			if _, err := io.ReadFull(peer, got); err != nil || !bytes.Equal(got, want) {
				r.Errorf("1000 buffers arrived wrong (%v)", err)
			}
			r.on(func() { c.Close(false) })
		})
	})
}

func TestSendToClosedPeer(t *testing.T) {
	eachBackend(t, loop.Config{}, func(r *rig) {
		networks(r, func(r *rig, network string) {
			peer, c := r.attach(network)
			s := r.send(c, make([]byte, 16<<20), 1<<20)
			_ = peer.Close()
			if err := wait(r, "the failure", s.ended); !is(err, unix.EPIPE) && !is(err, unix.ECONNRESET) {
				r.Errorf("sending to a peer that has closed: %v, want broken pipe or connection reset", err)
			}
			r.still("after a failed Send")
			r.on(func() { c.Close(false) })
		})
	})
}

// After CloseWrite the peer reads the end and can still be heard.
func TestCloseWrite(t *testing.T) {
	eachBackend(t, loop.Config{}, func(r *rig) {
		networks(r, func(r *rig, network string) {
			peer, c := r.attach(network)
			s := r.send(c, []byte("last words"), 100)
			if err := wait(r, "sending", s.ended); err != nil {
				r.Fatal(err)
			}
			r.on(func() {
				c.StartRecv()
				if err := c.CloseWrite(); err != nil {
					r.Error(err)
				}
			})
			if got, err := io.ReadAll(peer); string(got) != "last words" || err != nil {
				r.Errorf("the peer read %q, %v; want the last words and the end", got, err)
			}
			write(r, peer, "I heard you")
			c.expect("I heard you")
			_ = peer.Close()
			c.expectErr(io.EOF)
			r.still("closed on both sides")
			r.on(func() { c.Close(false) })
		})
	})
}

func TestCloseAndReset(t *testing.T) {
	for _, tt := range []struct {
		name  string
		reset bool
		want  error
	}{{"close", false, io.EOF}, {"reset", true, unix.ECONNRESET}} {
		t.Run(tt.name, func(t *testing.T) {
			eachBackend(t, loop.Config{}, func(r *rig) {
				peer, c := r.attach("tcp")
				r.on(func() { c.StartRecv(); c.Close(tt.reset) })
				if _, err := peer.Read(make([]byte, 1)); !is(err, tt.want) {
					r.Errorf("the peer reads %v, want %v", err, tt.want)
				}
				c.expectNone()
				r.on(func() {
					if _, err := c.Send([][]byte{{1}}); !errors.Is(err, net.ErrClosed) {
						r.Errorf("Send on a closed stream: %v, want net.ErrClosed", err)
					}
					if err := c.CloseWrite(); !errors.Is(err, net.ErrClosed) {
						r.Errorf("CloseWrite on a closed stream: %v, want net.ErrClosed", err)
					}
					if _, err := c.Detach(); !errors.Is(err, net.ErrClosed) {
						r.Errorf("Detach of a closed stream: %v, want net.ErrClosed", err)
					}
					c.StartRecv()
					c.StopRecv()
				})
			})
		})
	}
}

// The bytes of a pending Send are the caller's again once Close has returned, or
// with the Sent that follows where Sending says so: the race detector watches.
func TestCloseWithSendPending(t *testing.T) {
	eachBackend(t, loop.Config{}, func(r *rig) {
		networks(r, func(r *rig, network string) {
			_, c := r.attach(network)
			buf := make([]byte, 16<<20)
			r.send(c, buf, 1<<20)
			r.still("the peer does not read")
			free := make(chan struct{})
			r.on(func() {
				if !c.Sending() {
					r.Error("no Send is pending")
				}
				c.onSent = func(int, error) { close(free) } // twice panics
				if c.Close(true); !c.Sending() {
					close(free)
				} else if err := r.l.Attach(&c.Stream, loop.Socket{FD: -1}, c); err == nil {
					r.Error("a stream with a Sent to come was attached anew")
				}
			})
			wait(r, "the end of the Send", free)
			r.on(func() {
				if c.Sending() {
					r.Error("Sending is still true behind the last Sent")
				}
				clear(buf)
			})
			r.still("closed")
		})
	})
}

// Closing from inside each callback ends everything at once.
func TestCloseInsideCallbacks(t *testing.T) {
	eachBackend(t, loop.Config{}, func(r *rig) {
		networks(r, func(r *rig, network string) {
			peer, c := r.attach(network)
			c.onReceived = func([]byte, error) { c.Close(false) }
			write(r, peer, "x")
			_ = peer.Close()
			r.on(c.StartRecv)
			c.expect("x")
			c.expectNone()

			peer, c = r.attach(network)
			c.onSent = func(int, error) { c.Close(false) }
			write(r, peer, "never received")
			r.on(func() { c.fill(); c.StartRecv(); c.StopRecv() })
			go func() { _, _ = io.Copy(io.Discard, peer) }()
			if e := wait(r, "Sent", c.events); e.sent < 0 {
				r.Errorf("got %v, want Sent", e)
			}
			r.on(func() { c.StartRecv() })
			c.expectNone()
		})
	})
}
