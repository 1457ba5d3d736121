//go:build unix

package loop_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/jay-go/jay/internal/loop"
	"golang.org/x/sys/unix"
)

// acceptor records what a listener brings.
type acceptor struct {
	r          *rig
	ln         *loop.Listener
	accepted   chan loop.Socket
	failed     chan error
	onAccepted func() // loop only
	onFailed   func() // loop only
	closed     int    // loop only: calls of Closed
}

func (a *acceptor) Closed() { a.closed++ }

func (a *acceptor) Accepted(s loop.Socket) {
	a.accepted <- s
	if a.onAccepted != nil {
		a.onAccepted()
	}
}

func (a *acceptor) AcceptFailed(err error) {
	a.failed <- err
	if a.onFailed != nil {
		a.onFailed()
	}
}

// listen opens a listener on the loop, paused, and returns a func that dials
// it.
func (r *rig) listen(network string) (a *acceptor, dial func() net.Conn) {
	r.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = filepath.Join(r.TempDir(), "s")
	}
	nl, err := net.Listen(network, addr)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = nl.Close() })
	a = &acceptor{r: r, accepted: make(chan loop.Socket, 100), failed: make(chan error, 100)}
	r.on(func() { a.ln, err = r.l.Listen(listenSocket(r, nl), a) })
	if err != nil {
		r.Fatal(err)
	}
	return a, func() net.Conn {
		c, err := net.Dial(network, nl.Addr().String())
		if err != nil {
			r.Fatal(err)
		}
		r.Cleanup(func() { _ = c.Close() })
		return c
	}
}

// listenSocket is nl as a process that inherits it would have it.
func listenSocket(r *rig, nl net.Listener) loop.ListenSocket {
	f, err := nl.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = f.Close() })
	return loop.ListenSocket{FD: int(f.Fd()), Listener: func() (net.Listener, error) { return net.FileListener(f) }}
}

func closeSocket(s loop.Socket) {
	if s.Conn != nil {
		_ = s.Conn.Close()
	} else {
		_ = unix.Close(s.FD)
	}
}

func (a *acceptor) take() loop.Socket {
	a.r.Helper()
	s := wait(a.r, "a connection", a.accepted)
	a.r.Cleanup(func() { closeSocket(s) })
	return s
}

func TestAccept(t *testing.T) {
	eachBackend(t, loop.Config{}, func(r *rig) {
		networks(r, func(r *rig, network string) {
			a, dial := r.listen(network)
			r.on(func() {
				if a.ln.Accepting() {
					r.Error("a new listener accepts before Resume")
				}
			})
			first := dial()
			r.still("paused, a connection waits")
			if len(a.accepted) != 0 {
				r.Error("a paused listener has accepted")
			}
			r.on(func() { a.ln.Resume(); a.ln.Resume() })
			s := a.take()
			if network == "tcp" && s.Peer.String() != first.LocalAddr().String() {
				r.Errorf("Peer is %v, the client calls itself %v", s.Peer, first.LocalAddr())
			}
			if network == "unix" && s.Peer.IsValid() {
				r.Errorf("Peer of a Unix socket is %v, want none", s.Peer)
			}
			for range 5 {
				dial()
				a.take()
			}
			r.still("nobody connects")
			r.on(func() { a.ln.Pause(); a.ln.Pause() })
			dial()
			r.still("paused again")
			r.on(func() { a.ln.Resume() })
			a.take()
			r.on(func() { a.ln.Close(); a.ln.Close(); a.ln.Resume(); a.ln.Pause() })
			dial() // the socket itself is not the loop's to close
			r.still("closed")
			if len(a.accepted) != 0 || len(a.failed) != 0 {
				r.Errorf("after Close: %d connections, %d errors", len(a.accepted), len(a.failed))
			}
			r.on(func() {
				if a.closed != 1 {
					r.Errorf("Closed came %d times, want once", a.closed)
				}
			})
		})
	})
}

// Pausing and closing from inside Accepted hold at once, for what waits in the
// queue, too.
func TestPauseInsideAccepted(t *testing.T) {
	eachBackend(t, loop.Config{}, func(r *rig) {
		networks(r, func(r *rig, network string) {
			a, dial := r.listen(network)
			a.onAccepted = func() { a.ln.Pause() }
			for range 4 {
				dial()
			}
			for range 3 {
				r.on(a.ln.Resume)
				a.take()
				r.still("paused inside Accepted")
				if len(a.accepted) != 0 {
					r.Fatal("it went on accepting")
				}
			}
			a.onAccepted = func() { a.ln.Close() }
			r.on(a.ln.Resume)
			a.take()
			r.still("closed inside Accepted")
		})
	})
}

