package supervise

import (
	"os"
	"path/filepath"
	"testing"
)

func TestProcessors(t *testing.T) {
	for limit, want := range map[string]int{"max 100000": 8, "50000 100000": 1, "150000 100000": 2, "9900000 100000": 8, "": 8} {
		root := t.TempDir()
		for name, text := range map[string]string{
			"proc/self/cgroup":      "0::/box\n",
			"proc/self/mountinfo":   "41 31 0:38 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n",
			"sys/fs/cgroup/cpu.max": limit,
		} {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := processors(root, 8); got != want {
			t.Errorf("limit %q: %d processors of 8, want %d", limit, got, want)
		}
	}
	if got := processors(t.TempDir(), 3); got != 3 {
		t.Errorf("no control groups: %d processors of 3", got)
	}
}
