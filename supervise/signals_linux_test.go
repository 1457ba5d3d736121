package supervise

import (
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/sys"
)

// takeAll waits until each of the signals has come, and gives how often each has.
func takeAll(t *testing.T, in *signalInbox, want ...syscall.Signal) map[syscall.Signal]int {
	t.Helper()
	got := map[syscall.Signal]int{}
	for limit := time.After(time.Minute); ; {
		for _, s := range in.take() {
			got[s]++
		}
		if !slices.ContainsFunc(want, func(s syscall.Signal) bool { return got[s] == 0 }) {
			return got
		}
		select {
		case <-in.wake:
		case <-limit:
			t.Fatalf("came: %v; want %v", got, want)
		}
	}
}

func send(t *testing.T, signals ...syscall.Signal) {
	t.Helper()
	for _, s := range signals {
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSignalFlood: what comes often does not crowd out what comes once, while the
// owner looks at none of it.
func TestSignalFlood(t *testing.T) {
	in := newSignalInbox(terminal{})
	defer in.detach()
	for range 500 {
		send(t, syscall.SIGUSR1, syscall.SIGWINCH)
	}
	send(t, syscall.SIGCHLD, syscall.SIGTERM, syscall.SIGTTIN, syscall.SIGHUP)
	<-in.stop
	takeAll(t, in, syscall.SIGTERM, syscall.SIGCHLD, syscall.SIGTTIN, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGWINCH)
}

// TestHeldSignals: signals that come while an exec is tried, and those that had
// come before, are there when it has failed, and in the state for whoever
// continues.
func TestHeldSignals(t *testing.T) {
	for name, witnessed := range map[string]bool{"with a witness": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			in := newSignalInbox(terminal{})
			defer in.detach()
			state, err := sys.Memfd("state")
			if err != nil {
				t.Fatal(err)
			}
			defer sys.Close(state)
			send(t, syscall.SIGUSR1)
			release, err := in.hold(state, witnessed)
			if err != nil {
				t.Fatal(err)
			}
			held := []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGUSR2, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGWINCH}
			send(t, held...)
			if early := in.take(); len(early) > 0 {
				t.Errorf("came while signals are held: %v", early)
			}
			release()
			for s, n := range takeAll(t, in, append(held, syscall.SIGUSR1, syscall.SIGCHLD)...) {
				if n != 1 && s != syscall.SIGCHLD {
					t.Errorf("%v came %d times", s, n)
				}
			}
			send(t, syscall.SIGHUP)
			takeAll(t, in, syscall.SIGHUP)
		})
	}
}

// TestResumedSignals: the next master takes what the one before has left.
func TestResumedSignals(t *testing.T) {
	state, err := sys.Memfd("state")
	if err != nil {
		t.Fatal(err)
	}
	defer sys.Close(state)
	words, err := sys.MapWords(state, heldWords)
	if err != nil {
		t.Fatal(err)
	}
	words.Word(heldBits).Store(1<<syscall.SIGHUP | 1<<syscall.SIGTERM)
	words.Word(int(syscall.SIGTTIN)).Store(5)
	in := newSignalInbox(terminal{})
	defer in.detach()
	if err := in.resume(state); err != nil {
		t.Fatal(err)
	}
	got := takeAll(t, in, syscall.SIGHUP, syscall.SIGTERM)
	if got[syscall.SIGHUP] != 1 || got[syscall.SIGTERM] != 1 || got[syscall.SIGTTIN] != 5 {
		t.Errorf("came: %v", got)
	}
	if err := in.resume(state); err != nil || len(in.take()) > 0 {
		t.Errorf("they came twice")
	}
}
