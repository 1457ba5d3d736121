package sys_test

import (
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/sys"
)

// TestZombies: a command that somebody waits for has a handle, is not reaped by
// others, and is gone when it has been waited for.
func TestZombies(t *testing.T) {
	cmd := exec.Command("sh", "-c", "exit 7")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	is := func(z sys.Zombie) bool { return z.PID == pid }
	for deadline := time.Now().Add(30 * time.Second); !slices.ContainsFunc(sys.Zombies(), is); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no zombie: %v", sys.Zombies())
		}
	}
	if !slices.Contains(sys.Awaited(), pid) {
		t.Errorf("awaited: %v; want %d", sys.Awaited(), pid)
	}
	all := sys.Zombies()
	z := all[slices.IndexFunc(all, is)]
	other := z
	other.Start += "0"
	if err := other.Reap(); err != nil {
		t.Errorf("who has only the number: %v", err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("its status: %v", err)
	}
	if slices.ContainsFunc(sys.Zombies(), is) {
		t.Errorf("it is still there")
	}
	if err := z.Reap(); err == nil {
		t.Errorf("who has gone was reaped")
	}
}

// TestReapZombie: one that is nobody's is cleared away.
func TestReapZombie(t *testing.T) {
	p := sys.Process{Path: "/bin/sh", Argv: []string{"sh", "-c", "exit 3"}}
	pid, err := p.Start()
	if err != nil {
		t.Fatal(err)
	}
	if _, ended, err := sys.Ended(pid, true); !ended || err != nil {
		t.Fatal(ended, err)
	}
	all := sys.Zombies()
	i := slices.IndexFunc(all, func(z sys.Zombie) bool { return z.PID == pid })
	if i < 0 || slices.Contains(sys.Awaited(), pid) {
		t.Fatalf("zombies %v, awaited %v; want %d among the first", all, sys.Awaited(), pid)
	}
	if err := all[i].Reap(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := sys.Reap(pid, false); err == nil {
		t.Errorf("it has not been reaped")
	}
}
