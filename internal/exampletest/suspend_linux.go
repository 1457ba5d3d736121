package exampletest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Suspend stops processes (SIGSTOP) and returns when each of their threads
// stands still: kill returns before, and a thread that runs goes on until it
// next enters the kernel. What [Resume] has not continued goes on at the test's end.
func Suspend(t testing.TB, pids ...int) {
	t.Helper()
	t.Cleanup(func() { Resume(pids...) })
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatalf("suspend process %d: %v", pid, err)
		}
	}
	for _, pid := range pids {
		for begin := time.Now(); !standsStill(pid); time.Sleep(time.Millisecond) {
			if time.Since(begin) > Patience {
				t.Fatalf("process %d runs %v after SIGSTOP", pid, Patience)
			}
		}
	}
}

// Resume continues the processes (SIGCONT), the first of them first. One that
// has gone, or runs, is left alone.
func Resume(pids ...int) {
	for _, pid := range pids {
		syscall.Kill(pid, syscall.SIGCONT)
	}
}

// standsStill reports whether every thread of the process is stopped.
func standsStill(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	return len(threads) > 0 && !slices.ContainsFunc(threads, func(file string) bool {
		b, _ := os.ReadFile(file)
		return !strings.Contains(string(b), ") T ")
	})
}
