package loop

import (
	"errors"
	"io"
	"os"

	"github.com/jay-go/jay/internal/sys"
	"golang.org/x/sys/unix"
)

// mostOfFile is how much of a file one call sends, as nobody else is served while
// it is read.
const mostOfFile = 512 << 10

// sendFile has the kernel hold back the end of bufs until the first bytes of the
// file are behind it.
func (b *epollBackend) sendFile(s *Stream, bufs [][]byte, f *os.File, off int64, n int) (sent int, err error) {
	head := sizeOf(bufs)
	if n <= 0 || len(bufs) > sys.MaxIovecs {
		return b.send(s, bufs)
	}
	if head > 0 {
		sent, err = sys.WriteMore(int(s.fd), bufs)
	}
	if err == nil && sent == head {
		var k int
		k, err = b.copyFile(s, f, off, min(n, mostOfFile))
		sent += k
	} else if err != nil && !isFull(err) {
		err = writeError(err)
	}
	if err != nil && !isFull(err) {
		return sent, err
	}
	if sent > 0 {
		b.unscarce(s)
	}
	if sent < head+n {
		s.send = true
		if sent > 0 || !b.isScarce(s, err) {
			b.want(s, s.mask|unix.EPOLLOUT)
		}
	}
	return sent, nil
}

// copyFile sends a part of a file to the socket of s. An error to be tried again
// is as isFull knows it, those of the file are FileErrors.
func (b *epollBackend) copyFile(s *Stream, f *os.File, off int64, n int) (int, error) {
	k, err := sys.SendFile(int(s.fd), f, off, n)
	switch {
	case err == nil && k == 0:
		return 0, &FileError{f.Name(), off, io.ErrUnexpectedEOF}
	case err == nil, isFull(err):
		return k, err
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EOPNOTSUPP):
		return b.readFile(s, f, off, n)
	case errors.Is(err, unix.EPIPE), errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.ETIMEDOUT), errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.ENETUNREACH):
		return 0, os.NewSyscallError("sendfile", err)
	}
	return 0, &FileError{f.Name(), off, err}
}

// readFile is for files that the kernel cannot send by itself.
func (b *epollBackend) readFile(s *Stream, f *os.File, off int64, n int) (int, error) {
	if b.file == nil {
		b.file = make([]byte, mostSent)
	}
	k, err := ReadFileAt(f, b.file[:min(n, len(b.file))], off)
	if err != nil {
		return 0, err
	}
	b.copied += int64(k)
	k, err = sys.Write(int(s.fd), b.file[:k])
	if err != nil && !isFull(err) {
		err = writeError(err)
	}
	return k, err
}
