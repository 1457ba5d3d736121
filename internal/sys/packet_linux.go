package sys

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// MaxRights is how many descriptors one packet may carry: what the kernel allows
// (SCM_MAX_FD).
const MaxRights = 253

// PacketPair makes two connected SEQPACKET sockets: whole messages, in order,
// and an end of file when the other side is gone. Close-on-exec, non-blocking.
func PacketPair() (a, b int, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, -1, os.NewSyscallError("socketpair", err)
	}
	return fds[0], fds[1], nil
}

// PacketConn is one end of a pair. Receive is for one goroutine, Send for any.
type PacketConn struct {
	f  *os.File
	fd int
}

// NewPacketConn takes over the descriptor.
func NewPacketConn(fd int) *PacketConn {
	return &PacketConn{f: os.NewFile(uintptr(fd), "packets"), fd: fd}
}

// FD is the descriptor's number.
func (c *PacketConn) FD() int { return c.fd }

// Close closes the descriptor.
func (c *PacketConn) Close() error { return c.f.Close() }

// SetReceiveDeadline makes Receive return os.ErrDeadlineExceeded at t.
func (c *PacketConn) SetReceiveDeadline(t time.Time) error { return c.f.SetReadDeadline(t) }

// Receive waits for one packet. The descriptors that came with it belong to
// the caller and are close-on-exec. io.EOF says that the peer is gone. A packet
// that did not fit is lost and is ErrTruncated. Of one with ErrNoDescriptors the
// n bytes are there, and none of its descriptors: this process may have no more.
// After any other error nothing more can be received.
func (c *PacketConn) Receive(b []byte) (n int, fds []int, err error) {
	raw, err := c.f.SyscallConn()
	if err != nil {
		return 0, nil, err
	}
	err2 := raw.Read(func(fd uintptr) bool {
		n, fds, err = receive(int(fd), b)
		return !errors.Is(err, unix.EAGAIN)
	})
	if err2 != nil {
		return 0, nil, err2
	}
	return n, fds, err
}

// ReceiveNow is Receive that does not wait, whatever the deadline: without a packet it
// returns ErrEmpty.
func (c *PacketConn) ReceiveNow(b []byte) (n int, fds []int, err error) {
	raw, err := c.f.SyscallConn()
	if err != nil {
		return 0, nil, err
	}
	err2 := raw.Control(func(fd uintptr) { n, fds, err = receive(int(fd), b) })
	switch {
	case err2 != nil:
		return 0, nil, err2
	case errors.Is(err, unix.EAGAIN):
		return 0, nil, ErrEmpty
	}
	return n, fds, err
}

func receive(fd int, b []byte) (int, []int, error) {
	oob := make([]byte, unix.CmsgSpace(4*MaxRights))
	var n, oobn, flags int
	var err error
	for reset := false; ; {
		n, oobn, flags, _, err = unix.Recvmsg(fd, b, oob, unix.MSG_CMSG_CLOEXEC)
		if err == unix.ECONNRESET && !reset {
			reset = true // the peer is gone and had not read everything; what it sent is still there
			continue
		}
		if err != unix.EINTR {
			break
		}
	}
	if err == unix.ECONNRESET {
		return 0, nil, io.EOF
	}
	if err != nil {
		return 0, nil, os.NewSyscallError("recvmsg", err)
	}
	fds := rights(oob[:oobn])
	if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		for _, fd := range fds {
			unix.Close(fd)
		}
		if flags&unix.MSG_TRUNC == 0 {
			return n, nil, fmt.Errorf("recvmsg: %w", ErrNoDescriptors)
		}
		return 0, nil, fmt.Errorf("recvmsg: %w: it did not fit %d bytes", ErrTruncated, len(b))
	}
	if n == 0 && len(fds) == 0 {
		return 0, nil, io.EOF
	}
	return n, fds, nil
}

func rights(oob []byte) []int {
	var fds []int
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		if more, err := unix.ParseUnixRights(&m); err == nil {
			fds = append(fds, more...)
		}
	}
	return fds
}

// ErrTruncated says that a packet was lost.
var ErrTruncated = errors.New("packet truncated")

// ErrEmpty says that no packet has come.
var ErrEmpty = errors.New("no packet has come")

// ErrNoDescriptors says that the descriptors of a packet were lost.
var ErrNoDescriptors = errors.New("the packet's descriptors do not fit the limit of this process (RLIMIT_NOFILE)")

// ErrFull says that the peer does not read.
var ErrFull = errors.New("the peer does not read its messages")

// Send gives a packet to the kernel without waiting. Duplicates of fds travel
// with it, at most MaxRights. An empty packet is refused: the peer would take it for the end.
func (c *PacketConn) Send(b []byte, fds ...int) error {
	if len(b) == 0 {
		return errors.New("sendmsg: the packet is empty")
	}
	raw, err := c.f.SyscallConn()
	if err != nil {
		return err
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	err2 := raw.Control(func(fd uintptr) {
		for {
			_, err = unix.SendmsgN(int(fd), b, oob, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
			if err != unix.EINTR {
				return
			}
		}
	})
	switch {
	case err2 != nil:
		return err2
	case err == unix.EAGAIN, err == unix.ETOOMANYREFS: // so many descriptors are on their way
		return ErrFull
	}
	return os.NewSyscallError("sendmsg", err)
}
