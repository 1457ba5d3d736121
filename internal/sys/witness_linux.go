package sys

import (
	"errors"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Witness takes signals in the place of another process while that cannot:
// from the moment in which a thread is about to execute a Go program until the
// program has its handlers. Go's runtime unblocks the signals that end a process
// before package os/signal can be told what to do with them, so that nothing
// inside the program helps. The witness traces it (ptrace(2)).
//
// All calls are made by one goroutine that is locked to its thread.
type Witness struct {
	pid    int
	take   func(syscall.Signal) bool
	traced map[int]bool // threads that have not been let go
	seen   map[int]bool // threads that have stopped, ever
	ending atomic.Bool
}

// NewWitness begins to trace a thread of process pid, which executes its program.
// take is asked for each signal that comes; one that it takes the program never
// sees.
func NewWitness(pid, thread int, take func(syscall.Signal) bool) (*Witness, error) {
	options := uintptr(unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_TRACECLONE)
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(thread), 0, options, 0, 0); errno != 0 {
		return nil, os.NewSyscallError("ptrace PTRACE_SEIZE", errno)
	}
	return &Witness{pid: pid, take: take, traced: map[int]bool{thread: true}, seen: map[int]bool{}}, nil
}

// End makes Run return, once every thread runs on as if there had been no witness.
// Any goroutine may call it.
func (w *Witness) End() {
	w.ending.Store(true)
	unix.Kill(w.pid, unix.SIGURG) // which Run sees, and nobody else minds
}

// Run carries on until End, or until the process has ended.
func (w *Witness) Run() error {
	interrupted := false
	for len(w.traced) > 0 {
		if w.ending.Load() && !interrupted {
			interrupted = true
			for tid := range w.traced {
				unix.PtraceInterrupt(tid) // one that ends just now is reported
			}
		}
		var status unix.WaitStatus
		tid, err := unix.Wait4(-1, &status, unix.WALL, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil: // ECHILD: none is left
			return os.NewSyscallError("wait4", err)
		case !status.Stopped():
			delete(w.traced, tid)
		default:
			w.stopped(tid, status)
		}
	}
	return nil
}

// stopped has a thread go on that has stopped for the witness.
func (w *Witness) stopped(tid int, status unix.WaitStatus) {
	sig, event := status.StopSignal(), int(status)>>16
	switch event {
	case unix.PTRACE_EVENT_EXEC: // the thread has become the process's first
		clear(w.traced)
	case unix.PTRACE_EVENT_CLONE: // the new thread is traced, and stops as well
		if child, err := unix.PtraceGetEventMsg(tid); err == nil && !w.seen[int(child)] {
			w.traced[int(child)] = true
		}
	}
	w.traced[tid], w.seen[tid] = true, true
	inject := 0
	switch {
	case event == unix.PTRACE_EVENT_STOP && sig != unix.SIGTRAP && !w.ending.Load(): // the process is stopped: stay so, and hear of the end of it
		w.request(unix.PTRACE_LISTEN, tid, 0)
		return
	case event == 0 && !w.take(sig):
		inject = int(sig)
	}
	if w.ending.Load() {
		w.request(unix.PTRACE_DETACH, tid, inject)
		delete(w.traced, tid)
		return
	}
	w.request(unix.PTRACE_CONT, tid, inject)
}

// request ignores a thread that has just been killed; its end is reported.
func (w *Witness) request(request, tid, data int) {
	unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), 0, uintptr(data), 0, 0)
}

// AllowWitness lets a process trace this one where the kernel otherwise lets
// only parents (Yama); 0 takes that back.
func AllowWitness(pid int) {
	unix.Prctl(unix.PR_SET_PTRACER, uintptr(pid), 0, 0, 0) // EINVAL without Yama
}
