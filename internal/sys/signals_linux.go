package sys

import (
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// BlockSignals blocks, for the calling goroutine's thread, every signal whose
// default action would end or stop a process, and locks the goroutine to the
// thread. A program that the thread executes, or a process that it starts, has
// them blocked from its first instruction on: what is sent stays pending until
// the program takes it. unblock undoes both.
//
// Not blocked are those that the Go runtime needs for itself.
func BlockSignals() (unblock func(), err error) {
	runtime.LockOSThread()
	var all, before unix.Sigset_t
	for s := 1; s <= lastSignal; s++ {
		if !ofRuntime(syscall.Signal(s)) {
			addSignal(&all, syscall.Signal(s))
		}
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &before); err != nil {
		runtime.UnlockOSThread()
		return nil, os.NewSyscallError("rt_sigprocmask", err)
	}
	return func() {
		unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil) // has just worked
		runtime.UnlockOSThread()
	}, nil
}

// UnblockSignals unblocks every signal for the calling thread. The goroutine
// must be locked to it.
func UnblockSignals() error {
	return os.NewSyscallError("rt_sigprocmask", unix.PthreadSigmask(unix.SIG_SETMASK, new(unix.Sigset_t), nil))
}

const (
	lastSignal  = 64
	firstThread = 32 // with the next two: what C libraries tell their threads
	lastThread  = 34
)

// ofRuntime reports the signals that Go's runtime, or a C library, sends to its
// own threads, and those that a fault raises. None of the former ends a process
// by default before the program runs.
func ofRuntime(s syscall.Signal) bool {
	switch s {
	case syscall.SIGURG, syscall.SIGPROF, syscall.SIGCHLD,
		syscall.SIGILL, syscall.SIGTRAP, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGSEGV, syscall.SIGSTKFLT, syscall.SIGSYS:
		return true
	}
	return s >= firstThread && s <= lastThread
}

func addSignal(set *unix.Sigset_t, s syscall.Signal) {
	bits := int(unsafe.Sizeof(set.Val[0])) * 8
	set.Val[(int(s)-1)/bits] |= 1 << (uint(s-1) % uint(bits))
}

// NoteSignals makes each of the signals set bit s of word, and nothing else,
// whatever thread takes it. That needs no goroutine, so a signal that another
// thread takes just before this one executes a program is not lost with that
// thread, where word is shared memory. restore puts back what was there before,
// unless the runtime has its own there by then. The word must stay for ever, for a
// thread may be about to set its bit; one is in use at a time. Where noteSignal
// has not been written for the machine nothing happens.
func NoteSignals(word *atomic.Int64, signals ...syscall.Signal) (restore func(), err error) {
	entry := noteSignalEntry()
	if entry == 0 {
		return func() {}, nil
	}
	noted = word
	var note sigaction // like the runtime's own: on the signal stack, with the way back from it
	if err := setAction(syscall.SIGURG, nil, &note); err != nil {
		return nil, err
	}
	note[handlerWord] = entry
	before := make([]sigaction, len(signals))
	restore = func() {
		for i, s := range signals {
			var now sigaction
			if setAction(s, nil, &now) == nil && now[handlerWord] == entry {
				setAction(s, &before[i], nil) // was valid before
			}
		}
	}
	for i, s := range signals {
		if err := setAction(s, &note, &before[i]); err != nil {
			signals = signals[:i]
			restore()
			return nil, err
		}
	}
	return restore, nil
}

// handlerWord is which word of a sigaction is the handler, on the machines that
// have noteSignal.
const handlerWord = 0

// noted is where noteSignal notes. A signal handler is given no argument of its own.
//
//lint:ignore U1000 note_amd64.s and note_arm64.s use it
var noted *atomic.Int64
