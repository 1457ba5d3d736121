package sys

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Zombie is a child that has ended and that nobody has reaped. Two of the same
// number differ in when they were started.
type Zombie struct {
	PID   int
	Start string // in the kernel's ticks
}

// Zombies lists those of this process.
func Zombies() []Zombie {
	var info childInfo
	_, _, errno := unix.Syscall6(unix.SYS_WAITID, unix.P_ALL, 0, uintptr(unsafe.Pointer(&info)), unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, 0, 0)
	if errno != 0 || info.pid == 0 { // none, which is how it is nearly always
		return nil
	}
	var list []Zombie
	for _, pid := range children() {
		if z, ok := zombie(pid); ok {
			list = append(list, z)
		}
	}
	return list
}

// children are the numbers of this process's children, and of others' where the
// kernel does not list them.
func children() []int {
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil || len(lists) == 0 { // a kernel without CONFIG_PROC_CHILDREN
		lists = nil
	}
	var names []string
	for _, file := range lists {
		b, _ := os.ReadFile(file) // the thread may have ended
		names = append(names, strings.Fields(string(b))...)
	}
	if lists == nil {
		entries, _ := os.ReadDir("/proc")
		for _, e := range entries {
			names = append(names, e.Name())
		}
	}
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// zombie looks whether a process is one of ours.
func zombie(pid int) (Zombie, bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Zombie{}, false
	}
	// After the name: state, parent, …, and field 22 of proc_pid_stat(5).
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 20 || string(f[0]) != "Z" || string(f[1]) != strconv.Itoa(os.Getpid()) {
		return Zombie{}, false
	}
	return Zombie{PID: pid, Start: string(f[19])}, true
}

// Awaited are the processes that this one has handles of, as package os keeps for
// each that it has started until somebody has waited for it.
func Awaited() (pids []int) {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		name, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil || !strings.Contains(name, "pidfd") {
			continue
		}
		b, _ := os.ReadFile("/proc/self/fdinfo/" + e.Name())
		for line := range strings.Lines(string(b)) {
			if text, ok := strings.CutPrefix(line, "Pid:"); ok {
				if pid, err := strconv.Atoi(strings.TrimSpace(text)); err == nil && !slices.Contains(pids, pid) {
					pids = append(pids, pid)
				}
			}
		}
	}
	return pids
}

// Reap clears the zombie away. Whoever has its number meanwhile is left alone.
func (z Zombie) Reap() error {
	fd, err := unix.PidfdOpen(z.PID, 0)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) { // before 5.3, or a filter
		fd = -1
	} else if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	} else {
		defer unix.Close(fd)
	}
	if now, ok := zombie(z.PID); !ok || now != z {
		return nil
	}
	if fd >= 0 {
		err = unix.Waitid(unix.P_PIDFD, fd, nil, unix.WEXITED|unix.WNOHANG, nil)
		if !errors.Is(err, unix.EINVAL) { // before 5.4
			return os.NewSyscallError("waitid", err)
		}
	}
	_, _, err = Reap(z.PID, false)
	return err
}
