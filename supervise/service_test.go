//go:build linux

package supervise_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/exampletest"
	"github.com/jay-go/jay/internal/reset"
)

// patience is how long a condition may take on a loaded machine. Reaching it
// is a failure, never a way to wait.
const patience = time.Minute

// service is a process of the test binary that runs as one of testServices.
type service struct {
	t    *testing.T
	name string
	dir  string // the run directory
	bin  string // for builds of its own
	exe  string
	env  []string

	cmd    *exec.Cmd // of a foreground start
	output *exampletest.Output
	exited chan struct{}
}

// newService prepares a service; nothing runs yet. env is NAME=VALUE.
func newService(t *testing.T, name string, env ...string) *service {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &service{t: t, name: name, dir: filepath.Join(t.TempDir(), "run"), bin: tempDir(t), exe: exe, env: env, output: &exampletest.Output{}}
	t.Cleanup(s.cleanup)
	return s
}

// command is a process of the command line. Only a start is one of the
// service's own file, which may be none that runs.
func (s *service) command(args ...string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	if len(args) > 0 && args[0] == "start" {
		exe = s.exe
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(append(os.Environ(), programVariable+"="+s.name, "JAY_RUN_DIR="+s.dir,
		"GORACE=atexit_sleep_ms=0"), s.env...)
	return cmd
}

// run carries out a command of the command line.
func (s *service) run(args ...string) (output string, code int) {
	s.t.Helper()
	cmd := s.command(args...)
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatalf("%v: %v", args, err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

// must is run for a command that has to succeed.
func (s *service) must(args ...string) string {
	s.t.Helper()
	out, code := s.run(args...)
	if code != 0 {
		s.t.Fatalf("%v: exit %d: %s\nlog:\n%s", args, code, out, s.log())
	}
	return out
}

// start runs the service in the foreground and waits until it is ready.
func (s *service) start(args ...string) *service {
	s.t.Helper()
	before := len(s.output.String()) // an earlier start was ready, too
	s.launch(args...)
	eventually(s.t, "the service is ready", func() bool {
		select {
		case <-s.exited:
			s.t.Fatalf("the service has exited: %s", s.output)
		default:
		}
		return strings.Contains(s.output.String()[before:], "\nready\n")
	})
	return s
}

// launch runs the service in the foreground without waiting.
func (s *service) launch(args ...string) *exec.Cmd {
	s.t.Helper()
	return s.background(s.command(append([]string{"start"}, args...)...))
}

// launchBy is launch by another program, which is given with its arguments.
func (s *service) launchBy(program string, args ...string) *exec.Cmd {
	s.t.Helper()
	cmd := s.command("start")
	cmd.Args = append(append([]string{program}, args...), cmd.Args...)
	cmd.Path = program
	return s.background(cmd)
}

func (s *service) background(cmd *exec.Cmd) *exec.Cmd {
	s.t.Helper()
	s.cmd = cmd
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	s.cmd.WaitDelay = time.Second
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.exited = make(chan struct{})
	exited := s.exited
	go func() { cmd.Wait(); close(exited) }()
	return s.cmd
}

// log is what the service has printed and logged.
func (s *service) log() string {
	text := s.output.String()
	if b, err := os.ReadFile(filepath.Join(s.dir, filepath.Base(s.exe)+".log")); err == nil {
		text += string(b)
	}
	return text
}

// status is the service's status, of the master itself: the command asks in the
// same way, and takes a process for each question.
func (s *service) status() control.Status {
	s.t.Helper()
	st, err := control.NewClient(s.dir).Status(context.Background())
	if err != nil && !errors.Is(err, control.ErrNotRunning) && !errors.Is(err, syscall.ENOTDIR) { // a file is where the run directory goes
		s.t.Fatalf("status: %v\nlog:\n%s", err, s.log())
	}
	return st
}

// addr is the first address that a program is bound to, without its scheme.
func (s *service) addr() string {
	s.t.Helper()
	_, a, _ := strings.Cut(s.status().Programs[0].Addresses[0], "://")
	return a
}

// pids are the workers' processes.
func (s *service) pids() (pids []int) {
	for _, w := range s.status().Workers {
		if w.PID != 0 {
			pids = append(pids, w.PID)
		}
	}
	return pids
}

// cleanup leaves no process behind, whatever the test did.
func (s *service) cleanup() {
	defer func() {
		log := s.log()
		if strings.Contains(log, "WARNING: DATA RACE") {
			s.t.Error("the race detector has found something in the service")
		}
		if s.t.Failed() {
			s.t.Logf("log of %s:\n%s", s.name, log)
		}
	}()
	if master := s.status().PID; master != 0 {
		s.run("stop")
		eventually(s.t, "the master has gone", func() bool { return gone(master) })
	}
	if s.exited != nil {
		select {
		case <-s.exited:
		case <-time.After(patience):
			s.t.Errorf("the master does not end after stop")
			s.cmd.Process.Kill()
			<-s.exited
		}
	}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for pause := time.Millisecond; !condition(); pause = min(2*pause, 20*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(pause)
	}
}

// gone reports whether a process has ended, reaping it where it is our child.
func gone(pid int) bool {
	var status syscall.WaitStatus
	syscall.Wait4(pid, &status, syscall.WNOHANG, nil)
	return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

// get asks once on a fresh connection.
func get(addr, path string) (string, error) {
	rest, err := begin(addr, path)
	if err != nil {
		return "", err
	}
	return rest()
}

// begin is get that returns when the answer has begun.
func begin(addr, path string) (rest func() (string, error), err error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: reset.DialContext}, Timeout: patience}
	resp, err := client.Get("http://" + addr + path)
	if err != nil {
		return nil, err
	}
	return func() (string, error) {
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return string(b), err
	}, nil
}

// mustGet is get for a request that has to be answered. It gives the three
// numbers of the answer.
func mustGet(t *testing.T, addr string) (pid, generation, slot int) {
	t.Helper()
	body, err := get(addr, "/")
	if err != nil {
		t.Fatalf("GET %s: %v", addr, err)
	}
	if _, err := fmt.Sscan(body, &pid, &generation, &slot); err != nil {
		t.Fatalf("GET %s: %q", addr, body)
	}
	return pid, generation, slot
}

// median of durations.
func median(list []time.Duration) time.Duration {
	list = slices.Clone(list)
	slices.Sort(list)
	return list[len(list)/2]
}

// openDescriptors counts those of a process.
func openDescriptors(t *testing.T, pid int) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
