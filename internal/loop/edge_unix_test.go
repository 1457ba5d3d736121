//go:build unix

package loop_test

import (
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/jay-go/jay/internal/loop"
	"golang.org/x/sys/unix"
)

// A read may end before the last byte that is there. What lies behind is received
// as well, though nothing more arrives that would wake the loop for it.
func TestReadsThatStopShort(t *testing.T) {
	const budget = 8
	for _, tt := range []struct {
		name, network string
		send          func(t testing.TB, peer net.Conn)
		want          string
		end           error // what follows, nil: nothing
	}{
		{"the budget is spent", "tcp", func(t testing.TB, p net.Conn) { write(t, p, strings.Repeat("x", 3*budget+1)) }, strings.Repeat("x", 3*budget+1), nil},
		{"the budget is just spent", "tcp", func(t testing.TB, p net.Conn) { write(t, p, strings.Repeat("x", budget)) }, strings.Repeat("x", budget), nil},
		{"the end lies behind", "tcp", func(t testing.TB, p net.Conn) { write(t, p, "x"); _ = p.(closeWriter).CloseWrite() }, "x", io.EOF},
		{"the peer has closed", "tcp", func(t testing.TB, p net.Conn) { write(t, p, "x"); _ = p.Close() }, "x", io.EOF},
		{"urgent data", "tcp", func(t testing.TB, p net.Conn) {
			write(t, p, "ab")
			urgent(t, p)
			write(t, p, "de")
		}, "abde", nil},
		{"urgent data and the end", "tcp", func(t testing.TB, p net.Conn) {
			write(t, p, "ab")
			urgent(t, p)
			write(t, p, "de")
			_ = p.Close()
		}, "abde", io.EOF},
		{"descriptors", "unix", func(t testing.TB, p net.Conn) {
			write(t, p, "ab")
			rights(t, p)
			write(t, p, "de")
		}, "abcde", nil},
		{"descriptors and the end", "unix", func(t testing.TB, p net.Conn) {
			rights(t, p)
			rights(t, p)
			_ = p.Close()
		}, "cc", io.EOF},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachBackend(t, loop.Config{ReadBudget: budget}, func(r *rig) {
				for _, panics := range []bool{false, true} {
					for _, paused := range []bool{false, true} {
						peer, c := r.attach(tt.network)
						fail := once()
						if c.onReceived = func([]byte, error) { fail() }; !panics {
							c.onReceived = nil
						}
						r.on(func() { // the loop sees all of it at once
							if !paused {
								c.StartRecv()
							}
							tt.send(r, peer)
						})
						r.on(c.StartRecv)
						c.expect(tt.want)
						if tt.end != nil {
							c.expectErr(tt.end)
						}
						if panics {
							r.faulted()
						}
						if !panics && !paused {
							r.still(tt.name)
						}
						if tt.end == nil {
							write(r, peer, "more")
							c.expect("more")
						}
						r.on(func() { c.Close(false) })
					}
				}
			})
		})
	}
}

// urgent sends a byte out of band: it is no part of the stream.
func urgent(t testing.TB, p net.Conn) {
	t.Helper()
	control(t, p, func(fd int) error { return unix.Send(fd, []byte("!"), unix.MSG_OOB) })
}

// rights sends a c and a descriptor, which nobody takes.
func rights(t testing.TB, p net.Conn) {
	t.Helper()
	control(t, p, func(fd int) error { return unix.Sendmsg(fd, []byte("c"), unix.UnixRights(fd), nil, 0) })
}

func control(t testing.TB, p net.Conn, fn func(fd int) error) {
	t.Helper()
	raw, err := p.(syscall.Conn).SyscallConn()
	if err == nil {
		err2 := raw.Control(func(fd uintptr) { err = fn(int(fd)) })
		if err == nil {
			err = err2
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}
