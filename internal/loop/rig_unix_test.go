//go:build unix

package loop_test

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/loop"
	"golang.org/x/sys/unix"
)

// patience is how long a test waits for what must come.
const patience = time.Minute

// rig is a running loop of one backend.
type rig struct {
	*testing.T
	backend string
	l       *loop.Loop
	polls   *atomic.Int64
	faults  chan *loop.PanicError
}

// eachBackend runs test once a backend, on a loop that ends with the test.
func eachBackend(t *testing.T, cfg loop.Config, test func(r *rig)) {
	for _, name := range loop.BackendNames() {
		t.Run(name, func(t *testing.T) { test(newRig(t, name, cfg)) })
	}
}

func newRig(t *testing.T, backend string, cfg loop.Config) *rig {
	t.Helper()
	r := &rig{T: t, backend: backend, faults: make(chan *loop.PanicError, 100)}
	cfg.Backend = backend
	cfg.Recover = func(e *loop.PanicError) { r.faults <- e }
	var err error
	if r.l, err = loop.New(cfg); err != nil {
		t.Fatal(err)
	}
	r.polls = loop.CountPolls(r.l)
	ended := make(chan error, 1)
	go func() { ended <- r.l.Run() }()
	t.Cleanup(func() {
		r.l.Stop()
		if err := wait(t, "the end of the loop", ended); err != nil {
			t.Errorf("Run: %v", err)
		}
		select {
		case e := <-r.faults:
			t.Errorf("a callback did not return: %v\n%s", e, e.Stack)
		default:
		}
	})
	return r
}

// sub is the same loop for a subtest.
func (r *rig) sub(t *testing.T) *rig {
	s := *r
	s.T = t
	return &s
}

// on runs fn on the loop and waits until it has run.
func (r *rig) on(fn func()) {
	r.Helper()
	done := make(chan struct{})
	r.l.Post(func() { defer close(done); fn() })
	wait(r, "a posted func", done)
}

// turns has the loop look at everything that is there now.
func (r *rig) turns() {
	r.Helper()
	for range 3 {
		r.on(func() {})
	}
}

func wait[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("%s did not come within %v", what, patience)
		panic("unreachable")
	}
}

// still waits until the loop, which has nothing to do, stands still, and fails
// the test if it does something all the time. It is measured over a moment in
// which a spinning loop polls thousands of times.
func (r *rig) still(when string) {
	r.Helper()
	n := int64(0)
	for range 100 {
		for range 5 { // what is on its way may still arrive
			r.on(func() {})
		}
		time.Sleep(10 * time.Millisecond)
		before := r.polls.Load()
		time.Sleep(50 * time.Millisecond)
		if n = r.polls.Load() - before; n <= 5 {
			return
		}
	}
	r.Errorf("%s: the loop polled %d times in 50 ms, want it to wait", when, n)
}

// completion is one call of a StreamHandler.
type completion struct {
	data string
	err  error
	sent int // -1: Received
}

func (c completion) String() string {
	if c.sent >= 0 {
		return fmt.Sprintf("Sent(%d, %v)", c.sent, c.err)
	}
	return fmt.Sprintf("Received(%.40q, %v)", c.data, c.err)
}

// conn is a stream that records its completions, after the hooks have run.
type conn struct {
	loop.Stream
	r          *rig
	events     chan completion
	onReceived func(b []byte, err error) // loop only
	onSent     func(n int, err error)    // loop only
}

func (c *conn) Received(b []byte, err error) {
	c.record(completion{data: string(b), err: err, sent: -1})
	if c.onReceived != nil {
		c.onReceived(b, err)
	}
}

func (c *conn) Sent(n int, err error) {
	c.record(completion{sent: n, err: err})
	if c.onSent != nil {
		c.onSent(n, err)
	}
}

func (c *conn) Gone() {}

func (c *conn) record(e completion) {
	select {
	case c.events <- e:
	default:
		c.r.Errorf("far too many completions, now %v", e)
	}
}

// expect takes completions until the bytes of want have been received, and
// fails on anything but them and the success of a Send.
func (c *conn) expect(want string) {
	c.r.Helper()
	for got := ""; got != want; {
		e := wait(c.r, fmt.Sprintf("%.40q after %.40q", want, got), c.events)
		if e.err != nil || len(got)+len(e.data) > len(want) {
			c.r.Fatalf("after %.40q came %v, want %.40q", got, e, want)
		}
		got += e.data
	}
}

// expectErr takes one completion, which reports the end err and no bytes.
func (c *conn) expectErr(err error) {
	c.r.Helper()
	e := wait(c.r, "the end of the stream", c.events)
	if !is(e.err, err) || e.data != "" || e.sent >= 0 {
		c.r.Errorf("got %v, want Received(\"\", %v)", e, err)
	}
}

func is(err, want error) bool {
	for e := err; e != nil; {
		if e == want {
			return true
		}
		u, ok := e.(interface{ Unwrap() error })
		if !ok {
			return false
		}
		e = u.Unwrap()
	}
	return err == want
}

// expectNone fails if there was a completion that nobody expected.
func (c *conn) expectNone() {
	c.r.Helper()
	c.r.on(func() {})
	select {
	case e := <-c.events:
		c.r.Errorf("unexpected %v", e)
	default:
	}
}

// attach makes a connected pair over "tcp" or "unix" and attaches one end,
// paused. The peer is closed with the test.
func (r *rig) attach(network string) (peer net.Conn, c *conn) {
	r.Helper()
	peer, own := pair(r, network)
	c = &conn{r: r, events: make(chan completion, 1000)}
	sock := r.socket(own)
	var err error
	r.on(func() { err = r.l.Attach(&c.Stream, sock, c) })
	if err != nil {
		r.Fatal(err)
	}
	return peer, c
}

// socket is a connection in the form that the backend accepts it in.
func (r *rig) socket(c net.Conn) loop.Socket {
	sock := loop.Socket{FD: -1, Conn: c}
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		sock.Peer = a.AddrPort()
	}
	if r.backend != "goroutine" {
		sock.FD, sock.Conn = rawFD(r, c), nil
	}
	return sock
}

func pair(t testing.TB, network string) (peer, own net.Conn) {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = filepath.Join(t.TempDir(), "s")
	}
	ln, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if peer, err = net.Dial(network, ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = peer.Close() })
	if own, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	_ = peer.SetDeadline(time.Now().Add(patience))
	return peer, own
}

// rawFD takes the descriptor out of a connection or listener, which it
// closes.
func rawFD(t testing.TB, c any) (fd int) {
	t.Helper()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err == nil {
		err2 := raw.Control(func(f uintptr) { fd, err = unix.FcntlInt(f, unix.F_DUPFD_CLOEXEC, 0) })
		if err == nil {
			err = err2
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = c.(io.Closer).Close()
	return fd
}

func write(t testing.TB, w io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatalf("write %.40q: %v", s, err)
	}
}

// networks runs test over TCP and over a Unix socket.
func networks(r *rig, test func(r *rig, network string)) {
	for _, network := range []string{"tcp", "unix"} {
		r.Run(network, func(t *testing.T) {
			test(r.sub(t), network)
		})
	}
}
