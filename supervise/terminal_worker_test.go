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
	"strings"
	"syscall"
	"testing"

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
