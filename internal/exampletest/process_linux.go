package exampletest

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Processes lists the living processes that have the run directory on their
// command line.
func Processes(runDir string) (pids []int) {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range lines {
		line, _ := os.ReadFile(file) // of a zombie, or one that has gone: nothing
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil &&
			slices.Contains(strings.Split(string(line), "\x00"), runDir) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Output collects what processes print. Any goroutine may use it.
type Output struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}
