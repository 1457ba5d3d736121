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
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/supervise"
)

// readTerminal is what a program does that asks somebody for a password.
func readTerminal() string {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if errors.Is(err, syscall.ENXIO) {
		return "no terminal"
	}
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	_, err = io.ReadFull(f, make([]byte, 1))
	return fmt.Sprint("read: ", err)
}

// askingOptions are a service whose worker, and a program that the worker starts, read from
// the terminal.
func askingOptions() *supervise.Options {
	p := httpProgram()
	p.Count = 1
	p.Run = func(ctx context.Context, w *supervise.Worker) error {
		answer := func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/program" {
				fmt.Fprint(rw, exec.Command("sh", "-c", "read answer </dev/tty").Run())
				return
			}
			fmt.Fprint(rw, readTerminal())
		}
		return supervise.DrainHTTP(ctx, w, &http.Server{Handler: http.HandlerFunc(answer)})
	}
	return options(p)
}

// TestWorkerHasNoTerminal: a worker is nothing that a user talks to. What reads
// from the terminal there, or in a program that it starts, fails at once: it
// neither waits for ever nor spins.
func TestWorkerHasNoTerminal(t *testing.T) {
	t.Parallel()
	x := newTTY(t, "asking", true)
	x.write("$SRV start >/dev/null 2>&1 &\n")
	x.started()
	eventually(t, "the service is ready", func() bool { return x.status().State == "running" })
	for path, want := range map[string]string{"/": "no terminal", "/program": "exit status"} {
		if body, err := get(x.addr(), path); err != nil || !strings.HasPrefix(body, want) {
			t.Errorf("%s: %q, %v; want %q", path, body, err, want)
		}
	}
	idles(t, "the worker", x.pids()[0])
	x.must("stop")
}

// TestTerminalSuspendsAtAFork: Ctrl-Z at the moment when a process is started does not
// stop that before its exec, and with it whoever waits for the exec.
func TestTerminalSuspendsAtAFork(t *testing.T) {
	t.Parallel()
	x := newTTY(t, "http", false)
	x.write("$SRV start --listen tcp://127.0.0.1:0\n")
	master := x.started()
	eventually(t, "the service is ready", func() bool { return strings.Contains(x.output.String(), "\nready\r\n") })
	for i := range 8 {
		known := children(master)
		kind := []string{"upgrade", "reload"}[i%2]
		done := make(chan string, 1)
		go func() {
			out, err := x.command(kind).CombinedOutput()
			done <- fmt.Sprint(string(out), err)
		}()
		signals := i // of the new processes, the first few
		for waiting := true; waiting; {
			for _, pid := range children(master) {
				if !slices.Contains(known, pid) && signals >= 0 {
					known = append(known, pid)
					syscall.Kill(-master, syscall.SIGTSTP)
					signals--
				}
			}
			syscall.Kill(master, syscall.SIGCONT) // as fg does
			select {
			case text := <-done:
				if !strings.Contains(text, kind+" done") {
					t.Fatalf("%s: %s", kind, text)
				}
				waiting = false
			case <-time.After(50 * time.Microsecond):
			}
		}
	}
	mustGet(t, x.addr())
	for _, pid := range append(x.pids(), master) { // nor is the job's control lost by it
		if got := ignoredBy(t, pid); len(got) > 0 {
			t.Errorf("process %d ignores %v", pid, got)
		}
	}
	x.must("stop")
}

// ignoredBy returns those of the signals that stop jobs which a process ignores.
func ignoredBy(t *testing.T, pid int) (list []syscall.Signal) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "\nSigIgn:\t")
	text, _, _ := strings.Cut(rest, "\n")
	mask, err := strconv.ParseUint(text, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []syscall.Signal{syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU} {
		if mask&(1<<(s-1)) != 0 {
			list = append(list, s)
		}
	}
	return list
}
