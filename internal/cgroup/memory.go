// Package cgroup reads what the control groups of a process say of its memory,
// in version 1 and in version 2.
package cgroup

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// Memory are the groups that account a process's memory: directories from its
// own group to the topmost that can be seen. It is never empty.
type Memory struct {
	dirs    []string
	version int
}

// ErrNone says that no control group accounts the process's memory.
var ErrNone = errors.New("no memory control group")

// MemoryOf finds the groups of a process, which is a number or "self". root has
// proc and the mount points in it; it is "/" except in tests.
func MemoryOf(root, process string) (Memory, error) {
	groups, err := os.ReadFile(filepath.Join(root, "proc", process, "cgroup"))
	if err != nil {
		return Memory{}, err
	}
	mounts, err := os.ReadFile(filepath.Join(root, "proc/self/mountinfo"))
	if err != nil {
		return Memory{}, err
	}
	version, group, found := groupOf(string(groups))
	if !found {
		return Memory{}, ErrNone
	}
	m := Memory{version: version}
	for _, mnt := range mountsOf(string(mounts), version) {
		if m.dirs = m.seen(filepath.Join(root, mnt.point), mnt.below(group)); len(m.dirs) > 0 {
			return m, nil
		}
	}
	return Memory{}, fmt.Errorf("%w: group %s is not mounted", ErrNone, group)
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

// seen lists the directories from a group to the mount point that account
// memory. A group that is not to be seen is that of a container, whose limit is
// on what can be seen above it.
func (m Memory) seen(point, group string) []string {
	var dirs []string
	for ; ; group = path.Dir(group) {
		dir := filepath.Join(point, group)
		if _, err := os.Stat(filepath.Join(dir, m.limitFile())); err == nil {
			dirs = append(dirs, dir)
		}
		if group == "/" {
			return dirs
		}
	}
}

func (m Memory) limitFile() string {
	if m.version == 1 {
		return "memory.limit_in_bytes"
	}
	return "memory.max"
}

// unlimited is less than what version 1 shows where there is no limit: the
// largest number that is one of whole pages.
const unlimited = math.MaxInt64 >> 2

func (m Memory) limitIn(dir string) int64 {
	b, err := os.ReadFile(filepath.Join(dir, m.limitFile()))
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil || n > unlimited { // "max" is no number
		return 0
	}
	return n
}

// groupOf finds the memory group in the text of /proc/PID/cgroup: that of
// version 1 where the controller is there, otherwise that of version 2.
func groupOf(text string) (version int, group string, found bool) {
	for line := range strings.Lines(text) {
		_, rest, _ := strings.Cut(strings.TrimRight(line, "\n"), ":")
		controllers, path, ok := strings.Cut(rest, ":")
		switch {
		case !ok:
		case has(controllers, "memory"):
			return 1, path, true
		case controllers == "":
			version, group, found = 2, path, true
		}
	}
	return version, group, found
}

// mount is a mounted hierarchy: root is the group that point shows.
type mount struct{ root, point string }

// below is a group as a path under the mount point.
func (m mount) below(group string) string {
	if m.root != "/" {
		if rest, ok := strings.CutPrefix(group, m.root); ok && (rest == "" || rest[0] == '/') {
			group = rest
		} else {
			group = "/"
		}
	}
	return path.Clean("/" + group) // which is "/" for what lies above our namespace
}

// mountsOf lists the mounts of the memory hierarchy in the text of
// /proc/self/mountinfo.
func mountsOf(text string, version int) []mount {
	var list []mount
	for line := range strings.Lines(text) {
		before, after, _ := strings.Cut(line, " - ")
		place, kind := strings.Fields(before), strings.Fields(after)
		if len(place) < 5 || len(kind) < 3 {
			continue
		}
		if version == 1 && kind[0] == "cgroup" && has(kind[2], "memory") || version == 2 && kind[0] == "cgroup2" {
			list = append(list, mount{unescape(place[3]), unescape(place[4])})
		}
	}
	return list
}

func has(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if w == word {
			return true
		}
	}
	return false
}

// unescape undoes mountinfo's \NNN for bytes that would break its format.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
