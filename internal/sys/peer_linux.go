package sys

import "golang.org/x/sys/unix"

// Writable reports whether poll(2) calls a socket writable.
func Writable(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0 && fds[0].Revents&unix.POLLOUT != 0
}

// peerFinished is the condition of poll(2) that PeerEnded asks for.
const peerFinished = unix.POLLRDHUP
