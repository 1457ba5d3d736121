package supervise

import (
	"strings"
	"testing"
)

func TestMemoryPlan(t *testing.T) {
	const mib = 1 << 20
	for _, tt := range []struct {
		name          string
		user          string
		option, group int64
		workers       int
		want          int64 // of each worker
	}{
		{"no limit", "", 0, 0, 4, 0},
		{"a tenth is for the others", "", 0, 1000 * mib, 3, 300 * mib},
		{"at least 32 MiB", "", 0, 132 * mib, 2, 50 * mib},
		{"at most half", "", 0, 40 * mib, 1, 20 * mib},
		{"not less than a collector needs", "", 0, 64 * mib, 16, leastMemory},
		{"the option wins over the group", "", 2000 * mib, 1000 * mib, 1, 1800 * mib},
		{"off", "", -1, 1000 * mib, 1, 0},
		{"the user's own", "500MiB", 0, 1000 * mib, 1, 0},
		{"the user's own wins over the option", "off", 2000 * mib, 0, 1, 0},
		{"no worker", "", 0, 132 * mib, 0, 100 * mib},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := planMemory(tt.user, tt.option, tt.group, "/g").each(tt.workers); got != tt.want {
				t.Errorf("each gets %d, want %d", got, tt.want)
			}
		})
	}
}

func TestSizeFlag(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1, "512M": 512 << 20, "512MiB": 512 << 20, "512mb": 512 << 20, "2G": 2 << 30, "1T": 1 << 40, "64k": 64 << 10, "1048576B": 1 << 20,
		"auto": 0, "off": -1, "OFF": -1,
	} {
		var n int64 = 77
		if err := (sizeFlag{&n}).Set(text); err != nil || n != want {
			t.Errorf("%q is %d, %v; want %d", text, n, err, want)
		}
	}
	for _, text := range []string{"", "0", "-5", "M", "1.5G", "12X", "9000000T", "9223372036854775808", "1 G", "B"} {
		var n int64 = 77
		if err := (sizeFlag{&n}).Set(text); err == nil || n != 77 || !strings.Contains(err.Error(), "512M") {
			t.Errorf("%q is %d, %v; want an error that shows how", text, n, err)
		}
	}
}
