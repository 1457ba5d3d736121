package sys

import "golang.org/x/sys/unix"

// Unacked returns how many bytes that were written to a socket its peer has not
// acknowledged. known is false where there is no telling.
func Unacked(fd int) (n int, known bool) {
	n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_NWRITE)
	return n, err == nil
}

// SetUnsentMark has a TCP socket take no more than about n bytes that cannot be
// sent yet, and report that it takes more when there are fewer.
func SetUnsentMark(fd, n int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, n)
}
