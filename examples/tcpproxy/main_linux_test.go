package main

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

// upstream runs serve for each connection to a listener of the test's own and
// returns the listener's address as --to has it.
func upstream(t *testing.T, network string, serve func(net.Conn)) string {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "up")
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(exampletest.Patience))
			all.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		all.Wait()
	})
	return network + "://" + ln.Addr().String()
}

// echo sends everything back, then ends as the client has ended. The copy
// sees a plain writer: between two sockets io.Copy splices through pipes that
// the runtime keeps until a garbage collection, as descriptors left behind.
func echo(c net.Conn) { _, _ = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c}) }

func TestCarries(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			s := exampletest.Start(t, "--workers", "1", "--to", upstream(t, network, echo))
			p := s.Dial("tcpproxy")
			p.Send("0")
			p.Expect("0")
			p.Send("hello")
			p.Expect("hello")
			p.CloseWrite()
			p.ExpectEnd()
		})
	}
}

// TestLarge: many megabytes both ways at once, byte for byte.
func TestLarge(t *testing.T) {
	p := exampletest.Start(t, "--workers", "1", "--to", upstream(t, "tcp", echo)).Dial("tcpproxy")
	sent := make([]byte, 32<<20)
	rng := rand.NewChaCha8([32]byte{})
	_, _ = rng.Read(sent)
	back := make(chan []byte, 1)
	go func() {
		b, _ := io.ReadAll(p.TCPConn)
		back <- b
	}()
	p.Send(string(sent))
	p.CloseWrite()
	if got := <-back; !bytes.Equal(got, sent) {
		t.Errorf("%d bytes were sent and %d came back, equal %v", len(sent), len(got), bytes.Equal(got, sent))
	}
}

// TestBackpressure: what the other end does not take is not taken from the
// client either.
func TestBackpressure(t *testing.T) {
	end := make(chan struct{})
	to := upstream(t, "tcp", func(net.Conn) { <-end })
	p := exampletest.Start(t, "--workers", "1", "--to", to).Dial("tcpproxy")
	defer close(end)
	const tooMuch = 64 << 20
	taken := 0
	for block := make([]byte, 64<<10); taken < tooMuch; {
		_ = p.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
		n, err := p.Write(block)
		taken += n
		if err != nil {
			return // the proxy takes no more
		}
	}
	t.Errorf("the proxy has taken %d bytes that nobody reads", taken)
}

// TestClosedAbove: the end of the other side is the client's.
func TestClosedAbove(t *testing.T) {
	to := upstream(t, "tcp", func(c net.Conn) { _, _ = io.WriteString(c, "bye") })
	p := exampletest.Start(t, "--to", to).Dial("tcpproxy")
	p.Expect("bye")
	p.ExpectEnd()
}

// TestNobodyThere: the client sees the end, the log says why.
func TestNobodyThere(t *testing.T) {
	s := exampletest.Start(t, "--to", "unix://"+filepath.Join(t.TempDir(), "nobody"))
	p := s.Dial("tcpproxy")
	p.Send("hello")
	p.ExpectEnd()
	s.Eventually("the log says that dialling failed", func() bool {
		return strings.Contains(s.Output(), "connection failed") && strings.Contains(s.Output(), "no such file")
	})
}

// TestNoDestination: a proxy to nowhere does not become ready, and says why.
func TestNoDestination(t *testing.T) {
	s := exampletest.Launch(t)
	s.Eventually("the log names the flag", func() bool { return strings.Contains(s.Output(), "--to is missing") })
}
