package sys

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrLocked says that another open file has the lock.
var ErrLocked = errors.New("locked")

// TryLock takes the lock of an open file for as long as any duplicate of the
// descriptor lives, or returns ErrLocked.
func TryLock(fd int) error { return flock(fd, unix.LOCK_EX) }

// TryLockShared is TryLock for those who only want to know whether somebody
// has it: several may hold it at once.
func TryLockShared(fd int) error { return flock(fd, unix.LOCK_SH) }

func flock(fd, how int) error {
	for {
		err := unix.Flock(fd, how|unix.LOCK_NB)
		switch err {
		case unix.EINTR:
			continue
		case unix.EWOULDBLOCK:
			return ErrLocked
		}
		return os.NewSyscallError("flock", err)
	}
}

// HoldPart opens the file of a descriptor once more, to read, and locks byte at of
// it for as long as any duplicate of the new descriptor lives. ErrLocked says
// that somebody holds it. fd has to be open to read and write. Callers that may
// come at the same time need a lock of their own.
func HoldPart(fd int, at int64) (held int, err error) {
	byteAt := unix.Flock_t{Type: unix.F_WRLCK, Start: at, Len: 1}
	if err := unix.FcntlFlock(uintptr(fd), unix.F_OFD_GETLK, &byteAt); err != nil {
		return -1, os.NewSyscallError("fcntl F_OFD_GETLK", err)
	}
	if byteAt.Type != unix.F_UNLCK {
		return -1, ErrLocked
	}
	if held, err = ReopenToRead(fd); err != nil {
		return -1, err
	}
	byteAt = unix.Flock_t{Type: unix.F_RDLCK, Start: at, Len: 1}
	if err := unix.FcntlFlock(uintptr(held), unix.F_OFD_SETLK, &byteAt); err != nil {
		Close(held)
		return -1, os.NewSyscallError("fcntl F_OFD_SETLK", err)
	}
	return held, nil
}

// LockHolder is the process that took the lock of a file, shared ones aside; 0
// where that is not known.
func LockHolder(path string) int {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return 0
	}
	f, err := os.Open("/proc/locks")
	if err != nil {
		return 0
	}
	defer f.Close()
	file := fmt.Sprintf("%02x:%02x:%d", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// 1: FLOCK  ADVISORY  WRITE 4242 00:1a:77 0 EOF
		fields := strings.Fields(lines.Text())
		if len(fields) >= 6 && fields[1] == "FLOCK" && fields[3] == "WRITE" && fields[5] == file {
			pid, _ := strconv.Atoi(fields[4]) // 0 where it is of another PID namespace
			return max(pid, 0)
		}
	}
	return 0
}

// PeerCred is who is at the other end of a Unix socket.
func PeerCred(c *net.UnixConn) (uid, pid int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, 0, err
	}
	var cred *unix.Ucred
	if e := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); e != nil {
		return 0, 0, e
	}
	if err != nil {
		return 0, 0, os.NewSyscallError("getsockopt SO_PEERCRED", err)
	}
	return int(cred.Uid), int(cred.Pid), nil
}
