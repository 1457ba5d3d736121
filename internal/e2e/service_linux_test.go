package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/exampletest"
	"github.com/jay-go/jay/internal/needs"
)

// patience is how long a condition may take that holds at once on a machine
// with nothing else to do.
const patience = time.Minute

// builtDir is where the programs under test are built; TestMain removes it.
func builtDir() string { return filepath.Join(os.TempDir(), fmt.Sprintf("jay-e2e-%d", os.Getpid())) }

// build builds the programs once, without what only a debugger reads: that is a
// fifth of the work. A test binary with the race detector builds them with it
// too.
var build = sync.OnceValue(func() error {
	args := []string{"build", "-ldflags=-s -w", "-o", builtDir() + "/"}
	if needs.RaceDetector() {
		args = append(args, "-race")
	}
	args = append(args, "../../cmd/...", "../../examples/...")
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
})

// binary is the path of a built program. JAY_E2E_BINARY names a jay that is
// built already.
func binary(t *testing.T, name string) string {
	t.Helper()
	if built := os.Getenv("JAY_E2E_BINARY"); built != "" && name == "jay" {
		return built
	}
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(builtDir(), name)
}

// A service is a started program with its master in the foreground.
type service struct {
	t      *testing.T
	binary string
	runDir string
	addr   string   // host:port of the first address
	env    []string // for its commands, beside that of the test
	cmd    *exec.Cmd
	output *exampletest.Output
	exited chan struct{} // closed when the master is gone
	racy   bool          // it is made to race
}

// status is what the tests read of status --json.
type status struct {
	Version         string
	PID, Generation int
	State           string
	Loop            string
	MemoryLimit     int64 `json:"memory_limit_bytes"`
	Programs        []programStatus
	Workers         []workerStatus
}

type programStatus struct {
	Name, Protocol        string
	Addresses             []string
	Want, Ready, Restarts int
	LastExit              string `json:"last_exit"`
	AcceptQueue           int    `json:"accept_queue"`
	AcceptBacklog         int    `json:"accept_backlog"`
	Limits                map[string]float64
	Problems              []string
}

type workerStatus struct {
	Program, State                string
	Slot, PID                     int
	Panics, Requests, Connections int
	RSS                           int64 `json:"rss_bytes"`
	MemoryLimit                   int64 `json:"memory_limit_bytes"`
	BytesIn                       int   `json:"bytes_in"`
	LogDropped                    int   `json:"log_dropped"`
	AcceptErrors                  int   `json:"accept_errors"`
	Loops                         []struct{ Name string }
	BusySeconds                   float64 `json:"busy_s"`
	BusyIn                        string  `json:"busy_in"`
}

func (w workerStatus) silent() bool { return w.State == "silent" }

func (st status) hasWorker(pid int) bool {
	return slices.ContainsFunc(st.Workers, func(w workerStatus) bool { return w.PID == pid })
}

// start starts a program on a free port and returns when it is ready. The end
// of the test stops it, and fails when a process of it is left.
func start(t *testing.T, name string, args ...string) *service {
	t.Helper()
	s := launch(t, name, append([]string{"--listen", "tcp://127.0.0.1:0"}, args...)...)
	s.waitReady()
	return s
}

// launch is start without waiting, and with exactly these flags.
func launch(t *testing.T, name string, args ...string) *service {
	t.Helper()
	return launchBinary(t, binary(t, name), runDir(t), args...)
}

func launchBinary(t *testing.T, path, runDir string, args ...string) *service {
	t.Helper()
	cmd := exec.Command(path, append([]string{"start", "--run-dir", runDir}, args...)...)
	return launchCommand(t, path, runDir, cmd)
}

// launchCommand is for a start that needs more than arguments.
func launchCommand(t *testing.T, path, runDir string, cmd *exec.Cmd) *service {
	t.Helper()
	s := &service{t: t, binary: path, runDir: runDir, env: cmd.Env, cmd: cmd, output: &exampletest.Output{}, exited: make(chan struct{})}
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		s.cmd.Wait()
		close(s.exited)
	}()
	t.Cleanup(s.end)
	return s
}

// runDir is a directory for a service, with a name short enough for a socket
// in it.
func runDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "jay-run-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// end stops what still runs. A process that stop leaves behind is a failure.
func (s *service) end() {
	if s.running() {
		s.command("stop")
		s.waitExit()
	}
	for _, pid := range s.processes() {
		s.t.Errorf("process %d of %s is left:\n%s", pid, s.binary, s.output)
		syscall.Kill(pid, syscall.SIGKILL)
	}
	if strings.Contains(s.output.String(), "DATA RACE") && !s.racy {
		s.t.Errorf("%s reports a data race", s.binary)
	}
	if s.t.Failed() {
		s.t.Logf("output of %s:\n%s", s.binary, s.output)
	}
}

