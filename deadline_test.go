package jay_test

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/loop"
)

// pipes is a listener of in-memory connections, for tests in virtual time.
type pipes struct {
	conns  chan net.Conn
	errors chan error
	done   chan struct{}
}

func newPipes() *pipes {
	return &pipes{conns: make(chan net.Conn), errors: make(chan error), done: make(chan struct{})}
}

func (p *pipes) dial() net.Conn {
	here, there := net.Pipe()
	p.conns <- there
	return here
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case err := <-p.errors:
		return nil, &net.OpError{Op: "accept", Err: err}
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// virtual runs a test in virtual time. serve starts the server; the test's
// channels must be made inside, to be part of that time.
func virtual(t *testing.T, test func(t *testing.T, serve func(*jay.Server) *pipes)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		test(t, func(s *jay.Server) *pipes {
			p := newPipes()
			go func() { ended <- jay.ServeOn(ctx, s, p) }()
			return p
		})
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve returned %v", err)
		}
	})
}

// endOf reads until the end and returns how long that took.
func endOf(t *testing.T, c net.Conn) time.Duration {
	t.Helper()
	from := time.Now()
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Errorf("read: %v, want the end of the stream", err)
	}
	c.Close()
	return time.Since(from)
}

func wantBetween(t *testing.T, what string, got, from time.Duration) {
	t.Helper()
	if got < from || got > from+loop.Tick {
		t.Errorf("%s after %v, want within a tick of %v", what, got, from)
	}
}

func TestIdleTimeout(t *testing.T) {
	virtual(t, func(t *testing.T, serve func(*jay.Server) *pipes) {
		closed := make(chan error, 1)
		c := serve(&jay.Server{
			Protocol: every(echo{}),
			OnClose:  func(_ *jay.Conn, err error) { closed <- err },
		}).dial()
		for range 3 { // traffic puts the end off
			time.Sleep(70 * time.Second)
			send(t, c, "x")
			expect(t, c, "x")
		}
		wantBetween(t, "closed", endOf(t, c), 75*time.Second)
		if err := <-closed; !errors.Is(err, jay.ErrIdle) {
			t.Errorf("OnClose got %v, want ErrIdle", err)
		}
	})
}

func TestHoldRestsIdleTimeout(t *testing.T) {
	virtual(t, func(t *testing.T, serve func(*jay.Server) *pipes) {
		c := serve(&jay.Server{Protocol: onLine(func(c *jay.Conn, _ string) {
			c.Hold()
			c.Loop().AfterFunc(5*time.Minute, func() {
				c.WriteString("done")
				c.Release()
			})
		})}).dial()
		send(t, c, "x\n")
		expect(t, c, "done")
		wantBetween(t, "closed", endOf(t, c), 75*time.Second)
	})
}

// patient sets a protocol deadline with each message.
type patient struct{ echo }

func (patient) Data(c *jay.Conn, b []byte) (int, error) {
	c.SetDeadline(2 * time.Minute)
	return len(b), nil
}

// strict answers when its deadline passes.
type strict struct{ patient }

func (strict) Deadline(c *jay.Conn) { c.CloseWith([]byte("too slow")) }

func TestProtocolDeadline(t *testing.T) {
	virtual(t, func(t *testing.T, serve func(*jay.Server) *pipes) {
		closed := make(chan error, 1)
		onClose := func(_ *jay.Conn, err error) { closed <- err }
		c := serve(&jay.Server{Protocol: every(patient{}), OnClose: onClose}).dial()
		send(t, c, "x")
		wantBetween(t, "closed", endOf(t, c), 2*time.Minute)
		if err := <-closed; !errors.Is(err, jay.ErrDeadline) {
			t.Errorf("OnClose got %v, want ErrDeadline", err)
		}
	})
	virtual(t, func(t *testing.T, serve func(*jay.Server) *pipes) {
		closed := make(chan error, 1)
		onClose := func(_ *jay.Conn, err error) { closed <- err }
		c := serve(&jay.Server{Protocol: every(strict{}), OnClose: onClose}).dial()
		send(t, c, "x")
		expect(t, c, "too slow")
		endOf(t, c)
		if err := <-closed; err != nil {
			t.Errorf("OnClose got %v, want nil", err)
		}
	})
}

func TestWriteStall(t *testing.T) {
	virtual(t, func(t *testing.T, serve func(*jay.Server) *pipes) {
		closed := make(chan error, 1)
		c := serve(&jay.Server{
			Protocol: onLine(func(c *jay.Conn, line string) { c.WriteString("an answer that nobody reads") }),
			OnClose:  func(_ *jay.Conn, err error) { closed <- err },
		}).dial()
		defer c.Close()
		send(t, c, "x\n")
		from := time.Now()
		err := <-closed
		wantBetween(t, "closed", time.Since(from), 30*time.Second)
		if !errors.Is(err, jay.ErrWriteStall) {
			t.Errorf("OnClose got %v, want ErrWriteStall", err)
		}
	})
}

// TestSteadyReader: a peer that takes a little again and again has not stalled,
// however long all of it takes.
func TestSteadyReader(t *testing.T) {
	virtual(t, func(t *testing.T, serve func(*jay.Server) *pipes) {
		const size = 1 << 20
		closed := make(chan error, 1)
		c := serve(&jay.Server{
			Protocol: onLine(func(c *jay.Conn, line string) { c.CloseWith(make([]byte, size)) }),
			OnClose:  func(_ *jay.Conn, err error) { closed <- err },
		}).dial()
		send(t, c, "x\n")
		got := 0
		for buf := make([]byte, 64<<10); ; time.Sleep(8 * time.Second) {
			n, err := io.ReadFull(c, buf)
			if got += n; err != nil {
				break
			}
		}
		c.Close()
		if err := <-closed; got != size || err != nil {
			t.Errorf("got %d of %d bytes, OnClose got %v", got, size, err)
		}
	})
}

