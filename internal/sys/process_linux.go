package sys

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Process is a child to start.
type Process struct {
	Path       string
	Argv, Env  []string
	Files      []int // what become its descriptors 0, 1, 2, …
	Credential *syscall.Credential
	NewSession bool // otherwise it gets a process group of its own
}

// Start forks and executes. The child has the descriptors of Files, and those
// that this process has inherited unless CloseOnExec was called.
func (p *Process) Start() (pid int, err error) {
	files := make([]uintptr, len(p.Files))
	for i, fd := range p.Files {
		files[i] = uintptr(fd)
	}
	return syscall.ForkExec(p.Path, p.Argv, &syscall.ProcAttr{
		Env: p.Env, Files: files,
		Sys: &syscall.SysProcAttr{Setpgid: !p.NewSession, Setsid: p.NewSession, Credential: p.Credential},
	})
}

// TrySwitch finds out whether a child may take on a credential: one is started
// that switches and then fails to execute what is no program.
func TrySwitch(cred *syscall.Credential) error {
	_, err := syscall.ForkExec(os.DevNull, []string{"switch"}, &syscall.ProcAttr{Sys: &syscall.SysProcAttr{Credential: cred}})
	if err == syscall.EACCES { // of exec, which comes last
		return nil
	}
	return err
}

// CoreDumps says whether this process, and those that it starts, may leave core
// files, as large as the hard limit allows. They have everybody's secrets in
// them.
func CoreDumps(allowed bool) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		return os.NewSyscallError("getrlimit RLIMIT_CORE", err)
	}
	limit.Cur = 0
	if allowed {
		limit.Cur = limit.Max
	}
	return os.NewSyscallError("setrlimit RLIMIT_CORE", unix.Setrlimit(unix.RLIMIT_CORE, &limit))
}

// childInfo is siginfo_t as waitid(2) fills it in.
type childInfo struct {
	signo, errno, code int32
	_                  [4 * (unsafe.Sizeof(uintptr(0)) / 8)]byte // where what follows is aligned to 8
	pid                int32
	uid                uint32
	status             int32
	_                  [104]byte
}

// codes of childInfo, from the kernel's siginfo.h.
const (
	childExited = 1
	childDumped = 3
)

// Ended takes the status of a child that has ended without reaping it: its
// number, and that of its process group, stay its own. With wait false it says
// false where the child runs on. An error of waitid(2) means that there is no
// such child.
func Ended(pid int, wait bool) (status syscall.WaitStatus, ended bool, err error) {
	var info childInfo
	options := unix.WEXITED | unix.WNOWAIT
	if !wait {
		options |= unix.WNOHANG
	}
	for {
		_, _, errno := unix.Syscall6(unix.SYS_WAITID, unix.P_PID, uintptr(pid), uintptr(unsafe.Pointer(&info)), uintptr(options), 0, 0)
		switch {
		case errno == unix.EINTR:
			continue
		case errno != 0:
			return 0, false, os.NewSyscallError("waitid", errno)
		case info.pid == 0:
			return 0, false, nil
		case info.code == childExited:
			return syscall.WaitStatus(info.status << 8), true, nil
		case info.code == childDumped:
			return syscall.WaitStatus(info.status | 0x80), true, nil
		}
		return syscall.WaitStatus(info.status), true, nil
	}
}

// ContinueStopped continues the process group of a child that was stopped by one of
// the signals.
func ContinueStopped(pid int, signals ...syscall.Signal) {
	var info childInfo
	_, _, errno := unix.Syscall6(unix.SYS_WAITID, unix.P_PID, uintptr(pid), uintptr(unsafe.Pointer(&info)), unix.WSTOPPED|unix.WNOHANG|unix.WNOWAIT, 0, 0)
	if errno == 0 && info.pid != 0 && slices.Contains(signals, syscall.Signal(info.status)) {
		KillGroup(pid, syscall.SIGCONT)
	}
}

