package loop

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/jay-go/jay/internal/poison"
	"github.com/jay-go/jay/internal/sys"
	"golang.org/x/sys/unix"
)

func (b *epollBackend) addStream(s *Stream, sock Socket) error {
	fd := sock.FD
	if sock.Conn != nil {
		var err error
		if fd, err = descriptorOf(sock.Conn); err != nil {
			return err
		}
		s.fd = int32(fd)
	}
	s.mask = unix.EPOLLIN // ahead of StartRecv, which then costs nothing
	if sock.Peer.IsValid() {
		s.mask = edges
	}
	err := b.ep.Add(fd, s.mask, s.slot, s.gen)
	if sock.Conn != nil {
		if err != nil {
			return errors.Join(err, sys.Close(fd))
		}
		_ = sock.Conn.Close() // its descriptor lives on in fd
	}
	return err
}

// descriptorOf returns a copy of a connection's descriptor. It does not use
// the File method, which puts the open file into blocking mode.
func descriptorOf(conn net.Conn) (fd int, err error) {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return -1, fmt.Errorf("%T has no descriptor", conn)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return -1, err
	}
	ctl := raw.Control(func(orig uintptr) { fd, err = sys.DupFD(int(orig)) })
	return fd, errors.Join(ctl, err)
}

// edges is what a TCP connection waits for. Each level that epoll has reported
// it looks up once more in the next call, which in a pass over thousands of
// connections is one wait for memory more; of an edge it forgets the place. A
// read that is cut short has taken everything then, unless the event said that
// more than bytes had come: the end, or urgent data, where a read stops. Over a
// Unix socket reads stop in other places too, so that levels remain.
const edges = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLPRI | unix.EPOLLET

// byEdge reports whether s waits for edges because it is a TCP connection; not
// every stream that waits for edges does: see streamReady.
func byEdge(s *Stream) bool { return s.mask&unix.EPOLLPRI != 0 }

// startRecv tells epoll only if a stop went that far.
func (b *epollBackend) startRecv(s *Stream) {
	switch {
	case !byEdge(s):
		b.want(s, s.mask&^unix.EPOLLRDHUP|unix.EPOLLIN)
	case s.mask&edges != edges: // otherwise nothing has come that was not read
		b.want(s, s.mask|edges)
	}
}

// stopRecv does nothing yet: streamReady stops for real when bytes arrive
// that nobody wants, which between two requests they do not.
func (b *epollBackend) stopRecv(*Stream) {}

// want tells epoll what a stream waits for. An edge is waited for anew with
// every call, and reported again if it is there.
func (b *epollBackend) want(s *Stream, mask uint32) {
	if mask == s.mask && mask&unix.EPOLLET == 0 {
		return
	}
	s.mask = mask
	_ = b.ep.Mod(int(s.fd), mask, s.slot, s.gen)
}

// hungUp are the conditions that epoll reports asked or not.
const hungUp = unix.EPOLLHUP | unix.EPOLLERR

// streamReady acts on what epoll has seen of a stream. HUP and ERR stay, and
// cannot be masked: a stream that has hung up is told of edges from then on.
func (b *epollBackend) streamReady(s *Stream, ev uint32) {
	slot, gen := s.slot, s.gen
	if ev&hungUp != 0 && s.mask&unix.EPOLLET == 0 {
		b.want(s, s.mask|unix.EPOLLET)
	}
	if ev&(unix.EPOLLOUT|hungUp) != 0 {
		if s.send {
			s.send = false
			b.want(s, s.mask&^unix.EPOLLOUT)
			s.h.Sent(0, nil)
		} else if s.impl != nil {
			b.unblock(s)
		}
		if !s.open || s.slot != slot || s.gen != gen {
			return
		}
	}
	sp, _ := s.impl.(*splicing)
	switch {
	case s.recv && sp != nil && sp.to != nil:
		b.spliceReady(s, sp, ev)
	case s.recv:
		if ev&^unix.EPOLLOUT != 0 {
			b.receive(s, ev)
		}
	case ev&unix.EPOLLERR != 0:
		s.ended(socketError(int(s.fd)))
	default:
		b.unwanted(s, ev)
	}
}