// A crowd in the queue is taken in batches, so that others get their turns.
func TestAcceptBudget(t *testing.T) {
	taken, most := 0, 0 // loop only
	cfg := loop.Config{AcceptBudget: 4, TurnEnd: func() bool { most, taken = max(most, taken), 0; return false }}
	eachBackend(t, cfg, func(r *rig) {
		a, dial := r.listen("tcp")
		a.onAccepted = func() { taken++ }
		for range 30 {
			dial()
		}
		r.on(a.ln.Resume)
		for range 30 {
			a.take()
		}
		r.on(func() {
			if most > 4 || most == 0 {
				r.Errorf("up to %d connections a turn, want at most 4", most)
			}
			a.ln.Close()
		})
	})
}

// A listener whose accept fails says so, rests when its handler pauses it, and
// does not dwell on the error once it is resumed.
func TestAcceptFails(t *testing.T) {
	eachBackend(t, loop.Config{}, func(r *rig) {
		if r.backend != "goroutine" {
			return // see TestOutOfDescriptors
		}
		fails := &failingListener{fail: make(chan error, 2), conns: make(chan net.Conn, 1), closed: make(chan struct{})}
		a := &acceptor{r: r, accepted: make(chan loop.Socket, 1), failed: make(chan error, 100)}
		sock := loop.ListenSocket{FD: -1, Listener: func() (net.Listener, error) { return fails, nil }}
		r.on(func() {
			a.onFailed = func() { a.ln.Pause() }
			a.ln, _ = r.l.Listen(sock, a)
			a.ln.Resume()
		})
		fails.fail <- unix.EMFILE
		fails.fail <- unix.EMFILE
		if err := wait(r, "the error", a.failed); !errors.Is(err, unix.EMFILE) {
			r.Errorf("AcceptFailed(%v), want too many open files", err)
		}
		r.still("paused after a failure")
		peer, own := net.Pipe()
		defer peer.Close()
		fails.conns <- own
		r.on(func() { a.onFailed = nil; a.ln.Resume() })
		a.take()
		r.on(a.ln.Close)
	})
}

// TestCloseHandsOver: a connection that a backend has accepted ahead of Close is
// handed over, and not lost; where the loop has ended it is closed.
func TestCloseHandsOver(t *testing.T) {
	for _, stop := range []bool{false, true} {
		t.Run(fmt.Sprint("stopped: ", stop), func(t *testing.T) {
			r := newRig(t, "goroutine", loop.Config{})
			nl := &failingListener{fail: make(chan error), conns: make(chan net.Conn), closed: make(chan struct{})}
			a := &acceptor{r: r, accepted: make(chan loop.Socket, 1), failed: make(chan error, 1)}
			sock := loop.ListenSocket{FD: -1, Listener: func() (net.Listener, error) { return nl, nil }}
			r.on(func() { a.ln, _ = r.l.Listen(sock, a) })
			peer, own := net.Pipe()
			defer peer.Close()
			nl.conns <- own
			for !pending(r, a.ln) {
				runtime.Gosched()
			}
			if stop {
				r.on(func() { a.ln.Close(); r.l.Stop() })
				wait(r, "the end of the loop", r.l.Done())
				if len(a.accepted) > 0 {
					closeSocket(<-a.accepted) // it came before the stop
				}
				if _, err := peer.Read(make([]byte, 1)); err != io.EOF {
					r.Errorf("the peer of a connection that nobody took reads %v, want EOF", err)
				}
				return
			}
			r.on(a.ln.Close)
			a.take()
			r.still("closed")
			r.on(func() {
				if a.closed != 1 || a.ln.Pending() {
					r.Errorf("Closed came %d times; Pending is %v behind it", a.closed, a.ln.Pending())
				}
			})
		})
	}
}

func pending(r *rig, ln *loop.Listener) (is bool) {
	r.on(func() { is = ln.Pending() })
	return is
}

type failingListener struct {
	fail   chan error
	conns  chan net.Conn
	closed chan struct{}
}

func (f *failingListener) Accept() (net.Conn, error) {
	select {
	case err := <-f.fail:
		return nil, err
	case c := <-f.conns:
		return c, nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

func (f *failingListener) Close() error   { close(f.closed); return nil }
func (f *failingListener) Addr() net.Addr { return &net.UnixAddr{} }

// What a backend cannot take is refused in words.
func TestListenRefused(t *testing.T) {
	refused := errors.New("refused by the test")
	for name, sock := range map[string]loop.ListenSocket{
		"epoll":     {FD: -1},
		"goroutine": {FD: -1, Listener: func() (net.Listener, error) { return nil, refused }},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := loop.Resolve(name); err != nil {
				t.Skip(err)
			}
			r := newRig(t, name, loop.Config{})
			r.on(func() {
				if _, err := r.l.Listen(sock, &acceptor{}); err == nil {
					r.Error("Listen without a usable socket reports no error")
				}
				if _, err := r.l.Listen(loop.ListenSocket{FD: -1}, &acceptor{}); err == nil {
					r.Error("Listen without a socket reports no error")
				}
			})
		})
	}
}
