package jay_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/jay-go/jay"
)

// pushEvery has the server send something to c once a second.
func pushEvery(c *jay.Conn) {
	ref := c.Ref()
	timer := c.Loop().Every(time.Second, func() { _ = ref.Do(func(c *jay.Conn) { _, _ = c.WriteString("push") }) })
	c.SetValue(timer)
}

// TestReadIdleTimeout: what the server sends does not keep a silent peer, what
// the peer sends does, and where nothing is read nothing is missed.
func TestReadIdleTimeout(t *testing.T) {
	const limit = 10 * time.Second
	tests := map[string]struct {
		server  jay.Server
		connect func(c *jay.Conn)
		client  func(c net.Conn)
		after   time.Duration
		err     error
	}{
		"silent": {
			server: jay.Server{Conn: jay.ConnConfig{ReadIdleTimeout: limit}}, connect: pushEvery, after: limit, err: jay.ErrReadIdle,
		},
		"of one": {
			connect: func(c *jay.Conn) { pushEvery(c); c.SetReadIdleTimeout(limit) }, after: limit, err: jay.ErrReadIdle,
		},
		"sends at times": {
			server: jay.Server{Conn: jay.ConnConfig{ReadIdleTimeout: limit}}, connect: pushEvery,
			client: func(c net.Conn) {
				for range 3 {
					time.Sleep(8 * time.Second)
					_, _ = io.WriteString(c, "x")
				}
			},
			after: 3*8*time.Second + limit, err: jay.ErrReadIdle,
		},
		"rests while paused": {
			server: jay.Server{Conn: jay.ConnConfig{ReadIdleTimeout: limit}},
			connect: func(c *jay.Conn) {
				pushEvery(c)
				c.PauseRead()
				c.Loop().AfterFunc(30*time.Second, c.ResumeRead)
			},
			after: 30*time.Second + limit, err: jay.ErrReadIdle,
		},
		"in spite of a deadline and a Hold": {
			server:  jay.Server{Conn: jay.ConnConfig{ReadIdleTimeout: limit}},
			connect: func(c *jay.Conn) { c.SetDeadline(time.Hour); c.Hold() },
			after:   limit, err: jay.ErrReadIdle,
		},
		"none for one": {
			server:  jay.Server{Conn: jay.ConnConfig{ReadIdleTimeout: limit, IdleTimeout: 20 * time.Second}},
			connect: func(c *jay.Conn) { c.SetReadIdleTimeout(0) }, after: 20 * time.Second, err: jay.ErrIdle,
		},
		"negative is none": {
			server: jay.Server{Conn: jay.ConnConfig{ReadIdleTimeout: -1, IdleTimeout: 20 * time.Second}}, after: 20 * time.Second, err: jay.ErrIdle,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(t *testing.T, serve func(*jay.Server) *pipes) {
				closed := make(chan error, 1)
				s := test.server
				s.Protocol = every(swallow{})
				s.OnConnect = func(c *jay.Conn) {
					if test.connect != nil {
						test.connect(c)
					}
				}
				s.OnClose = func(c *jay.Conn, err error) {
					if timer, ok := c.Value().(interface{ Stop() bool }); ok {
						timer.Stop()
					}
					closed <- err
				}
				c := serve(&s).dial()
				if test.client != nil {
					go test.client(c)
				}
				wantBetween(t, "closed", endOf(t, c), test.after)
				if err := <-closed; !errors.Is(err, test.err) {
					t.Errorf("OnClose got %v, want %v", err, test.err)
				}
			})
		})
	}
}

// swallow answers nothing.
type swallow struct{}

func (swallow) Open(*jay.Conn)                          {}
func (swallow) Data(_ *jay.Conn, b []byte) (int, error) { return len(b), nil }
func (swallow) Close(*jay.Conn, error)                  {}

// TestSendRef: a message from a goroutine is one call, and who sends what is
// none is told.
func TestSendRef(t *testing.T) {
	refs := make(chan jay.Ref, 1)
	h := &jay.Messages[string]{Codec: picky{}, OnMessage: func(*jay.Conn, string) {}}
	addr := serve(t, &jay.Server{Protocol: h, OnConnect: func(c *jay.Conn) { refs <- c.Ref() }}, "auto")
	c := dial(t, addr)
	ref := receive(t, refs, "the connection")
	if err := h.SendRef(ref, "hello"); err != nil {
		t.Error(err)
	}
	if err := h.SendRef(ref, ""); !errors.Is(err, errPicky) {
		t.Errorf("what cannot be encoded: %v", err)
	}
	if err := jay.SendRef(ref, picky{}, "again"); err != nil {
		t.Error(err)
	}
	expect(t, c, "hello\nagain\n")
	c.Close()
	eventually(t, "the end", ref.Closed)
	if err := h.SendRef(ref, "late"); !errors.Is(err, jay.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

// picky is a codec of lines that are not empty.
type picky struct{ lines }

var errPicky = errors.New("an empty line")

func (p picky) Append(dst []byte, m string) ([]byte, error) {
	if m == "" {
		return dst, errPicky
	}
	return p.lines.Append(dst, m)
}

// An end of a Pipe from which nothing is taken because the other end has no room
// is not silent.
func TestReadIdleOfAPipe(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, backend string) {
		var up *jay.Conn // loop only
		c, far := piped(t, backend, func(_, b *jay.Conn) { up = b })
		data := numbered(16 << 20)
		go func() {
			_, _ = far.Write(data)
			_ = far.(*net.TCPConn).CloseWrite()
		}()
		worker := up.Worker()
		on := func(fn func()) {
			done := make(chan bool, 1)
			_ = worker.Loop().Post(func() { fn(); done <- true })
			receive(t, done, "a turn")
		}
		awaitFull(t, up)
		const limit = 200 * time.Millisecond
		on(func() { up.SetReadIdleTimeout(limit) })
		time.Sleep(4 * limit)
		on(func() { up.SetReadIdleTimeout(0) })
		if got, err := io.ReadAll(c); len(got) != len(data) || err != nil {
			t.Errorf("%d of %d bytes arrived, %v", len(got), len(data), err)
		}
	})
}