func TestCloseTimeout(t *testing.T) {
	virtual(t, func(t *testing.T, serve func(*jay.Server) *pipes) {
		closed := make(chan error, 1)
		c := serve(&jay.Server{
			Protocol: onLine(func(c *jay.Conn, line string) { c.CloseWith([]byte("an answer that nobody reads")) }),
			OnClose:  func(_ *jay.Conn, err error) { closed <- err },
		}).dial()
		defer c.Close()
		send(t, c, "x\n")
		from := time.Now()
		err := <-closed
		wantBetween(t, "closed", time.Since(from), 10*time.Second)
		if !errors.Is(err, jay.ErrCloseTimeout) {
			t.Errorf("OnClose got %v, want ErrCloseTimeout", err)
		}
	})
}

// TestAcceptErrors holds the worker to its word that no error of accept ends
// it, and that lack of descriptors does not make it spin.
func TestAcceptErrors(t *testing.T) {
	virtual(t, func(t *testing.T, serve func(*jay.Server) *pipes) {
		var worker *jay.Worker
		p := serve(&jay.Server{Protocol: every(echo{}), Loops: 1, OnWorkerStart: func(w *jay.Worker) error { worker = w; return nil }})
		from := time.Now()
		for range 5 {
			p.errors <- syscall.ECONNABORTED
		}
		if d := time.Since(from); d != 0 {
			t.Errorf("ECONNABORTED paused accepting for %v", d)
		}
		for _, err := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EIO, syscall.EMFILE, syscall.EMFILE, syscall.EMFILE, syscall.EMFILE} {
			p.errors <- err
		}
		if d := time.Since(from); d < time.Second || d > 5*time.Second {
			t.Errorf("nine failures took %v, want a pause that doubles from 10 ms to 1 s", d)
		}
		c := p.dial()
		send(t, c, "alive")
		expect(t, c, "alive")
		c.Close()
		if st := worker.Report(); st.AcceptErrors != 14 || st.Accepted != 1 {
			t.Errorf("accept errors %d, accepted %d; want 14 and 1", st.AcceptErrors, st.Accepted)
		}
	})
}

// TestShareRule gives a worker more than its share and expects that it leaves
// new connections to its peers for a moment, and takes what they leave.
func TestShareRule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		s := &jay.Server{Protocol: every(echo{}), Conn: jay.ConnConfig{IdleTimeout: -1}}
		go func() { ended <- jay.ServeAmong(ctx, s, p, func() (int, int) { return 20, 4 }) }()
		var conns []net.Conn
		dial := func() time.Duration {
			from := time.Now()
			c := p.dial()
			send(t, c, "x")
			expect(t, c, "x")
			conns = append(conns, c)
			return time.Since(from)
		}
		for i := range 7 { // 5 are its share, 7 are tolerated
			if d := dial(); d != 0 {
				t.Errorf("connection %d waited %v, though the worker has no more than its share", i, d)
			}
		}
		dial()
		for range 5 {
			if d := dial(); d <= 0 || d > 100*time.Millisecond {
				t.Errorf("a connection beyond the share waited %v, want a few milliseconds", d)
			}
		}
		for _, c := range conns {
			c.Close()
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestTimeoutsGoOn: a timeout that has rested counts from the time at which
// nothing stands against it any more, also where it is the only one.
func TestTimeoutsGoOn(t *testing.T) {
	const limit, rest = 10 * time.Second, 35 * time.Second
	tests := map[string]struct {
		conn    jay.ConnConfig
		connect func(c *jay.Conn) (goOn func())
		err     error
	}{
		"idle, after a Hold": {
			jay.ConnConfig{IdleTimeout: limit}, func(c *jay.Conn) func() { c.Hold(); return c.Release }, jay.ErrIdle,
		},
		"idle, after a deadline": {
			jay.ConnConfig{IdleTimeout: limit}, func(c *jay.Conn) func() {
				c.SetDeadline(time.Hour)
				return func() { c.SetDeadline(0) }
			}, jay.ErrIdle,
		},
		"idle, made shorter in a Hold": {
			jay.ConnConfig{}, func(c *jay.Conn) func() {
				c.Hold()
				c.SetIdleTimeout(limit)
				return c.Release
			}, jay.ErrIdle,
		},
		"read idle, after a pause": {
			jay.ConnConfig{IdleTimeout: -1, ReadIdleTimeout: limit}, func(c *jay.Conn) func() {
				c.PauseRead()
				return c.ResumeRead
			}, jay.ErrReadIdle,
		},
		"read idle, set in a pause": {
			jay.ConnConfig{IdleTimeout: time.Hour}, func(c *jay.Conn) func() {
				c.PauseRead()
				c.SetReadIdleTimeout(limit)
				return c.ResumeRead
			}, jay.ErrReadIdle,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(t *testing.T, serve func(*jay.Server) *pipes) {
				closed := make(chan error, 1)
				c := serve(&jay.Server{
					Protocol: every(swallow{}), Conn: test.conn,
					OnConnect: func(c *jay.Conn) { c.Loop().AfterFunc(rest, test.connect(c)) },
					OnClose:   func(_ *jay.Conn, err error) { closed <- err },
				}).dial()
				time.AfterFunc(10*limit, func() { _ = c.Close() })
				wantBetween(t, "closed", endOf(t, c), rest+limit)
				if err := <-closed; !errors.Is(err, test.err) {
					t.Errorf("OnClose got %v, want %v", err, test.err)
				}
			})
		})
	}
}
