package leak

import (
	"os"
	"path/filepath"
	"strings"
)

// descriptors maps each open descriptor to what it refers to, those of this
// very enumeration excluded.
func descriptors() map[string]string {
	found := map[string]string{}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return found
	}
	for _, e := range entries {
		if what, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			found[e.Name()] = what
		}
	}
	return found
}

// children lists the child processes, zombies included, as "pid name".
func children() map[string]bool {
	found := map[string]bool{}
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		return found
	}
	for _, list := range lists {
		b, err := os.ReadFile(list)
		if err != nil {
			continue
		}
		for _, pid := range strings.Fields(string(b)) {
			name, _ := os.ReadFile("/proc/" + pid + "/comm")
			found[pid+" "+strings.TrimSpace(string(name))] = true
		}
	}
	return found
}
