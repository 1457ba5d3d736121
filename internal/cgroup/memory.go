package cgroup

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memory accounts memory.
var memory = controller{"memory", "memory.limit_in_bytes", "memory.max"}

// Memory are the groups that account a process's memory: directories from its
// own group to the topmost that can be seen. It is never empty.
type Memory struct {
	dirs    []string
	version int
}

// MemoryOf finds the groups of a process, which is a number or "self". root has
// proc and the mount points in it; it is "/" except in tests.
func MemoryOf(root, process string) (Memory, error) {
	dirs, version, err := groupsOf(root, process, memory)
	return Memory{dirs: dirs, version: version}, err
}

// Dir is the directory of the process's own group.
func (m Memory) Dir() string { return m.dirs[0] }

// Limit returns the smallest limit of the groups in bytes, and the directory of
// the group that has it; 0 where there is none.
func (m Memory) Limit() (bytes int64, dir string) {
	for _, d := range m.dirs {
		if n := m.limitIn(d); n > 0 && (bytes == 0 || n < bytes) {
			bytes, dir = n, d
		}
	}
	return bytes, dir
}

// Kills returns how many processes of the own group the kernel has killed for
// lack of memory since the group was made.
func (m Memory) Kills() (int64, error) {
	files := []string{"memory.events.local", "memory.events"}
	if m.version == 1 {
		files = []string{"memory.oom_control"}
	}
	var last error
	for _, name := range files {
		b, err := os.ReadFile(filepath.Join(m.Dir(), name))
		if err != nil {
			last = err
			continue
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) == 2 && f[0] == "oom_kill" {
				return strconv.ParseInt(f[1], 10, 64)
			}
		}
		last = fmt.Errorf("%s: it has no oom_kill", filepath.Join(m.Dir(), name))
	}
	return 0, last
}

// unlimited is less than what version 1 shows where there is no limit: the
// largest number that is one of whole pages.
const unlimited = math.MaxInt64 >> 2

func (m Memory) limitIn(dir string) int64 {
	b, err := os.ReadFile(filepath.Join(dir, memory.file(m.version)))
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil || n > unlimited { // "max" is no number
		return 0
	}
	return n
}
