package loop_test

import (
	"fmt"
	"io"
	"net"

	"github.com/jay-go/jay/internal/loop"
)

// shouter answers in capitals. It is loop's lowest level; package jay has
// connections with buffers and protocols.
type shouter struct {
	loop.Stream
	out []byte // not sent yet
}

func (s *shouter) Received(b []byte, err error) {
	if err != nil {
		s.Close(false)
		return
	}
	for _, c := range b {
		s.out = append(s.out, c&^0x20)
	}
	if !s.Sending() {
		s.send()
	}
}

// send sends what there is. If that is not taken at once, Sent follows, and goes
// on with the rest.
func (s *shouter) send() {
	n, err := s.Send([][]byte{s.out})
	if err != nil {
		s.Close(true)
		return
	}
	s.out = s.out[n:]
}

// Sent comes for what Send did not take at once.
func (s *shouter) Sent(n int, err error) {
	if s.out = s.out[n:]; err != nil {
		s.Close(true)
	} else if len(s.out) > 0 {
		s.send()
	}
}

// Gone comes only while receiving is stopped.
func (s *shouter) Gone() {}

// acceptAll attaches a shouter to each connection.
type acceptAll struct{ l *loop.Loop }

func (a acceptAll) Accepted(sock loop.Socket) {
	s := new(shouter)
	if err := a.l.Attach(&s.Stream, sock, s); err != nil {
		fmt.Println(err)
		return
	}
	s.StartRecv()
}

func (a acceptAll) AcceptFailed(err error) { fmt.Println(err) }
func (a acceptAll) Closed()                {}

func ExampleLoop_Listen() {
	l, err := loop.New(loop.Config{Backend: "goroutine"}) // "epoll" takes raw descriptors
	if err != nil {
		fmt.Println(err)
		return
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	own := func() (net.Listener, error) { return ln, nil }
	listener, err := l.Listen(loop.ListenSocket{FD: -1, Listener: own}, acceptAll{l})
	if err != nil {
		fmt.Println(err)
		return
	}
	listener.Resume()
	go func() {
		defer l.Stop()
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			fmt.Println(err)
			return
		}
		defer c.Close()
		fmt.Fprint(c, "hello")
		answer := make([]byte, 5)
		if _, err := io.ReadFull(c, answer); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(string(answer))
	}()
	if err := l.Run(); err != nil {
		fmt.Println(err)
	}
	// Output: HELLO
}
