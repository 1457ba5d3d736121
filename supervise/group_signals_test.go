//go:build linux

package supervise_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/supervise"
)

// signalAll sends signals to every process of a service, as a service manager or
// a terminal does, the master last.
func (s *service) signalAll(signals ...syscall.Signal) {
	s.t.Helper()
	for _, sig := range signals {
		for _, pid := range append(s.processes(), s.cmd.Process.Pid) {
			if err := syscall.Kill(pid, sig); err != nil && err != syscall.ESRCH {
				s.t.Fatal(err)
			}
		}
	}
}

// TestStopOfEveryProcess: a stop signal that every process of a service gets, or
// two of them within milliseconds, cuts nobody off.
func TestStopOfEveryProcess(t *testing.T) {
	t.Parallel()
	for _, signals := range [][]syscall.Signal{
		{syscall.SIGTERM}, {syscall.SIGINT}, {syscall.SIGQUIT}, {syscall.SIGINT, syscall.SIGTERM}, {syscall.SIGTERM, syscall.SIGTERM}, {syscall.SIGHUP, syscall.SIGTERM},
		{syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGINT},
	} {
		t.Run(fmt.Sprint(signals), func(t *testing.T) {
			t.Parallel()
			s := newService(t, "http").start()
			rest, err := begin(s.addr(), "/slow?ms=300")
			if err != nil {
				t.Fatal(err)
			}
			s.signalAll(signals...)
			if body, err := rest(); err != nil || !strings.HasSuffix(body, "end") {
				t.Errorf("the request in flight: %q, %v", body, err)
			}
			<-s.exited
			if code := s.cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("the master: %v", s.cmd.ProcessState)
			}
			if n := strings.Count(s.log(), "DrainHTTP("); signals[0] == syscall.SIGQUIT && n == 0 {
				t.Errorf("no goroutines in the log")
			}
		})
	}
}

// TestOtherSignalsOfEveryProcess: what is no stop signal cuts nobody off, and
// the service goes on, whichever of its processes gets it.
func TestOtherSignalsOfEveryProcess(t *testing.T) {
	t.Parallel()
	s := newService(t, "http").start()
	addr, generation := s.addr(), 1
	for _, sig := range []syscall.Signal{
		syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGWINCH, syscall.SIGPIPE, syscall.SIGALRM, syscall.SIGCHLD,
		syscall.SIGIO, syscall.SIGURG, syscall.SIGVTALRM,
	} {
		rest, err := begin(addr, "/slow?ms=100")
		if err != nil {
			t.Fatalf("after %v: %v", sig, err)
		}
		s.signalAll(sig)
		if body, err := rest(); err != nil || !strings.HasSuffix(body, "end") {
			t.Errorf("%v: the request in flight: %q, %v", sig, body, err)
		}
		if sig == syscall.SIGHUP || sig == syscall.SIGUSR2 {
			generation++
		}
		eventually(t, "it has done what it was told", func() bool { st := s.status(); return st.State == "running" && st.Generation == generation })
	}
	if st := s.status(); st.Programs[0].Restarts != 0 || st.PID != s.cmd.Process.Pid {
		t.Errorf("%+v", st.Programs[0])
	}
	mustGet(t, addr)
}

// TestWorkerHeedsSignals: a worker that gets a stop signal is replaced and drains;
// a second one within milliseconds is the same wish, a later one ends it.
func TestWorkerHeedsSignals(t *testing.T) {
	t.Parallel()
	for _, signals := range [][]syscall.Signal{{syscall.SIGTERM, syscall.SIGINT}, {syscall.SIGQUIT, syscall.SIGQUIT}} {
		t.Run(fmt.Sprint(signals), func(t *testing.T) {
			t.Parallel()
			s := newService(t, "http").start("--workers", "1", "--stop-timeout", "1h")
			pid := s.pids()[0]
			rest, err := begin(s.addr(), "/slow?ms=60000")
			if err != nil {
				t.Fatal(err)
			}
			for _, sig := range signals {
				syscall.Kill(pid, sig)
			}
			eventually(t, "another worker is in its place", func() bool {
				st := s.status()
				return st.State == "running" && st.Programs[0].Ready == 1 && len(s.generation(1)) == 2
			})
			if gone(pid) {
				t.Errorf("signals within milliseconds have ended it")
			}
			eventually(t, "a later signal ends it", func() bool { syscall.Kill(pid, signals[0]); return gone(pid) })
			if body, err := rest(); err == nil {
				t.Errorf("the request: %q", body)
			}
		})
	}
}

// TestSignalsDuringAStart: a stop signal ends a start that waits for its
// addresses; others do not.
func TestSignalsDuringAStart(t *testing.T) {
	t.Parallel()
	taken := newService(t, "http").start()
	for _, tt := range []struct {
		sig  syscall.Signal
		want string
	}{{syscall.SIGTERM, "stopping"}, {syscall.SIGHUP, "address already in use"}, {syscall.SIGWINCH, "address already in use"}} {
		t.Run(tt.sig.String(), func(t *testing.T) {
			t.Parallel()
			s := newService(t, "http")
			s.launch("--listen", taken.addr())
			eventually(t, "the start has begun", func() bool { _, err := os.Stat(s.dir + "/master.pid"); return err == nil })
			for range 20 {
				s.cmd.Process.Signal(tt.sig)
				time.Sleep(time.Millisecond)
			}
			<-s.exited
			if code := s.cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(s.log(), tt.want) {
				t.Errorf("%v: %s", s.cmd.ProcessState, s.log())
			}
		})
	}
}

// TestSignalsAtTheEnd: in the last steps of a stop, when no worker is left, no
// signal ends the master before its hooks have run; a stop signal a second later
// does not wait for them.
func TestSignalsAtTheEnd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		last    string // how long OnMasterStop takes
		signals []syscall.Signal
		ends    bool
	}{
		{"signals", "1500ms", []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTERM, syscall.SIGINT, syscall.SIGALRM}, true},
		{"again and again", "1h", nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "out")
			s := newService(t, "slow stop", "OUT="+out, "LAST="+tt.last).start("--workers", "1")
			begin := time.Now()
			s.cmd.Process.Signal(syscall.SIGTERM)
			eventually(t, "the hook runs", func() bool { b, _ := os.ReadFile(out); return string(b) == "begin" })
			for _, sig := range tt.signals {
				if stops := sig == syscall.SIGTERM || sig == syscall.SIGINT; stops && time.Since(begin) > time.Second/2 {
					continue // on a machine this busy it might be a second later
				}
				s.cmd.Process.Signal(sig)
			}
			if !tt.ends {
				eventually(t, "a later signal ends the wait", func() bool {
					s.cmd.Process.Signal(syscall.SIGTERM)
					return strings.Contains(s.log(), "stopped at once")
				})
			}
			<-s.exited
			b, _ := os.ReadFile(out)
			if code := s.cmd.ProcessState.ExitCode(); code != 0 || (string(b) == "end") != tt.ends {
				t.Errorf("%v, the hook's last word is %q", s.cmd.ProcessState, b)
			}
		})
	}
}

// slowStop takes $LAST over its last hook.
func slowStop() *supervise.Options {
	o := options(httpProgram())
	o.OnMasterStop = func() {
		os.WriteFile(os.Getenv("OUT"), []byte("begin"), 0o600)
		d, _ := time.ParseDuration(os.Getenv("LAST"))
		time.Sleep(d)
		os.WriteFile(os.Getenv("OUT"), []byte("end"), 0o600)
	}
	return o
}
