package cgroup_test

import (
	"testing"

	"github.com/jay-go/jay/internal/cgroup"
)

func TestCPUs(t *testing.T) {
	const v1 = "36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  float64
	}{
		{"version 1", map[string]string{
			"proc/self/cgroup":                                "3:cpu,cpuacct:/jay\n0::/\n",
			"proc/self/mountinfo":                             mountV1 + v1,
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us":      "-1\n",
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us":     "100000\n",
			"sys/fs/cgroup/cpu,cpuacct/jay/cpu.cfs_quota_us":  "150000\n",
			"sys/fs/cgroup/cpu,cpuacct/jay/cpu.cfs_period_us": "100000\n",
		}, 1.5},
		{"version 1 without a limit", map[string]string{
			"proc/self/cgroup":                            "3:cpu,cpuacct:/\n",
			"proc/self/mountinfo":                         v1,
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us":  "-1\n",
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
		}, 0},
		{"version 2, the smallest is above", map[string]string{
			"proc/self/cgroup":                      "0::/pod/box\n",
			"proc/self/mountinfo":                   mountV2,
			"sys/fs/cgroup/pod/cpu.max":             "50000 100000\n",
			"sys/fs/cgroup/pod/box/cpu.max":         "400000 100000\n",
			"sys/fs/cgroup/pod/box/cgroup.controls": "",
		}, 0.5},
		{"version 2 without a limit", map[string]string{
			"proc/self/cgroup":          "0::/box\n",
			"proc/self/mountinfo":       mountV2,
			"sys/fs/cgroup/box/cpu.max": "max 100000\n",
		}, 0},
		{"nonsense", map[string]string{
			"proc/self/cgroup":          "0::/box\n",
			"proc/self/mountinfo":       mountV2,
			"sys/fs/cgroup/box/cpu.max": "1000 0 7\n",
		}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := cgroup.CPUs(place(t, tt.files), "self"); got != tt.want || err != nil {
				t.Errorf("%v, %v; want %v", got, err, tt.want)
			}
		})
	}
	if n, err := cgroup.CPUs(t.TempDir(), "self"); n != 0 || err == nil {
		t.Errorf("without /proc: %v, %v; want an error", n, err)
	}
}