func (s *service) running() bool {
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

// waitExit returns the master's exit code.
func (s *service) waitExit() int {
	s.t.Helper()
	select {
	case <-s.exited:
	case <-time.After(patience):
		s.t.Errorf("%s has not ended; its output:\n%s", s.binary, s.output)
		s.cmd.Process.Kill()
		<-s.exited
	}
	return s.cmd.ProcessState.ExitCode()
}

// run runs a command of the program against the service.
func (s *service) run(args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	return runWith(s.t, s.env, s.binary, append(args, "--run-dir", s.runDir)...)
}

// command is run whose words on standard error are for the log.
func (s *service) command(args ...string) (stdout string, code int) {
	s.t.Helper()
	stdout, stderr, code := s.run(args...)
	if stderr != "" {
		s.t.Logf("%s: %s", strings.Join(args, " "), stderr)
	}
	return stdout, code
}

// run runs a program to its end.
func run(t *testing.T, binary string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return runWith(t, nil, binary, args...)
}

// runWith is run in an environment; nil is that of the test.
func runWith(t *testing.T, env []string, binary string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = env
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s %s: %v", binary, strings.Join(args, " "), err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// status asks for status --json. A master that has only just begun to start
// does not answer yet: then the command fails with a line that says so.
func (s *service) status() (st status, code int) {
	s.t.Helper()
	out, stderr, code := s.run("status", "--json")
	starting := code == 1 && out == "" && strings.Contains(stderr, "does not answer")
	if err := json.Unmarshal([]byte(out), &st); err != nil && !starting {
		s.t.Fatalf("status --json: exit %d, %v, %q, standard error %q", code, err, out, stderr)
	}
	return st, code
}

func (s *service) waitReady() {
	s.t.Helper()
	s.wait("all workers ready", func(st status, code int) bool {
		if code != 0 {
			return false
		}
		s.addr = strings.TrimPrefix(st.Programs[0].Addresses[0], "tcp://")
		return true
	})
}

// wait asks for the status until ok holds. It asks the master itself, since each
// command is a process, and then has it confirmed by the command.
func (s *service) wait(what string, ok func(st status, code int) bool) {
	s.t.Helper()
	eventually(s.t, what, func() bool {
		if !s.running() {
			s.t.Fatalf("%s ended while it was awaited: %s", s.binary, what)
		}
		return ok(s.peek()) && ok(s.status())
	})
}

// peek is status without a process.
func (s *service) peek() (st status, code int) {
	s.t.Helper()
	b, err := control.NewClient(s.runDir).Get(s.t.Context(), "/v1/status")
	if err != nil {
		if errors.Is(err, control.ErrNotRunning) {
			return st, 3
		}
		return st, 1
	}
	if err := json.Unmarshal(b, &st); err != nil {
		s.t.Fatalf("the status: %v in %q", err, b)
	}
	behind := func(p programStatus) bool { return p.Ready < p.Want }
	if st.State != "running" && st.State != "reloading" || slices.ContainsFunc(st.Programs, behind) || slices.ContainsFunc(st.Workers, workerStatus.silent) {
		return st, 1
	}
	return st, 0
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for pause := time.Millisecond; !ok(); pause = min(2*pause, 20*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %v still not: %s", patience, what)
		}
		time.Sleep(pause)
	}
}

// workers returns the pids of the ready workers by slot. On a busy machine one
// may be silent for a while.
func (s *service) workers() (pids []int) {
	s.t.Helper()
	eventually(s.t, "every worker answers", func() bool {
		pids = nil
		st, _ := s.peek()
		for _, w := range st.Workers {
			if w.State == "ready" {
				pids = append(pids, w.PID)
			}
		}
		return len(pids) > 0 && !slices.ContainsFunc(st.Workers, workerStatus.silent)
	})
	return pids
}

// processes lists the living processes of the service.
func (s *service) processes() []int { return exampletest.Processes(s.runDir) }

// parent returns the parent of a process, 0 when it has gone.
func parent(pid int) (ppid int) {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(stat), ") ")
	var state string
	fmt.Sscan(rest, &state, &ppid)
	return ppid
}
