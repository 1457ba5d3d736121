package sys

import (
	"io"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls below work on non-blocking descriptors and so return at once;
// they do not tell the Go scheduler, which halves their overhead.

// Read reads once from a socket: recv(2), which goes past what read(2) does
// for files. It returns io.EOF at the end of the stream, unix.EAGAIN
// when nothing is there.
func Read(fd int, b []byte) (int, error) {
	for {
		n, _, e := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
			unix.MSG_DONTWAIT, 0, 0)
		switch {
		case e == unix.EINTR:
			continue
		case e != 0:
			return 0, e
		case n == 0:
			return 0, io.EOF
		}
		return int(n), nil
	}
}

// Write writes once to a socket, with send(2), and returns how much was taken;
// unix.EAGAIN when nothing could be.
func Write(fd int, b []byte) (int, error) {
	for {
		n, _, e := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		if e == unix.EINTR {
			continue
		}
		if e != 0 {
			return 0, e
		}
		return int(n), nil
	}
}

// Writev writes the first MaxIovecs of bufs with one call. Like Write it may
// take less than it was given.
func Writev(fd int, bufs [][]byte) (int, error) {
	var iov [MaxIovecs]unix.Iovec
	k := 0
	for _, b := range bufs {
		if len(b) == 0 {
			continue
		}
		iov[k].Base = unsafe.SliceData(b)
		iov[k].SetLen(len(b))
		if k++; k == MaxIovecs {
			break
		}
	}
	for {
		n, _, e := unix.RawSyscall(unix.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&iov)), uintptr(k))
		if e == unix.EINTR {
			continue
		}
		if e != 0 {
			return 0, e
		}
		return int(n), nil
	}
}

// Accept takes one connection from a listening socket, non-blocking and
// closed on exec. peer is the zero AddrPort for a Unix socket.
func Accept(fd int) (conn int, peer netip.AddrPort, err error) {
	var sa unix.RawSockaddrAny
	for {
		size := uint32(unix.SizeofSockaddrAny)
		n, _, e := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&sa)),
			uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		if e == unix.EINTR {
			continue
		}
		if e != 0 {
			return -1, netip.AddrPort{}, e
		}
		return int(n), addrPort(int(n), &sa), nil
	}
}

// TuneTCP switches Nagle's algorithm off and keep-alive probes on.
func TuneTCP(fd int) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
}

// CloseWrite sends FIN.
func CloseWrite(fd int) error { return unix.Shutdown(fd, unix.SHUT_WR) }

// Reset makes the next Close of a TCP socket send RST.
func Reset(fd int) error {
	return unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

// CloseSocket closes the descriptor of a socket, for which nothing is waited for.
func CloseSocket(fd int) error {
	if _, _, e := syscall.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0); e != 0 {
		return e
	}
	return nil
}

// Close closes a descriptor; EINTR counts as closed.
func Close(fd int) error {
	if err := unix.Close(fd); err != nil && err != unix.EINTR {
		return err
	}
	return nil
}

// SetNonblock puts a descriptor's open file into non-blocking mode.
func SetNonblock(fd int) error { return unix.SetNonblock(fd, true) }
