package loop_test

import (
	"fmt"
	"io"
	"net"

	"github.com/jay-go/jay/loop"
)

// shouter answers in capitals. It is loop's lowest level; package jay has
// connections with buffers and protocols.
type shouter struct {
	loop.Stream
}

func (s *shouter) Received(b []byte, err error) {
	if err != nil {
		s.Close(false)
		return
	}
	out := make([]byte, len(b))
	for i, c := range b {
		out[i] = c &^ 0x20
	}
	if _, err := s.Send([][]byte{out}); err != nil {
		s.Close(true)
	}
}

// Sent comes for what Send did not take at once: never, with so few bytes, on
// epoll.
func (s *shouter) Sent(int, error) {}

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
