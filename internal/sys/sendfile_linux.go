package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// SendFile sends up to n bytes of f, from off on, to a socket, without moving the
// file's own offset, and returns how much was taken: 0 and nil at the end of the
// file, unix.EAGAIN when nothing could be. It may wait for a disk, of which the
// Go scheduler knows.
func SendFile(fd int, f *os.File, off int64, n int) (sent int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	ctl := raw.Control(func(in uintptr) {
		for {
			if sent, err = unix.Sendfile(fd, int(in), &off, n); err != unix.EINTR {
				return
			}
		}
	})
	if ctl != nil { // in words of package poll
		return 0, os.ErrClosed
	}
	return max(sent, 0), err
}

// WriteMore is Writev for bytes behind which more comes at once: a TCP socket need
// not send the last of them alone. There may be at most MaxIovecs of bufs.
func WriteMore(fd int, bufs [][]byte) (int, error) {
	for {
		n, err := unix.SendmsgBuffers(fd, bufs, nil, nil, unix.MSG_MORE|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			return max(n, 0), err
		}
	}
}
