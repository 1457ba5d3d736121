//go:build linux

package supervise_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/needs"
)

// TestSignalsAroundExec: of each signal that is sent around the moment in which
// an upgrade executes the new file, none is lost and none ends the master.
func TestSignalsAroundExec(t *testing.T) {
	t.Parallel()
	s := newService(t, "http").start()
	master := s.cmd.Process.Pid
	names := map[syscall.Signal]string{syscall.SIGUSR1: "user defined signal 1", syscall.SIGTTIN: "stopped (tty input)", syscall.SIGTTOU: "stopped (tty output)"}
	const tries = 6
	for i := range tries {
		result := s.begin("upgrade", step{"executing", logged(`msg="upgrade: exec"`, i+1)})
		for sig := range names {
			time.Sleep(time.Duration(i) * time.Millisecond / 2) // 0 to 9 ms in all
			if err := syscall.Kill(master, sig); err != nil {
				t.Fatal(err)
			}
		}
		if output, code := result(); code != 0 {
			t.Fatalf("upgrade %d: exit %d: %s", i, code, output)
		}
		for sig, name := range names {
			eventually(t, fmt.Sprintf("%v has come %d times", sig, i+1), func() bool {
				return strings.Count(s.log(), fmt.Sprintf("msg=signal pid=%d name=%q", master, name)) == i+1
			})
		}
	}
	if st := s.status(); st.PID != master || st.Generation != tries+1 {
		t.Errorf("master %d, generation %d; want %d, %d", st.PID, st.Generation, master, tries+1)
	}
}

// TestStopAroundExec: a stop signal around the exec of an upgrade stops the
// service as at any other time: what is in flight is answered.
func TestStopAroundExec(t *testing.T) {
	t.Parallel()
	for i, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT} {
		t.Run(fmt.Sprintf("%v after %d ms", sig, 2*i), func(t *testing.T) {
			t.Parallel()
			s := newService(t, "http").start()
			addr := s.addr()
			rest, err := begin(addr, "/slow?ms=1000")
			if err != nil {
				t.Fatal(err)
			}
			result := s.begin("upgrade", executing)
			time.Sleep(time.Duration(2*i) * time.Millisecond)
			s.cmd.Process.Signal(sig)
			if body, err := rest(); err != nil || !strings.HasSuffix(body, "end") {
				t.Errorf("the request in flight: %q, %v", body, err)
			}
			<-s.exited
			if code := s.cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("the master: %v\n%s", s.cmd.ProcessState, s.log())
			}
			result()
		})
	}
}

// TestExecWithoutWitness: where somebody else traces the master already, an upgrade
// works as ever, and those signals are held that can be.
func TestExecWithoutWitness(t *testing.T) {
	t.Parallel()
	s := newService(t, "http")
	s.launchBy(needs.Program(t, "strace"), "-f", "-e", "trace=none", "-e", "signal=none", "-o", "/dev/null")
	eventually(t, "the service is ready", func() bool { return logged("\nready\n", 1)(s) })
	master := s.status().PID
	for i := range 3 {
		result := s.begin("upgrade", step{"executing", logged(`msg="upgrade: exec"`, i+1)})
		for _, sig := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGWINCH} {
			time.Sleep(time.Duration(3*i) * time.Millisecond)
			syscall.Kill(master, sig)
		}
		if output, code := result(); code != 0 {
			t.Fatalf("upgrade %d: exit %d: %s", i, code, output)
		}
		eventually(t, "the signal has come", func() bool { return strings.Count(s.log(), `name="user defined signal 1"`) == i+1 })
	}
	s.must("stop")
	<-s.exited
}
