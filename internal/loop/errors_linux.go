package loop

import (
	"io"
	"os"

	"github.com/jay-go/jay/internal/sys"
)

// readError and writeError give a system call's error the name of the call,
// so that a log line says what was tried. io.EOF stays itself.
func readError(err error) error {
	if err == io.EOF {
		return err
	}
	return os.NewSyscallError("read", err)
}

func writeError(err error) error { return os.NewSyscallError("write", err) }

// socketError takes the pending error off a socket.
func socketError(fd int) error { return os.NewSyscallError("read", sys.SocketError(fd)) }
