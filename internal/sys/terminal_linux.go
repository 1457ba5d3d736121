package sys

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// IsTerminal reports whether a descriptor is a terminal.
func IsTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

// HasTerminal reports whether this process has a controlling terminal. One that
// has hung up is none.
func HasTerminal() bool {
	b, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return false
	}
	// After the name: state, parent, group, session, terminal.
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	return len(fields) > 4 && string(fields[4]) != "0"
}

// sigaction is struct sigaction of the kernel, whose layout is not the same
// everywhere: all zero is the default action, and what was read is only put back.
type sigaction [16]uintptr

// StopSelf takes the default action of a signal that stops processes, whatever
// handles it otherwise, and returns when this process has been continued, or was
// not stopped: the kernel does not where nobody could continue it.
//
// Package signal cannot do that: after Reset the runtime's handler stays, and a
// write to the terminal that SIGTTOU forbids is restarted for ever.
func StopSelf(s syscall.Signal) error {
	runtime.LockOSThread() // to this thread it is delivered before the call returns
	defer runtime.UnlockOSThread()
	var old, byDefault sigaction
	if err := setAction(s, &byDefault, &old); err != nil {
		return err
	}
	err := os.NewSyscallError("tgkill", unix.Tgkill(os.Getpid(), unix.Gettid(), s))
	return errors.Join(err, setAction(s, &old, nil))
}

// DefaultAction restores the default action of a signal that a handler was there
// for, which package signal does not for those that stop.
func DefaultAction(s syscall.Signal) error { return setAction(s, &sigaction{}, nil) }

// HeedReserved gives the signals that C libraries keep for themselves, and SIGTSTP,
// which Go's runtime leaves alone, their default action where they are ignored: a process
// that was started by posix_spawn ignores the former, and so would all that it starts.
func HeedReserved() error {
	for _, s := range []syscall.Signal{syscall.SIGTSTP, 32, 33, 34} {
		if !Ignored(s) {
			continue
		}
		if err := DefaultAction(s); err != nil {
			return err
		}
	}
	return nil
}

const ignored = 1 // SIG_IGN

// Ignored reports whether a signal is ignored in this process.
func Ignored(s syscall.Signal) bool {
	var now sigaction
	return setAction(s, nil, &now) == nil && now[handlerWord] == ignored
}

// Ignore ignores signals, behind the back of package signal, until restore is called.
// A process that is started meanwhile ignores them as well.
func Ignore(signals ...syscall.Signal) (restore func()) {
	before := make([]sigaction, len(signals))
	for i, s := range signals {
		setAction(s, &sigaction{handlerWord: ignored}, &before[i]) // fails for what is no signal only
	}
	return func() {
		for i, s := range signals {
			setAction(s, &before[i], nil)
		}
	}
}

func setAction(s syscall.Signal, action, old *sigaction) error {
	const setSize = 64 / 8 // of the kernel's set of signals, in bytes
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(action)), uintptr(unsafe.Pointer(old)), setSize, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("rt_sigaction", errno)
	}
	return nil
}

// LeaveTerminal gives up the controlling terminal of this process, and so of those
// that it will start, where there is one. The process must not lead its session.
func LeaveTerminal() {
	fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return // there is none, or it has hung up
	}
	unix.IoctlSetInt(fd, unix.TIOCNOTTY, 0) // fails where it hangs up now
	unix.Close(fd)
}
