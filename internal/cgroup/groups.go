// Package cgroup reads what the control groups of a process say of its memory
// and processors, in version 1 and in version 2.
package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// ErrNone says that no control group of that kind has the process.
var ErrNone = errors.New("no control group")

// controller is a kind of control group. A group has the controller where it has
// the file.
type controller struct{ name, file1, file2 string }

func (c controller) file(version int) string {
	if version == 1 {
		return c.file1
	}
	return c.file2
}

// groupsOf finds the groups of a process that have the controller: directories
// from its own group to the topmost that can be seen, one at least.
func groupsOf(root, process string, c controller) (dirs []string, version int, err error) {
	groups, err := os.ReadFile(filepath.Join(root, "proc", process, "cgroup"))
	if err != nil {
		return nil, 0, err
	}
	mounts, err := os.ReadFile(filepath.Join(root, "proc/self/mountinfo"))
	if err != nil {
		return nil, 0, err
	}
	version, group, found := c.groupOf(string(groups))
	if !found {
		return nil, 0, fmt.Errorf("%w for %s", ErrNone, c.name)
	}
	for _, mnt := range c.mountsOf(string(mounts), version) {
		if dirs = seen(filepath.Join(root, mnt.point), mnt.below(group), c.file(version)); len(dirs) > 0 {
			return dirs, version, nil
		}
	}
	return nil, 0, fmt.Errorf("%w for %s: group %s is not mounted", ErrNone, c.name, group)
}

// seen lists the directories from a group to the mount point that have a file.
// A group that is not to be seen is that of a container, whose limit is on what
// can be seen above it.
func seen(point, group, file string) []string {
	var dirs []string
	for ; ; group = path.Dir(group) {
		dir := filepath.Join(point, group)
		if _, err := os.Stat(filepath.Join(dir, file)); err == nil {
			dirs = append(dirs, dir)
		}
		if group == "/" {
			return dirs
		}
	}
}

// groupOf finds the controller's group in the text of /proc/PID/cgroup: that of
// version 1 where the controller is there, otherwise that of version 2.
func (c controller) groupOf(text string) (version int, group string, found bool) {
	for line := range strings.Lines(text) {
		_, rest, _ := strings.Cut(strings.TrimRight(line, "\n"), ":")
		controllers, path, ok := strings.Cut(rest, ":")
		switch {
		case !ok:
		case has(controllers, c.name):
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

// mountsOf lists the mounts of the controller's hierarchy in the text of
// /proc/self/mountinfo.
func (c controller) mountsOf(text string, version int) []mount {
	var list []mount
	for line := range strings.Lines(text) {
		before, after, _ := strings.Cut(line, " - ")
		place, kind := strings.Fields(before), strings.Fields(after)
		if len(place) < 5 || len(kind) < 3 {
			continue
		}
		if version == 1 && kind[0] == "cgroup" && has(kind[2], c.name) || version == 2 && kind[0] == "cgroup2" {
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
