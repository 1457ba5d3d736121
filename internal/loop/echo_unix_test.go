//go:build unix

package loop_test

import (
	"io"
	"testing"

	"github.com/jay-go/jay/internal/loop"
)

// echo sends back what it receives.
type echo struct {
	loop.Stream
	b    testing.TB
	bufs [1][]byte
}

func (e *echo) Received(b []byte, err error) {
	if err != nil {
		e.Close(false)
		return
	}
	e.bufs[0] = append(e.bufs[0][:0], b...)
	if _, err := e.Send(e.bufs[:]); err != nil {
		e.b.Error(err)
	}
}

func (*echo) Gone() {}

func (e *echo) Sent(_ int, err error) {
	if err != nil {
		e.b.Error(err)
	}
}

// One round trip of 64 bytes between a blocking client and the loop.
func BenchmarkEcho(b *testing.B) {
	for _, name := range loop.BackendNames() {
		b.Run(name, func(b *testing.B) {
			l, err := loop.New(loop.Config{Backend: name})
			if err != nil {
				b.Fatal(err)
			}
			peer, own := pair(b, "tcp")
			sock := loop.Socket{FD: -1, Conn: own}
			if name != "goroutine" {
				sock = loop.Socket{FD: rawFD(b, own)}
			}
			e := &echo{b: b}
			l.Post(func() {
				if err := l.Attach(&e.Stream, sock, e); err != nil {
					b.Error(err)
				}
				e.StartRecv()
			})
			ended := make(chan error, 1)
			go func() { ended <- l.Run() }()
			buf := make([]byte, 64)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := peer.Write(buf); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(peer, buf); err != nil {
					b.Fatal(err)
				}
			}
			l.Stop()
			if err := wait(b, "the end of the loop", ended); err != nil {
				b.Error(err)
			}
		})
	}
}
