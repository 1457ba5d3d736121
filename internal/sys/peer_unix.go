//go:build unix

package sys

import "golang.org/x/sys/unix"

// PeerEnded looks at a socket without taking anything from it but its error: the
// peer has sent FIN or has closed, behind whatever is unread, or the
// connection has failed.
func PeerEnded(fd int) (finished bool, failure error) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: peerFinished}}
	for {
		if _, err := unix.Poll(fds, 0); err == nil {
			break
		} else if err != unix.EINTR {
			return false, err
		}
	}
	got := fds[0].Revents
	if got&unix.POLLERR != 0 {
		return true, SocketError(fd)
	}
	return got&(peerFinished|unix.POLLHUP) != 0, nil
}

// SocketError takes the error off a socket that has failed. It is ECONNRESET
// also if somebody has taken it before, and for a reset behind a FIN, of which
// Linux makes EPIPE.
func SocketError(fd int) error {
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	switch {
	case err != nil:
		return err
	case code == 0, unix.Errno(code) == unix.EPIPE:
		return unix.ECONNRESET
	}
	return unix.Errno(code)
}
