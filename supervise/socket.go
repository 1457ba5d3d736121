package supervise

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/jay-go/jay/internal/addr"
)

// A Socket is one bound address. It is a small value; copies are the same socket.
type Socket struct {
	// Addr is the address as bound, with the real port: "tcp://127.0.0.1:40123".
	Addr string
	// Configured is the address as the program or the command line wrote it.
	Configured string

	h *handle
}

// FD is the raw descriptor: non-blocking, close-on-exec, owned by the Socket.
// It is -1 on platforms other than Linux.
func (s Socket) FD() int { return s.h.fd() }

// Listener returns a net.Listener on the socket, for net/http and its like.
// Closing it leaves the Socket, and its other holders, as they were.
func (s Socket) Listener() (net.Listener, error) {
	if s.datagram() {
		return nil, fmt.Errorf("listener on %s: it is a datagram socket; use PacketConn", s.Addr)
	}
	ln, err := s.h.listener()
	if err != nil {
		return nil, err
	}
	return plainListener{ln}, nil
}

// plainListener hides File, through which a user could change the blocking
// mode of a socket that other processes share.
type plainListener struct{ net.Listener }

// PacketConn returns a net.PacketConn on a udp:// socket. Closing it leaves
// the Socket as it was.
func (s Socket) PacketConn() (net.PacketConn, error) {
	if !s.datagram() {
		return nil, fmt.Errorf("packet connection on %s: it is a stream socket; use Listener", s.Addr)
	}
	return s.h.packetConn()
}

func (s Socket) datagram() bool { return strings.HasPrefix(s.Addr, "udp://") }

// Close closes the descriptor and removes a Unix socket's path that Listen made,
// unless another socket has taken the path since.
// A worker need not close its sockets.
func (s Socket) Close() error { return s.h.close() }

// is reports whether a user who writes a means this socket.
func (s Socket) is(a string) bool {
	if a == s.Addr || a == s.Configured {
		return true
	}
	meant, err := addr.Parse(a)
	if err != nil {
		return false
	}
	for _, text := range []string{s.Addr, s.Configured} {
		if own, err := addr.Parse(text); err == nil && own.String() == meant.String() {
			return true
		}
	}
	return false
}

// Listen opens sockets without a master: what a server that runs in-process
// uses. backlog zero means 1024. Either all are open or none is.
func Listen(addrs []string, backlog int) ([]Socket, error) {
	var open []Socket
	for _, text := range addrs {
		s, err := listenOne(text, backlog, false)
		if err != nil {
			for _, s := range open {
				err = errors.Join(err, s.Close())
			}
			return nil, err
		}
		open = append(open, s)
	}
	return open, nil
}

// ListenReusePort opens one socket whose address other processes may open too
// in the same way, where the platform has SO_REUSEPORT: the kernel spreads
// connections over them.
func ListenReusePort(address string, backlog int) (Socket, error) {
	return listenOne(address, backlog, true)
}

func listenOne(text string, backlog int, reusePort bool) (Socket, error) {
	a, err := addr.Parse(text)
	if err != nil {
		return Socket{}, err
	}
	h, bound, err := openHandle(a, backlogOr(backlog), reusePort)
	if err != nil {
		return Socket{}, fmt.Errorf("listen %s: %w", a, err)
	}
	return Socket{Addr: boundName(a, bound), Configured: text, h: h}, nil
}

// boundName prints the address that a socket is bound to under the scheme that
// was asked for.
func boundName(a addr.Addr, bound string) string { return string(a.Scheme) + "://" + bound }

func backlogOr(n int) int {
	if n == 0 {
		return 1024
	}
	return n
}
