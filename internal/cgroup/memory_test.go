package cgroup_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/jay-go/jay/internal/cgroup"
)

// place makes a root with the files in it.
func place(t *testing.T, files map[string]string) string {
	t.Helper()
	tree := fstest.MapFS{}
	for file, text := range files {
		tree[file] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	root := t.TempDir()
	if err := os.CopyFS(root, tree); err != nil {
		t.Fatal(err)
	}
	return root
}

const (
	mountV1   = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
	mountV2   = "41 31 0:38 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n"
	noLimitV1 = "9223372036854771712\n"
)

func TestMemory(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		limit int64
		at    string // the group that has the limit
		kills int64
	}{
		{"version 1", map[string]string{
			"proc/self/cgroup":                               "5:devices:/\n4:memory:/jay\n0::/\n",
			"proc/self/mountinfo":                            "30 1 0:1 / / rw - ext4 /dev/x rw\n" + mountV1 + mountV2,
			"sys/fs/cgroup/memory/memory.limit_in_bytes":     noLimitV1,
			"sys/fs/cgroup/memory/jay/memory.limit_in_bytes": "67108864\n",
			"sys/fs/cgroup/memory/jay/memory.oom_control":    "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
		}, 64 << 20, "sys/fs/cgroup/memory/jay", 3},
		{"version 1 without a limit", map[string]string{
			"proc/self/cgroup":                            "4:memory:/\n",
			"proc/self/mountinfo":                         mountV1,
			"sys/fs/cgroup/memory/memory.limit_in_bytes":  noLimitV1,
			"sys/fs/cgroup/memory/memory.oom_control":     "oom_kill 0\n",
			"sys/fs/cgroup/memory/x/memory.limit_in_byte": "1\n",
		}, 0, "", 0},
		{"version 1 with several controllers on a mount", map[string]string{
			"proc/self/cgroup":                          "4:cpu,memory,pids:/a\n",
			"proc/self/mountinfo":                       "35 31 0:32 / /cg rw - cgroup cgroup rw,cpu,memory,pids\n",
			"cg/memory.limit_in_bytes":                  noLimitV1,
			"cg/a/memory.limit_in_bytes":                "1048576",
			"cg/a/memory.oom_control":                   "oom_kill 1",
			"sys/fs/cgroup/memory/memory.limit_in_byte": "1\n",
		}, 1 << 20, "cg/a", 1},
		{"version 2, the smallest is above", map[string]string{
			"proc/self/cgroup":                                           "0::/system.slice/jay.service\n",
			"proc/self/mountinfo":                                        mountV2,
			"sys/fs/cgroup/system.slice/memory.max":                      "1073741824\n",
			"sys/fs/cgroup/system.slice/memory.events":                   "oom_kill 77\n",
			"sys/fs/cgroup/system.slice/jay.service/x":                   "",
			"sys/fs/cgroup/memory.events":                                "oom_kill 99\n",
			"sys/fs/cgroup/system.slice/cgroup.procs":                    "",
			"sys/fs/cgroup/system.slice/other/memory.max":                "1\n",
			"sys/fs/cgroup/system.slice/jay.service/memory.max":          "2147483648\n",
			"sys/fs/cgroup/system.slice/jay.service/memory.events":       "low 0\noom 4\noom_kill 4\noom_group_kill 0\n",
			"sys/fs/cgroup/system.slice/jay.service/memory.events.local": "low 0\noom 2\noom_kill 2\n",
		}, 1 << 30, "sys/fs/cgroup/system.slice", 2},
		{"version 2 without a limit, of an old kernel", map[string]string{
			"proc/self/cgroup":              "0::/a\n",
			"proc/self/mountinfo":           mountV2,
			"sys/fs/cgroup/a/memory.max":    "max\n",
			"sys/fs/cgroup/a/memory.events": "oom_kill 5\n",
		}, 0, "", 5},
		{"version 2, the own group does not account memory", map[string]string{
			"proc/self/cgroup":              "0::/a/b\n",
			"proc/self/mountinfo":           mountV2,
			"sys/fs/cgroup/a/memory.max":    "4096\n",
			"sys/fs/cgroup/a/memory.events": "oom_kill 6\n",
			"sys/fs/cgroup/a/b/cpu.max":     "max\n",
		}, 4096, "sys/fs/cgroup/a", 6},
		{"a container shows its own group as the mount's root", map[string]string{
			"proc/self/cgroup":                           "4:memory:/docker/abc\n",
			"proc/self/mountinfo":                        "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "8192\n",
			"sys/fs/cgroup/memory/memory.oom_control":    "oom_kill 8\n",
		}, 8192, "sys/fs/cgroup/memory", 8},
		{"a group below that of the container", map[string]string{
			"proc/self/cgroup":                                "4:memory:/docker/abc/mine\n",
			"proc/self/mountinfo":                             "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":      "8192\n",
			"sys/fs/cgroup/memory/mine/memory.limit_in_bytes": "4096\n",
			"sys/fs/cgroup/memory/mine/memory.oom_control":    "oom_kill 9\n",
		}, 4096, "sys/fs/cgroup/memory/mine", 9},
		{"a container in which the path cannot be seen", map[string]string{
			"proc/self/cgroup":                           "4:memory:/docker/abc\n",
			"proc/self/mountinfo":                        mountV1,
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "8192\n",
			"sys/fs/cgroup/memory/memory.oom_control":    "oom_kill 1\n",
		}, 8192, "sys/fs/cgroup/memory", 1},
		{"a mount that shows somebody else's group", map[string]string{
			"proc/self/cgroup":                           "4:memory:/docker/abc\n",
			"proc/self/mountinfo":                        "35 31 0:32 /docker/ab /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "8192\n",
			"sys/fs/cgroup/memory/memory.oom_control":    "oom_kill 1\n",
		}, 8192, "sys/fs/cgroup/memory", 1},
		{"above the root of our namespace", map[string]string{
			"proc/self/cgroup":            "0::/../other\n",
			"proc/self/mountinfo":         mountV2,
			"sys/fs/cgroup/memory.max":    "8192\n",
			"sys/fs/cgroup/memory.events": "oom_kill 1\n",
		}, 8192, "sys/fs/cgroup", 1},
		{"a mount point with a space", map[string]string{
			"proc/self/cgroup":        "0::/\n",
			"proc/self/mountinfo":     "41 31 0:38 / /c\\040g rw,relatime - cgroup2 cgroup2 rw\n",
			"c g/memory.max":          "8192\n",
			"c g/memory.events.local": "oom_kill 1\n",
		}, 8192, "c g", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := place(t, tt.files)
			m, err := cgroup.MemoryOf(root, "self")
			if err != nil {
				t.Fatal(err)
			}
			at := ""
			if tt.at != "" {
				at = filepath.Join(root, tt.at)
			}
			if n, dir := m.Limit(); n != tt.limit || dir != at {
				t.Errorf("limit %d of %q, want %d of %q", n, dir, tt.limit, at)
			}
			if n, err := m.Kills(); n != tt.kills || err != nil {
				t.Errorf("%d kills, %v; want %d", n, err, tt.kills)
			}
		})
	}
}

