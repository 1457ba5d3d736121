package sys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// OpenLog opens a file for appending, with mode perm where it is new. It never
// waits: a FIFO is opened without regard to readers, and a write to the
// descriptor that cannot go on now fails with EAGAIN. A symbolic link is not
// followed, as whoever may write the directory could point it anywhere; those
// of /dev belong to the system.
func OpenLog(path string, perm fs.FileMode) (*os.File, error) {
	flags := unix.O_WRONLY | unix.O_APPEND | unix.O_CREAT | unix.O_NONBLOCK | unix.O_CLOEXEC
	if !strings.HasPrefix(filepath.Clean(path), "/dev/") {
		flags |= unix.O_NOFOLLOW
	}
	if fi, err := os.Stat(path); err == nil && fi.Mode()&fs.ModeNamedPipe != 0 {
		flags = flags&^unix.O_WRONLY | unix.O_RDWR // we are a reader as well, so that there always is one
	}
	for {
		fd, err := unix.Open(path, flags, uint32(perm.Perm()))
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.ELOOP && flags&unix.O_NOFOLLOW != 0:
			return nil, &os.PathError{Op: "open", Path: path, Err: errors.New("it is a symbolic link, which is not followed; name the file itself")}
		case err != nil:
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
		return os.NewFile(uintptr(fd), path), nil
	}
}

// BirthTime is when a file was created; false where its file system does not
// keep it.
func BirthTime(f *os.File) (time.Time, bool) {
	raw, err := f.SyscallConn()
	if err != nil {
		return time.Time{}, false
	}
	var st unix.Statx_t
	var statErr error
	if err := raw.Control(func(fd uintptr) {
		statErr = unix.Statx(int(fd), "", unix.AT_EMPTY_PATH, unix.STATX_BTIME, &st)
	}); err != nil || statErr != nil || st.Mask&unix.STATX_BTIME == 0 {
		return time.Time{}, false
	}
	return time.Unix(st.Btime.Sec, int64(st.Btime.Nsec)), true
}

// DupOnto makes target, a standard descriptor, another name of f's open file.
func DupOnto(f *os.File, target int) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var dupErr error
	if err := raw.Control(func(fd uintptr) { dupErr = unix.Dup3(int(fd), target, 0) }); err != nil {
		return err
	}
	return os.NewSyscallError("dup3", dupErr)
}

// ReopenPipe gives the writing end of a pipe a second open file, whose writes
// do not block; those of fd, and of whoever else has it, go on as before.
func ReopenPipe(fd int) (int, error) {
	n, err := unix.Open("/proc/self/fd/"+strconv.Itoa(fd), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	return n, os.NewSyscallError("open pipe", err)
}

// WriteNow writes what fits without waiting, to a descriptor that does not
// block: n is less than len(b), with a nil error, where the rest does not.
func WriteNow(fd int, b []byte) (n int, err error) {
	for n < len(b) {
		m, err := unix.Write(fd, b[n:])
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return n, nil
		case err != nil:
			return n, os.NewSyscallError("write", err)
		}
		n += m
	}
	return n, nil
}

// AwaitWritable blocks until a write to fd may succeed, or is known to fail.
func AwaitWritable(fd int) error {
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		if _, err := unix.Poll(fds, -1); err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
	}
}
