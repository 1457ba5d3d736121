package jay_test

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"github.com/jay-go/jay"
)

// identity is a layer that changes nothing: it keeps a Pipe from splicing.
type identity struct{}

func (identity) Open(*jay.Under)           {}
func (identity) Ready() bool               { return true }
func (identity) End() error                { return nil }
func (identity) Finish(wire []byte) []byte { return wire }
func (identity) Decode(plain, wire []byte) ([]byte, int, error) {
	return append(plain, wire...), len(wire), nil
}
func (identity) Encode(wire, plain []byte) ([]byte, error) { return append(wire, plain...), nil }

// sink takes what comes.
type sink struct{}

func (sink) Open(*jay.Conn)                          {}
func (sink) Data(_ *jay.Conn, b []byte) (int, error) { return len(b), nil }
func (sink) EOF(*jay.Conn)                           {} // keeps the connection
func (sink) Close(*jay.Conn, error)                  {}

// gatherer keeps what it gets.
type gatherer struct {
	echo
	got *bytes.Buffer // loop only
}

func (h gatherer) Data(_ *jay.Conn, b []byte) (int, error) { return h.got.Write(b) }

// numbered is n bytes that show where one is missing.
func numbered(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

// TestPipeIsInterfered does something to an end of a Pipe that is full, whose
// bytes the kernel carries where it can: what was on the way is neither lost nor
// overtaken.
func TestPipeIsInterfered(t *testing.T) {
	const size = 24 << 20
	data := numbered(size)
	tests := map[string]struct {
		act  func(near, up *jay.Conn, rest *bytes.Buffer)
		want func(got, rest []byte) bool
	}{
		"another handler for the source": {
			func(near, up *jay.Conn, rest *bytes.Buffer) {
				up.SetHandler(gatherer{got: rest})
				up.ResumeRead()
				near.CloseWrite()
			},
			func(got, rest []byte) bool { return len(rest) > 0 && bytes.Equal(append(got, rest...), data) },
		},
		"another handler for the destination": {
			func(near, _ *jay.Conn, _ *bytes.Buffer) { near.SetHandler(gatherer{got: new(bytes.Buffer)}) },
			func(got, _ []byte) bool { return bytes.Equal(got, data) },
		},
		"a layer": {
			func(near, _ *jay.Conn, _ *bytes.Buffer) { near.SetLayer(identity{}) },
			func(got, _ []byte) bool { return bytes.Equal(got, data) },
		},
		"a write": {
			func(near, _ *jay.Conn, _ *bytes.Buffer) { near.WriteString("<here>") },
			func(got, _ []byte) bool { return bytes.Equal(bytes.Replace(got, []byte("<here>"), nil, 1), data) },
		},
		"a write through a Ref": {
			func(near, _ *jay.Conn, _ *bytes.Buffer) { _ = near.Ref().Send([]byte("<here>")) },
			func(got, _ []byte) bool { return bytes.Equal(bytes.Replace(got, []byte("<here>"), nil, 1), data) },
		},
		"the source is closed": {
			func(_, up *jay.Conn, _ *bytes.Buffer) { up.Close() },
			func(got, _ []byte) bool { return len(got) > 0 && bytes.HasPrefix(data, got) },
		},
		"the destination is detached": {
			func(near, _ *jay.Conn, _ *bytes.Buffer) {
				_ = near.Detach(func(c net.Conn, _ []byte, err error) {
					if err == nil {
						_, _ = io.WriteString(c, "<here>")
						_ = c.Close()
					}
				})
			},
			func(got, _ []byte) bool {
				before, ok := bytes.CutSuffix(got, []byte("<here>"))
				return ok && bytes.HasPrefix(data, before)
			},
		},
		"the source is detached": {
			func(_, up *jay.Conn, rest *bytes.Buffer) {
				_ = up.Detach(func(c net.Conn, unused []byte, err error) {
					rest.Write(unused)
					_ = c.Close()
				})
			},
			func(got, rest []byte) bool { return len(got) > 0 && bytes.HasPrefix(data, append(got, rest...)) },
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				var near, up *jay.Conn // loop only
				var rest bytes.Buffer  // loop only
				c, far := piped(t, backend, func(a, b *jay.Conn) { near, up = a, b })
				sent := make(chan bool, 1)
				go func() {
					_, _ = far.Write(data)
					far.(*net.TCPConn).CloseWrite()
					sent <- true
				}()
				worker := near.Worker()
				on := func(fn func()) {
					done := make(chan bool, 1)
					worker.Loop().Post(func() { fn(); done <- true })
					receive(t, done, "a turn")
				}
				awaitFull(t, up)
				on(func() { tt.act(near, up, &rest) })
				got, err := io.ReadAll(c)
				if err != nil {
					t.Errorf("read: %v", err)
				}
				if name == "another handler for the source" {
					eventually(t, "the rest has come", func() (all bool) {
						on(func() { all = len(got)+rest.Len() >= size })
						return all
					})
				}
				far.Close()
				c.Close()
				receive(t, sent, "the end of the sender")
				var after []byte
				on(func() {
					after = bytes.Clone(rest.Bytes())
					near.Abort()
					up.Abort() // which nobody else may close any more
				})
				if !tt.want(got, after) {
					t.Errorf("%d bytes arrived, and %d beside them, of %d", len(got), len(after), size)
				}
			})
		})
	}
}

// awaitFull waits until nothing has come through a Pipe from this end for several
// looks in a row: who sends into it may be held up as well.
func awaitFull(t *testing.T, up *jay.Conn) {
	t.Helper()
	worker, last, looks := up.Worker(), uint64(0), 0
	eventually(t, "the pipe is full", func() bool {
		time.Sleep(20 * time.Millisecond)
		in := make(chan uint64, 1)
		_ = worker.Loop().Post(func() { in <- up.BytesIn() })
		if n := receive(t, in, "a turn"); n == last && n > 0 {
			looks++
		} else {
			last, looks = n, 0
		}
		return looks == 5
	})
}

// piped serves, on near, a connection that is piped to a listener's, far.
func piped(t *testing.T, backend string, on func(near, up *jay.Conn)) (c *net.TCPConn, far net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	joined := make(chan error, 1)
	addr := serve(t, &jay.Server{Protocol: every(echo{}), OnConnect: func(c *jay.Conn) {
		jay.Dialer{}.Dial(c.Worker(), ln.Addr().String(), every(echo{}), func(up *jay.Conn, err error) {
			if err == nil {
				jay.Pipe(c, up)
				on(c, up)
			}
			joined <- err
		})
	}}, backend)
	c = dial(t, addr)
	if far, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	if err := receive(t, joined, "Dial"); err != nil {
		t.Fatal(err)
	}
	return c, far
}
