package supervise

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/cgroup"
)

// killCounter is a group whose count of kills a test sets.
type killCounter struct {
	t      *testing.T
	file   string
	groups cgroup.Memory
}

func newKillCounter(t *testing.T) *killCounter {
	t.Helper()
	root := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	write("proc/self/cgroup", "0::/\n")
	write("proc/self/mountinfo", "41 31 0:38 / /cg rw - cgroup2 cgroup2 rw\n")
	write("cg/memory.max", "max\n")
	c := &killCounter{t: t, file: write("cg/memory.events", "oom_kill 5\n")}
	var err error
	if c.groups, err = cgroup.MemoryOf(root, "self"); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *killCounter) set(n int) {
	c.t.Helper()
	if err := os.WriteFile(c.file, []byte("oom_kill "+strconv.Itoa(n)+"\n"), 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// TestKillVerdict: each kill of the kernel explains one death, and soon none.
func TestKillVerdict(t *testing.T) {
	const killed, exited = syscall.WaitStatus(syscall.SIGKILL), syscall.WaitStatus(1 << 8)
	c := newKillCounter(t)
	kills, now := memoryKills{}, time.Now()
	if got := kills.verdict(killed, &c.groups); got != killedPerhaps {
		t.Errorf("a group that was not followed: %q", got)
	}
	kills.look(&c.groups, now)
	expect := func(what string, status syscall.WaitStatus, want killVerdict) {
		t.Helper()
		if got := kills.verdict(status, &c.groups); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	expect("kills of before", killed, killedBySomebody)
	c.set(7)
	kills.look(&c.groups, now.Add(killForgotten)) // has seen them
	expect("an exit", exited, killedBySomebody)
	expect("the first of two", killed, killedForMemory)
	expect("the second of two", killed, killedForMemory)
	expect("one by a person", killed, killedBySomebody)
	c.set(8) // not a worker
	kills.look(&c.groups, now.Add(2*killForgotten))
	kills.look(&c.groups, now.Add(3*killForgotten))
	expect("one by a person, long after another process was killed", killed, killedBySomebody)
	c.set(9)
	expect("a new one", killed, killedForMemory)
	if err := os.Remove(c.file); err != nil {
		t.Fatal(err)
	}
	expect("the counter cannot be read", killed, killedPerhaps)
	if got := kills.verdict(killed, nil); got != killedPerhaps {
		t.Errorf("no group is known: %q", got)
	}
}
