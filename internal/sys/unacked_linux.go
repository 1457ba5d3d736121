package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Unacked returns how many bytes that were written to a socket its peer has not
// acknowledged, or, over a Unix socket, has not read; of the latter in units of
// what the kernel needs to hold them. A FIN counts as one. known is false where
// there is no telling.
func Unacked(fd int) (n int, known bool) {
	var out int32
	_, _, e := syscall.RawSyscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCOUTQ, uintptr(unsafe.Pointer(&out)))
	return int(out), e == 0
}

// Unread returns how many bytes wait in a socket to be read.
func Unread(fd int) (n int, known bool) {
	var in int32
	_, _, e := syscall.RawSyscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCINQ, uintptr(unsafe.Pointer(&in)))
	return int(in), e == 0
}

// SetUnsentMark has a TCP socket take no more than about n bytes that cannot be
// sent yet, and report that it takes more when half of them have gone.
func SetUnsentMark(fd, n int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, n)
}
