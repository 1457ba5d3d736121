package sys

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ProbeBind finds out whether ListenSocket could bind a tcp, udp or abstract
// Unix address now. It does not listen, so that no connection comes to it.
func ProbeBind(network, address string, reusePort bool) error {
	if network == "unix" {
		return probeAbstract(address)
	}
	domain, sa, wildcard, err := resolve(network, address)
	if err != nil {
		return err
	}
	fd, domain, sa, err := newSocket(network, domain, sa, wildcard)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return bind(fd, domain, network, sa, reusePort)
}

func probeAbstract(name string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	return os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrUnix{Name: name}))
}

// StaleUnix looks at the path of a Unix socket: whether one is there that nobody
// listens on. Nothing there is no error; a live socket is ErrLive.
func StaleUnix(path string) (stale bool, err error) {
	if abstract(path) {
		return false, nil // there is no file, and no name that outlives its socket
	}
	fi, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if fi.Mode()&os.ModeSocket == 0 {
		return false, fmt.Errorf("%s exists and is not a socket", path)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	if !errors.Is(err, unix.ECONNREFUSED) {
		return false, ErrLive // connected, or its queue is full, or it is of another type
	}
	return true, nil
}

// MayCreateIn finds out whether this process, as it is, may create files in a
// directory.
func MayCreateIn(dir string) error { return access(dir, unix.W_OK|unix.X_OK) }

// HasRoom finds out whether the file system of dir has room for one more file with
// something in it. One that does not say has.
func HasRoom(dir string) error {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return os.NewSyscallError("statfs", err)
	}
	free := s.Bavail
	if os.Geteuid() == 0 {
		free = s.Bfree
	}
	if s.Blocks > 0 && free == 0 || s.Files > 0 && s.Ffree == 0 {
		return unix.ENOSPC
	}
	return nil
}

// MayWrite finds out whether this process, as it is, may write a file.
func MayWrite(path string) error { return access(path, unix.W_OK) }

func access(path string, mode uint32) error {
	return unix.Faccessat(unix.AT_FDCWD, path, mode, unix.AT_EACCESS)
}
