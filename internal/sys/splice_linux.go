package sys

import (
	"io"

	"golang.org/x/sys/unix"
)

// SplicePipe is a pipe that bytes are spliced through: the kernel moves them from one
// socket to another without copying them to the process.
type SplicePipe struct{ r, w int }

// pipeSize is asked for; the kernel may refuse, and then gives 64 KiB.
const pipeSize = 512 << 10

// NewSplicePipe opens a non-blocking pipe, closed on exec.
func NewSplicePipe() (*SplicePipe, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, err
	}
	_, _ = unix.FcntlInt(uintptr(fds[1]), unix.F_SETPIPE_SZ, pipeSize)
	return &SplicePipe{fds[0], fds[1]}, nil
}

// Fill moves what a socket has received into the pipe, which must be empty, and
// returns how much: as Read does, with io.EOF at the end of the stream and
// unix.EAGAIN when nothing is there.
func (p *SplicePipe) Fill(fd int) (n int, err error) {
	n, err = splice(fd, p.w, pipeSize)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// Drain moves up to n bytes from the pipe to a socket and returns how much it
// took; unix.EAGAIN means none.
func (p *SplicePipe) Drain(fd, n int) (int, error) { return splice(p.r, fd, n) }

// Take reads b, all of it, out of the pipe, which has that many bytes.
func (p *SplicePipe) Take(b []byte) error {
	for len(b) > 0 {
		n, err := unix.Read(p.r, b)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case n == 0:
			return io.ErrUnexpectedEOF
		}
		b = b[n:]
	}
	return nil
}

func splice(from, to, n int) (int, error) {
	for {
		r, _, e := unix.RawSyscall6(unix.SYS_SPLICE, uintptr(from), 0, uintptr(to), 0, uintptr(n),
			unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		if e == unix.EINTR {
			continue
		}
		if e != 0 {
			return 0, e
		}
		return int(r), nil
	}
}

// Close closes both ends.
func (p *SplicePipe) Close() {
	_ = Close(p.r)
	_ = Close(p.w)
}