// unwanted takes note of what arrives while nothing is received, and waits for
// it no longer. Behind bytes that nobody wants only the peer's end is news.
func (b *epollBackend) unwanted(s *Stream, ev uint32) {
	gone := ev&(unix.EPOLLRDHUP|unix.EPOLLHUP) != 0
	mask := s.mask &^ (ev & (unix.EPOLLIN | unix.EPOLLRDHUP))
	if ev&unix.EPOLLIN != 0 && !gone && !s.over() {
		mask |= unix.EPOLLRDHUP
	}
	if mask != s.mask {
		b.want(s, mask)
	}
	if gone {
		s.gone()
	}
}

// receive reads once. What it leaves is reported again: where epoll has to be
// told so, ahead of a callback that may not return.
func (b *epollBackend) receive(s *Stream, ev uint32) {
	n, err := sys.Read(int(s.fd), b.buf)
	switch err {
	case nil:
		if s.mask&unix.EPOLLET != 0 && (n == len(b.buf) || ev != unix.EPOLLIN || !byEdge(s)) {
			b.want(s, s.mask)
		}
		s.h.Received(b.buf[:n], nil)
		b.buf = poison.Renew(b.buf, n)
	case unix.EAGAIN:
	default:
		s.ended(readError(err))
	}
}

func (b *epollBackend) send(s *Stream, bufs [][]byte) (n int, err error) {
	total := 0
	for _, p := range bufs {
		total += len(p)
	}
	if len(bufs) == 1 {
		n, err = sys.Write(int(s.fd), bufs[0])
	} else {
		n, err = sys.Writev(int(s.fd), bufs)
	}
	if err != nil && !isFull(err) {
		return n, writeError(err)
	}
	if n > 0 {
		b.unscarce(s)
	}
	if n < total {
		s.send = true
		if n > 0 || !b.isScarce(s, err) {
			b.want(s, s.mask|unix.EPOLLOUT)
		}
	}
	return n, nil
}

func (b *epollBackend) closeWrite(s *Stream) error { return sys.CloseWrite(int(s.fd)) }

func (b *epollBackend) localAddr(s *Stream) net.Addr {
	a, _ := sys.LocalAddr(int(s.fd))
	return a
}

func (b *epollBackend) remoteAddr(s *Stream) net.Addr {
	a, _ := sys.PeerAddr(int(s.fd))
	return a
}

func (b *epollBackend) setUnsentMark(s *Stream, n int) { sys.SetUnsentMark(int(s.fd), n) }

func (b *epollBackend) unacked(s *Stream) (int, bool) { return sys.Unacked(int(s.fd)) }

func (b *epollBackend) unread(s *Stream) (int, bool) { return sys.Unread(int(s.fd)) }

func (b *epollBackend) closeStream(s *Stream, reset bool) {
	s.send = false // the kernel has copied what it took
	if reset {
		_ = sys.Reset(int(s.fd))
	}
	b.endSplice(s)
	b.unscarce(s)
	_ = sys.CloseSocket(int(s.fd))
}

func (b *epollBackend) detachStream(s *Stream) (net.Conn, error) {
	_ = b.ep.Del(int(s.fd))
	c, err := connOf(int(s.fd))
	if err != nil {
		if again := b.ep.Add(int(s.fd), s.mask, s.slot, s.gen); again != nil {
			b.lost(s, again)
		}
	}
	return c, err
}

// lost fails, in the next turn, a stream that epoll does not take back.
func (b *epollBackend) lost(s *Stream, err error) {
	slot, gen := s.slot, s.gen
	_ = b.l.PostAnyway(func() { // once for each stream
		if b.l.slots.get(slot, gen) != nil {
			s.ended(os.NewSyscallError("epoll_ctl", err))
		}
	})
}
