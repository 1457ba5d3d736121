package loop

import (
	"fmt"
	"io"
	"net"
	"os"
)

// SendFile is Send for bufs and, behind them, n bytes of f from off on. The file
// is the stream's as the bytes are, until everything was taken or Sent comes: it
// must not be closed before. It must be one that can be read at any offset; its own
// offset is not used and does not move.
//
// The epoll backend has the kernel send the file (sendfile), and no more than 512 KiB
// of it in one call: if that is not in memory the loop waits for the disk, as it does
// for any callback that reads a file. The goroutine backend reads beside the loop. A
// file that cannot be read, or ends before off+n, is a [*FileError]; what was
// sent until then is reported with it.
func (s *Stream) SendFile(bufs [][]byte, f *os.File, off int64, n int) (int, error) {
	if !s.open {
		return 0, net.ErrClosed
	}
	return s.loop.be.sendFile(s, bufs, f, off, n)
}

// FileError says that a file, and not the connection, is why a SendFile failed.
// Err is io.ErrUnexpectedEOF when the file has become too short.
type FileError struct {
	Name string
	Off  int64 // from where it could not be read
	Err  error
}

func (e *FileError) Error() string {
	if e.Err == io.ErrUnexpectedEOF {
		return fmt.Sprintf("send file %s: it ends at %d or before, and more of it was to be sent", e.Name, e.Off)
	}
	return fmt.Sprintf("send file %s, from %d on: %v", e.Name, e.Off, e.Err)
}

func (e *FileError) Unwrap() error { return e.Err }

// ReadFileAt reads b, or a part of it, from off on: at least one byte, or it
// returns a [*FileError].
func ReadFileAt(f *os.File, b []byte, off int64) (int, error) {
	n, err := f.ReadAt(b, off)
	switch {
	case n > 0:
		return n, nil
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return 0, &FileError{f.Name(), off, err}
}

func sizeOf(bufs [][]byte) (n int) {
	for _, p := range bufs {
		n += len(p)
	}
	return n
}