// Reap waits for a child and takes its status; pid -1 is any child. With
// wait false it returns 0 where none has ended.
func Reap(pid int, wait bool) (int, syscall.WaitStatus, error) {
	var status syscall.WaitStatus
	options := syscall.WNOHANG
	if wait {
		options = 0
	}
	for {
		got, err := syscall.Wait4(pid, &status, options, nil)
		if err == syscall.EINTR {
			continue
		}
		return got, status, os.NewSyscallError("wait4", err)
	}
}

// KillGroup signals every process of the group that the child leads. The
// child must not have been reaped.
func KillGroup(pid int, sig syscall.Signal) error {
	return os.NewSyscallError("kill", syscall.Kill(-pid, sig))
}

// Monotonic is the clock that goes on unchanged through an exec.
func Monotonic() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(fmt.Sprintf("clock_gettime: %v", err)) // cannot fail on a system that runs Go
	}
	return time.Duration(ts.Nano())
}

// KeepOnExec decides whether a descriptor survives exec.
func KeepOnExec(fd int, keep bool) error {
	flag := unix.FD_CLOEXEC
	if keep {
		flag = 0
	}
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, flag)
	return os.NewSyscallError("fcntl F_SETFD", err)
}

// CloseOnExec keeps every descriptor from first on from surviving exec: those
// that whoever started this process has left open are nothing to its children.
func CloseOnExec(first int) error {
	err := unix.CloseRange(uint(first), math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if err == nil {
		return nil
	}
	entries, err := os.ReadDir("/proc/self/fd") // a kernel before 5.11
	if err != nil {
		return err
	}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd >= first {
			KeepOnExec(fd, false) // but for the one of the directory, which is closed
		}
	}
	return nil
}

// ExecInPlace replaces this process's program. Descriptors keep are inherited.
// Signals are the caller's to hold. It returns only when it failed; then
// close-on-exec and the limit of descriptors are as before, also that of the
// processes that this one starts.
func ExecInPlace(path string, argv, env []string, keep []int) error {
	var limit unix.Rlimit
	limitErr := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
	for i, fd := range keep {
		if err := KeepOnExec(fd, true); err != nil {
			restoreCloexec(keep[:i])
			return fmt.Errorf("descriptor %d: %w", fd, err)
		}
	}
	err := syscall.Exec(path, argv, env)
	restoreCloexec(keep)
	if limitErr == nil {
		// Not by package syscall, which would give children this limit from now on.
		_, _, errno := unix.RawSyscall6(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
		if errno != 0 {
			return fmt.Errorf("exec %s: %w (and RLIMIT_NOFILE could not be restored: %v)", path, err, errno)
		}
	}
	return fmt.Errorf("exec %s: %w", path, err)
}

func restoreCloexec(fds []int) {
	for _, fd := range fds {
		KeepOnExec(fd, false) // was valid a moment ago
	}
}

// Pipe is a pipe whose reading end does not block; both are close-on-exec.
func Pipe() (r, w int, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return -1, -1, os.NewSyscallError("pipe2", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		unix.Close(fds[0])
		unix.Close(fds[1])
		return -1, -1, os.NewSyscallError("fcntl F_SETFL", err)
	}
	return fds[0], fds[1], nil
}

// ReadNow reads what is there: n is 0 with a nil error where there is nothing
// yet, and io.EOF's place is taken by done.
func ReadNow(fd int, b []byte) (n int, done bool) {
	for {
		n, err := unix.Read(fd, b)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return 0, false
		case err != nil || n == 0:
			return 0, true
		}
		return n, false
	}
}

// DupAbove duplicates a descriptor to a number of at least n, or half the
// limit of descriptors where that is lower; close-on-exec.
func DupAbove(fd, n int) (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err == nil && limit.Cur/2 < uint64(n) {
		n = int(limit.Cur / 2)
	}
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, n)
	return dup, os.NewSyscallError("fcntl F_DUPFD_CLOEXEC", err)
}

// Readable reports whether there is something to read, or to accept, now.
func Readable(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0
}

// AwaitHangup blocks until the other end of a pipe or socket is closed.
func AwaitHangup(fd int) error {
	for {
		fds := []unix.PollFd{{Fd: int32(fd)}} // hang-up and error are always reported
		if _, err := unix.Poll(fds, -1); err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
	}
}