func TestNoMemory(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  error
	}{
		{"no proc", nil, os.ErrNotExist},
		{"no groups", map[string]string{"proc/self/cgroup": "", "proc/self/mountinfo": mountV1}, cgroup.ErrNone},
		{"not mounted", map[string]string{"proc/self/cgroup": "4:memory:/\n", "proc/self/mountinfo": mountV2}, cgroup.ErrNone},
		{"what is mounted does not account memory", map[string]string{
			"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": mountV2, "sys/fs/cgroup/cgroup.procs": "",
		}, cgroup.ErrNone},
		{"not the format", map[string]string{"proc/self/cgroup": "memory\n::\n", "proc/self/mountinfo": "a - b\n"}, cgroup.ErrNone},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := cgroup.MemoryOf(place(t, tt.files), "self"); !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
}

func TestKillsNotTold(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"no file":    {},
		"no counter": {"sys/fs/cgroup/memory/memory.oom_control": "under_oom 0\n"},
	} {
		t.Run(name, func(t *testing.T) {
			files["proc/self/cgroup"], files["proc/self/mountinfo"] = "4:memory:/\n", mountV1
			files["sys/fs/cgroup/memory/memory.limit_in_bytes"] = noLimitV1
			m, err := cgroup.MemoryOf(place(t, files), "self")
			if err != nil {
				t.Fatal(err)
			}
			if n, err := m.Kills(); err == nil {
				t.Errorf("%d kills, want an error", n)
			}
		})
	}
}
