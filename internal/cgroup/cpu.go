package cgroup

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// cpu shares out processor time.
var cpu = controller{"cpu", "cpu.cfs_quota_us", "cpu.max"}

// CPUs returns how many processors' time the groups of a process let it have,
// which may be a fraction; 0 where there is no limit. For root and process see
// MemoryOf.
func CPUs(root, process string) (float64, error) {
	dirs, version, err := groupsOf(root, process, cpu)
	if err != nil {
		return 0, err
	}
	least := 0.0
	for _, dir := range dirs {
		if n := cpusIn(dir, version); n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	return least, nil
}

// cpusIn is the limit of a group: quota and period are in a file each in
// version 1, and in one in version 2.
func cpusIn(dir string, version int) float64 {
	text := ""
	files := []string{cpu.file2}
	if version == 1 {
		files = []string{cpu.file1, "cpu.cfs_period_us"}
	}
	for _, name := range files {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return 0
		}
		text += string(b) + " "
	}
	f := strings.Fields(text)
	if len(f) != 2 {
		return 0
	}
	quota, err1 := strconv.ParseFloat(f[0], 64)
	period, err2 := strconv.ParseFloat(f[1], 64)
	if err1 != nil || err2 != nil || quota <= 0 || period <= 0 { // "max", or -1
		return 0
	}
	return quota / period
}
