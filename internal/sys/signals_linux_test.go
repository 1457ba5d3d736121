package sys_test

import (
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/sys"
)

// TestNoteSignals: a signal sets its bit and does nothing else, and afterwards it
// comes where it came before.
func TestNoteSignals(t *testing.T) {
	ch := make(chan os.Signal, 10)
	signal.Notify(ch, syscall.SIGUSR1)
	defer signal.Stop(ch)
	word := new(atomic.Int64)
	restore, err := sys.NoteSignals(word, syscall.SIGUSR1, syscall.SIGTERM)
	if err != nil {
		t.Fatal(err)
	}
	defer restore()
	want := int64(1<<syscall.SIGUSR1 | 1<<syscall.SIGTERM)
	for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGTERM} {
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); word.Load() != want; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("noted %#x, want %#x", word.Load(), want)
		}
	}
	restore()
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	if s := <-ch; s != syscall.SIGUSR1 || len(ch) > 0 {
		t.Errorf("%v came, and %d more", s, len(ch))
	}
	if word.Load() != want {
		t.Errorf("noted %#x afterwards", word.Load())
	}
}

// TestBlockSignals: a process that is started meanwhile has every signal blocked
// that would end it, and one that is started afterwards none.
func TestBlockSignals(t *testing.T) {
	unblock, err := sys.BlockSignals()
	if err != nil {
		t.Fatal(err)
	}
	blocked := childStatus(t, "SigBlk")
	unblock()
	const want = "fffffffc3bba7a27" // without KILL, STOP and those of the runtime
	if blocked != want {
		t.Errorf("blocked: %s, want %s", blocked, want)
	}
	if blocked := childStatus(t, "SigBlk"); strings.Trim(blocked, "0") != "" {
		t.Errorf("blocked afterwards: %s", blocked)
	}
}

// childStatus is a field of /proc/PID/status of a process that this goroutine
// starts.
func childStatus(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("grep", name, "/proc/self/status").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))[1]
}
