//go:build linux

package supervise_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/jay-go/jay/internal/exampletest"
)

// TestChangeThatMayNeverEnd: where workers have no StartTimeout and one does not become
// ready, who waits for the change, and status, say so and how to end it; and that ends it.
func TestChangeThatMayNeverEnd(t *testing.T) {
	t.Parallel()
	for command, want := range map[string]string{
		"restart":      "; the file before runs again",
		"reload":       "new worker http/1: signal: terminated",
		"upgrade":      "new worker http/1: signal: terminated",
		"scale http=3": "2 workers stay",
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			s, openGate, closeGate := gatedService(t)
			s.install("good")
			openGate()
			s.must("start", "-d", "-q", "--workers=2", "--start-timeout=-1s")
			t.Cleanup(openGate) // before that of the service
			closeGate()
			said := &exampletest.Output{}
			cmd := s.command(strings.Fields(command)...)
			cmd.Stdout, cmd.Stderr = said, said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the command says that it waits", func() bool { return strings.Contains(said.String(), " waits: ") })
			pid := 0
			for _, w := range s.status().Workers {
				if w.State == "starting" {
					pid = max(pid, w.PID) // of the last slot
				}
			}
			waits := s.status().Operations[0].Waits
			if out, _ := s.run("status"); !strings.Contains(strings.Join(strings.Fields(out), " "), strings.Fields(command)[0]+" waits: "+waits) {
				t.Errorf("status does not say that it waits for %q: %s", waits, out)
			}
			if !strings.Contains(waits, " is not ready, and has no StartTimeout; kill ") {
				t.Errorf("it waits for %q", waits)
			}
			exit := fmt.Sprintf(" worker_pid=%d ", pid)
			syscall.Kill(pid, syscall.SIGTERM)
			eventually(t, "it has ended", func() bool { return strings.Contains(s.log(), exit) })
			openGate() // for the file before
			cmd.Wait()
			out, code := said.String(), cmd.ProcessState.ExitCode()
			if code != 1 || !strings.Contains(out, want) {
				t.Errorf("%s: exit %d: %s; want %q", command, code, out, want)
			}
			if told := fmt.Sprintf(" waits: %s\n", waits); !strings.Contains(out, told) {
				t.Errorf("%s says %q, want %q in it", command, out, told)
			}
			eventually(t, "it serves as before", func() bool {
				st := s.status()
				return st.State == "running" && st.Programs[0].Ready == 2 && len(st.Operations) == 0
			})
		})
	}
}

// TestInterruptedCommand: who interrupts a command is told that what it has asked for goes on.
func TestInterruptedCommand(t *testing.T) {
	t.Parallel()
	s, openGate, closeGate := gatedService(t)
	openGate()
	s.must("start", "-d", "-q", "--start-timeout=60s")
	t.Cleanup(openGate)
	closeGate()
	var out strings.Builder
	cmd := s.command("reload")
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the reload has begun", func() bool { return s.status().State == "reloading" })
	cmd.Process.Signal(syscall.SIGINT)
	cmd.Wait()
	if code, want := cmd.ProcessState.ExitCode(), "reload: interrupted; it goes on in the master (status shows it)\n"; code != 1 || !strings.HasSuffix(out.String(), want) {
		t.Errorf("exit %d: %s; want %q", code, out.String(), want)
	}
}
