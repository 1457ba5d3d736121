//go:build unix

package loop_test

import (
	"errors"
	"io"
	"net"
	"testing"

	"github.com/jay-go/jay/internal/loop"
	"golang.org/x/sys/unix"
)

var errOnPurpose = errors.New("on purpose")

// once returns a func that panics the first time.
func once() func() {
	done := false
	return func() {
		if !done {
			done = true
			panic(errOnPurpose)
		}
	}
}

// faulted takes the report of the panic.
func (r *rig) faulted() {
	r.Helper()
	if e := wait(r, "the report of a panic", r.faults); !errors.Is(e, errOnPurpose) {
		r.Errorf("reported %v\n%s", e, e.Stack)
	}
}

func writable(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0
}

// A callback that panics has had its completion; the next ones of the same
// source come as if it had returned.
func TestSourceOutlivesItsPanic(t *testing.T) {
	eachBackend(t, loop.Config{}, func(r *rig) {
		r.Run("Received", func(t *testing.T) {
			r := r.sub(t)
			peer, c := r.attach("tcp")
			fail := once()
			c.onReceived = func([]byte, error) { fail() }
			r.on(c.StartRecv)
			write(r, peer, "one")
			c.expect("one")
			r.faulted()
			write(r, peer, "two")
			c.expect("two")
			_ = peer.Close()
			c.expectErr(io.EOF)
			r.on(func() { c.Close(false) })
		})
		r.Run("Received of the end", func(t *testing.T) {
			r := r.sub(t)
			peer, c := r.attach("tcp")
			c.onReceived = func([]byte, error) { panic(errOnPurpose) }
			_ = peer.Close()
			r.on(c.StartRecv)
			c.expectErr(io.EOF)
			r.faulted()
			r.still("the end has been told")
			c.expectNone()
			r.on(func() { c.Close(false) })
		})
		r.Run("Sent", func(t *testing.T) {
			r := r.sub(t)
			peer, c := r.attach("tcp")
			c.onSent = func(int, error) { panic(errOnPurpose) }
			write(r, peer, "hello")
			r.on(func() { c.fill() })
			go func() { _, _ = io.Copy(io.Discard, peer) }()
			if e := wait(r, "Sent", c.events); e.sent < 0 || e.err != nil {
				r.Errorf("got %v, want Sent", e)
			}
			r.faulted()
			r.on(func() { c.onSent = nil; c.StartRecv() })
			c.expect("hello")
			r.on(func() { c.Close(false) })
		})
		r.Run("Sent, when bytes have come too", func(t *testing.T) {
			r := r.sub(t)
			peer, c := r.attach("tcp")
			c.onSent = func(int, error) { c.onSent = nil; panic(errOnPurpose) }
			r.on(func() { c.fill(); c.StartRecv() })
			write(r, peer, "ahead")
			c.expect("ahead")
			r.on(func() { // so that one look finds both
				write(r, peer, "hello")
				for r.backend == "epoll" && !writable(c.FD()) {
					_, _ = peer.Read(make([]byte, 1<<20))
				}
			})
			go func() { _, _ = io.Copy(io.Discard, peer) }()
			c.expect("hello")
			r.faulted()
			r.on(func() { c.Close(true) })
		})
		r.Run("Accepted", func(t *testing.T) {
			r := r.sub(t)
			a, dial := r.listen("tcp")
			a.onAccepted = once()
			r.on(a.ln.Resume)
			for range 5 {
				dial()
				a.take()
			}
			r.faulted()
			r.on(a.ln.Close)
		})
		r.Run("Watch", func(t *testing.T) {
			r := r.sub(t)
			rd, wr := pipe(r)
			fail := once()
			w, events := r.watch(rd, loop.Readable, func(w *loop.Watch) {
				fail()
				w.Unwatch()
			})
			fdWrite(r, wr, "x")
			wait(r, "readable", events)
			r.faulted()
			wait(r, "readable again", events)
			r.on(w.Unwatch)
			shut(r, rd, wr)
		})
	})
}

// All streams of a batch get their bytes when each of them panics.
func TestBatchSurvivesItsPanics(t *testing.T) {
	const n = 50
	eachBackend(t, loop.Config{}, func(r *rig) {
		var conns [n]*conn
		var peers [n]net.Conn
		for i := range n {
			peers[i], conns[i] = r.attach("unix")
			conns[i].onReceived = func([]byte, error) { panic(errOnPurpose) }
			r.on(conns[i].StartRecv)
		}
		r.on(func() { // while the loop is busy, so that one batch brings all
			for _, p := range peers {
				write(r, p, "x")
			}
		})
		for _, c := range conns {
			c.expect("x")
			r.faulted()
			r.on(func() { c.Close(false) })
		}
		if got := r.l.Stats().Panics; got != n {
			r.Errorf("Stats.Panics is %d, want %d", got, n)
		}
	})
}

// What is still open when the loop ends is closed: the peers see the end, and
// Run returns. The leak check sees the rest.
func TestEndClosesSources(t *testing.T) {
	for _, name := range loop.BackendNames() {
		t.Run(name, func(t *testing.T) {
			var peers []io.Reader
			var fds []int
			t.Run("loop", func(t *testing.T) {
				r := newRig(t, name, loop.Config{})
				peer, c := r.attach("tcp")
				r.on(c.StartRecv)
				held, stuck := r.attach("unix")
				r.on(func() { stuck.fill() })
				a, _ := r.listen("tcp")
				r.on(a.ln.Resume)
				rd, wr := pipe(r)
				r.watch(rd, loop.Readable, nil)
				fds = append(fds, rd, wr)
				peers = append(peers, peer, held)
				r.l.Stop()
				wait(r, "the end", r.l.Done())
				for _, p := range peers {
					if _, err := io.Copy(io.Discard, p); err != nil && !is(err, unix.ECONNRESET) {
						r.Errorf("the peer reads %v, want the end", err)
					}
				}
			})
			shut(t, fds...)
		})
	}
}
