package loop_test

import (
	"fmt"
	"net"

	"github.com/jay-go/jay/internal/loop"
)

// parrot sends each packet back to whom it came from. What arrives is valid until
// Arrived returns, what is sent belongs to the loop until Departed: so it copies.
type parrot struct {
	p    *loop.Packets
	rest []loop.Packet
}

func (h *parrot) Arrived(batch []loop.Packet, err error) {
	if err != nil {
		return
	}
	for _, k := range batch {
		h.rest = append(h.rest, loop.Packet{B: append([]byte(nil), k.B...), Peer: k.Peer})
	}
	h.send()
}

func (h *parrot) send() {
	for len(h.rest) > 0 && !h.p.Sending() {
		n, err := h.p.Send(h.rest)
		h.gone(n, err)
	}
}

// gone forgets what was sent, and the packet that could not be.
func (h *parrot) gone(n int, err error) {
	if err != nil {
		n++
	}
	h.rest = h.rest[n:]
}

func (h *parrot) Departed(n int, err error) {
	h.gone(n, err)
	h.send()
}

func ExampleLoop_Packets() {
	l, err := loop.New(loop.Config{Backend: "goroutine"}) // "epoll" takes raw descriptors
	if err != nil {
		fmt.Println(err)
		return
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	h := new(parrot)
	own := func() (net.PacketConn, error) { return conn, nil }
	if h.p, err = l.Packets(loop.PacketSocket{FD: -1, Conn: own}, h); err != nil {
		fmt.Println(err)
		return
	}
	h.p.StartRecv()
	go func() {
		defer l.Stop()
		c, err := net.Dial("udp", conn.LocalAddr().String())
		if err != nil {
			fmt.Println(err)
			return
		}
		defer c.Close()
		fmt.Fprint(c, "hello")
		b := make([]byte, 100)
		n, err := c.Read(b)
		fmt.Println(string(b[:n]), err)
	}()
	if err := l.Run(); err != nil {
		fmt.Println(err)
	}
	// Output: hello <nil>
}
