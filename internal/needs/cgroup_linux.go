package needs

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/cgroup"
)

// MemoryGroup makes a control group below our own that may take limit bytes of
// memory. Processes enter it by their number in its cgroup.procs. It is removed
// at the end of the test, by when they must have ended.
func MemoryGroup(t testing.TB, limit int64) (dir string) {
	t.Helper()
	own, err := cgroup.MemoryOf("/", "self")
	if err != nil {
		unmet(t, "needs a memory control group: "+err.Error())
	}
	dir, err = os.MkdirTemp(own.Dir(), "jay-test-")
	if err != nil {
		unmet(t, "needs to make control groups: "+err.Error())
	}
	t.Cleanup(func() {
		var err error
		for range 100 { // the kernel forgets processes a moment after they have been reaped
			if err = os.Remove(dir); err == nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Errorf("remove the control group: %v", err)
	})
	for _, name := range []string{"memory.limit_in_bytes", "memory.max"} {
		if os.WriteFile(filepath.Join(dir, name), []byte(strconv.FormatInt(limit, 10)), 0) == nil {
			return dir
		}
	}
	unmet(t, "needs a memory control group that takes a limit")
	return ""
}
