package exampletest

import (
	"bufio"
	"io"
	"net"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/reset"
)

// A Peer is a client of the service. What it waits for and does not get fails
// the test.
type Peer struct {
	*net.TCPConn
	t  *testing.T
	in *bufio.Reader
}

// Dial connects to the server with this name. The end of the test closes the
// connection.
func (s *Service) Dial(server string) *Peer {
	s.t.Helper()
	conn, err := net.DialTimeout("tcp", s.Addr(server), Patience)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { reset.Close(conn) })
	_ = conn.SetDeadline(time.Now().Add(Patience))
	return &Peer{conn.(*net.TCPConn), s.t, bufio.NewReader(conn)}
}

// Send writes text.
func (p *Peer) Send(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p.TCPConn, text); err != nil {
		p.t.Fatalf("send %q: %v", text, err)
	}
}

// Expect reads as much as want is long, and it is want.
func (p *Peer) Expect(want string) {
	p.t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(p.in, got)
	if string(got[:n]) != want {
		p.t.Fatalf("received %q, %v; want %q", got[:n], err, want)
	}
}

// Line reads a line, without its ending.
func (p *Peer) Line() string {
	p.t.Helper()
	line, err := p.in.ReadString('\n')
	if err != nil {
		p.t.Fatalf("a line was awaited: %q, %v", line, err)
	}
	return line[:len(line)-1]
}

// ExpectEnd reads the end of the stream, with nothing before it.
func (p *Peer) ExpectEnd() {
	p.t.Helper()
	if rest, err := io.ReadAll(p.in); len(rest) > 0 || err != nil {
		p.t.Fatalf("the end was awaited: %q, %v", rest, err)
	}
}
