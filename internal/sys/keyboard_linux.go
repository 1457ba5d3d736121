package sys

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// TerminalSize is how many rows and columns a terminal has; zero where it is none,
// or does not know.
func TerminalSize(fd int) (rows, columns int) {
	size, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0
	}
	return int(size.Row), int(size.Col)
}

// Keyboard is a terminal that gives each key at once and does not show it. Its
// signals, such as that of Ctrl-C, are as before.
type Keyboard struct {
	fd    int
	saved unix.Termios
}

// OpenKeyboard changes the mode of a terminal, which has to be restored.
func OpenKeyboard(fd int) (*Keyboard, error) {
	saved, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, os.NewSyscallError("ioctl TCGETS", err)
	}
	k := &Keyboard{fd, *saved}
	return k, k.Resume()
}

// Resume sets the mode again after Restore.
func (k *Keyboard) Resume() error {
	mode := k.saved
	mode.Lflag &^= unix.ICANON | unix.ECHO
	mode.Cc[unix.VMIN], mode.Cc[unix.VTIME] = 1, 0
	return os.NewSyscallError("ioctl TCSETS", unix.IoctlSetTermios(k.fd, unix.TCSETSW, &mode))
}

// Restore gives the terminal the mode that it had.
func (k *Keyboard) Restore() error {
	return os.NewSyscallError("ioctl TCSETS", unix.IoctlSetTermios(k.fd, unix.TCSETSW, &k.saved))
}

// Key waits for a key. It is 0 where none came in time, and gone says that none can
// come any more.
func (k *Keyboard) Key(wait time.Duration) (key byte, gone bool) {
	fds := []unix.PollFd{{Fd: int32(k.fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, int(wait.Milliseconds()))
	if err != nil || n == 0 { // EINTR is a key that did not come
		return 0, false
	}
	var b [1]byte
	n, err = unix.Read(k.fd, b[:])
	if n == 1 {
		return b[0], false
	}
	return 0, err != unix.EINTR && err != unix.EAGAIN
}
