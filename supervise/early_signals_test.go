//go:build linux

package supervise_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/supervise"
)

// signalNewborns sends a signal to each of the next processes that the master starts,
// as soon as they are there. stop ends that and says how many it has met.
func (s *service) signalNewborns(signals ...syscall.Signal) (stop func() int) {
	master := s.cmd.Process.Pid
	known, met := children(master), 0
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for met < len(signals) {
			select {
			case <-end:
				return
			default:
			}
			time.Sleep(20 * time.Microsecond)
			for _, pid := range children(master) {
				if !slices.Contains(known, pid) && met < len(signals) {
					known = append(known, pid)
					syscall.Kill(atoi(pid), signals[met])
					met++
				}
			}
		}
	}()
	return func() int {
		close(end)
		<-done
		return met
	}
}

// children are the numbers of a process's children.
func children(pid int) (list []string) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range files {
		b, _ := os.ReadFile(file)
		list = append(list, strings.Fields(string(b))...)
	}
	return list
}

func atoi(text string) (n int) {
	fmt.Sscan(text, &n)
	return n
}

// TestSignalsForNewborns: a signal that is no stop signal and comes to a process of
// the service in its first moments, when it cannot have a handler yet, does not end a
// change.
func TestSignalsForNewborns(t *testing.T) {
	t.Parallel()
	for _, change := range []string{"reload", "upgrade"} {
		t.Run(change, func(t *testing.T) {
			t.Parallel()
			s := newService(t, "http").start()
			stop := s.signalNewborns(syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGPIPE, syscall.SIGHUP, syscall.SIGHUP)
			s.must(change)
			if met := stop(); met == 0 {
				t.Error("no new process was met")
			}
			if st := s.status(); st.State != "running" || st.Generation != 2 || st.Programs[0].Restarts != 0 || st.PID != s.cmd.Process.Pid {
				t.Errorf("%s, generation %d, %d restarts, master %d", st.State, st.Generation, st.Programs[0].Restarts, st.PID)
			}
			mustGet(t, s.addr())
		})
	}
}

// slowMain is a program that takes its time before it says what it is.
func slowMain() *supervise.Options {
	if inRole("describe") {
		os.WriteFile(os.Getenv("OUT"), nil, 0o600)
		time.Sleep(300 * time.Millisecond)
	}
	return options(httpProgram())
}

// TestSignalsForADescription: nor does one while a new file says what it is.
func TestSignalsForADescription(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "out")
	s := newService(t, "slow main", "OUT="+out).start()
	result := s.begin("reload", step{"describing", func(*service) bool { _, err := os.Stat(out); return err == nil }})
	s.signalAll(syscall.SIGUSR1, syscall.SIGPIPE, syscall.SIGTTIN, syscall.SIGTTOU)
	for _, pid := range s.processes() {
		syscall.Kill(pid, syscall.SIGHUP)
		syscall.Kill(pid, syscall.SIGUSR2)
	}
	if output, code := result(); code != 0 {
		t.Errorf("reload: exit %d\n%s", code, output)
	}
}
