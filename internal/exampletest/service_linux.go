package exampletest

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/leak"
	"github.com/jay-go/jay/internal/needs"
)

// Patience is how long a condition may take that holds at once on a machine
// with nothing else to do.
const Patience = time.Minute

// variable makes the test binary the example's program.
const variable = "JAY_EXAMPLE_TEST"

// Main is the TestMain of an example. The same binary is the program that the
// tests start: then program, which is the example's main, is all that runs. So
// it is built once, and with the race detector where the tests are.
func Main(m *testing.M, program func()) {
	if os.Getenv(variable) != "" {
		program()
		os.Exit(0)
	}
	leak.Main(m)
}

// A Service is the example at work.
type Service struct {
	t      *testing.T
	binary string
	runDir string
	cmd    *exec.Cmd
	output Output
	exited chan struct{} // closed when the master is gone
}

// Start starts the example on a free port of 127.0.0.1, with further flags,
// and returns when all its workers are ready. The end of the test stops it,
// and fails when it does not stop in order or leaves a process behind.
func Start(t *testing.T, flags ...string) *Service {
	t.Helper()
	return Launch(t, flags...).ready()
}

func (s *Service) ready() *Service {
	s.t.Helper()
	s.Eventually("all workers are ready", func() bool {
		st, code := s.status()
		return code == 0 && st.State == "running"
	})
	return s
}

// Launch is Start without waiting, for what does not become ready.
func Launch(t *testing.T, flags ...string) *Service {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return launch(t, binary, flags)
}

// StartOther is Start for the tests of a package that is not the example's: it
// builds the example of that name, with the race detector where the tests have
// it.
func StartOther(t *testing.T, name string, flags ...string) *Service {
	t.Helper()
	binary := filepath.Join(t.TempDir(), name)
	args := []string{"build", "-o", binary}
	if needs.RaceDetector() {
		args = append(args, "-race")
	}
	args = append(args, "github.com/jay-go/jay/examples/"+name)
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return launch(t, binary, flags).ready()
}

func launch(t *testing.T, binary string, flags []string) *Service {
	t.Helper()
	s := &Service{t: t, binary: binary, runDir: runDir(t), exited: make(chan struct{})}
	s.cmd = s.prepare(context.Background(), append([]string{"start", "--listen", "tcp://127.0.0.1:0"}, flags...)...)
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = s.cmd.Wait() // the exit code is in ProcessState
		close(s.exited)
	}()
	t.Cleanup(s.end)
	return s
}

// runDir has a name short enough for a socket in it.
func runDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "jay-example-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (s *Service) prepare(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.binary, append(args, "--run-dir", s.runDir)...)
	// With the race detector each process would sleep for a second at its end.
	cmd.Env = append(os.Environ(), variable+"=1", "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	return cmd
}

// Command runs a command of the example, as "status", against the service.
func (s *Service) Command(args ...string) (stdout string, code int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*Patience)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := s.prepare(ctx, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		s.t.Fatalf("%s: %v", strings.Join(args, " "), err)
	}
	if errs.Len() > 0 {
		s.t.Logf("%s says: %s", strings.Join(args, " "), &errs)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// Status is what status --json prints, also when the service is degraded.
func (s *Service) Status() control.Status {
	s.t.Helper()
	st, code := s.status()
	if code > 1 || st.PID == 0 {
		s.t.Fatalf("status --json: exit %d", code)
	}
	return st
}

func (s *Service) status() (st control.Status, code int) {
	s.t.Helper()
	out, code := s.Command("status", "--json")
	if code <= 1 && out != "" {
		if err := json.Unmarshal([]byte(out), &st); err != nil {
			s.t.Fatalf("status --json: %v in %q", err, out)
		}
	}
	return st, code
}

// Addr is the host and port of the server with this name.
func (s *Service) Addr(server string) string {
	s.t.Helper()
	for _, p := range s.Status().Programs {
		if p.Name == server && len(p.Addresses) > 0 {
			return strings.TrimPrefix(p.Addresses[0], "tcp://")
		}
	}
	s.t.Fatalf("status shows no address of a server %s", server)
	return ""
}

// RunDir is the run directory of the service.
func (s *Service) RunDir() string { return s.runDir }

// Output is what master and workers have printed.
func (s *Service) Output() string { return s.output.String() }

// Eventually waits for a condition that must become true while the service
// runs.
func (s *Service) Eventually(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(Patience); !ok(); time.Sleep(10 * time.Millisecond) {
		switch {
		case !s.running():
			s.t.Fatalf("the service has ended while this was awaited: %s; it printed:\n%s", what, &s.output)
		case time.Now().After(end):
			s.t.Fatalf("not within %v: %s; the service printed:\n%s", Patience, what, &s.output)
		}
	}
}

func (s *Service) running() bool {
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

// end stops the service.
func (s *Service) end() {
	if s.running() {
		if out, code := s.Command("stop"); code != 0 {
			s.t.Errorf("stop: exit %d, %s", code, out)
		}
	}
	select {
	case <-s.exited:
	case <-time.After(Patience):
		s.t.Error("the master has not ended after stop")
		s.cmd.Process.Kill()
		<-s.exited
	}
	for _, pid := range Processes(s.runDir) {
		s.t.Errorf("process %d is left", pid)
		syscall.Kill(pid, syscall.SIGKILL)
	}
	if strings.Contains(s.output.String(), "WARNING: DATA RACE") {
		s.t.Error("the race detector has found something in the service")
	}
	if s.t.Failed() {
		s.t.Logf("the service printed:\n%s", &s.output)
	}
}
