package http1_test

import (
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// process builds examples/NAME, starts it as a user would, with one worker on
// a free port, and returns its address. It is stopped when the test ends.
func process(t *testing.T, name string, flags ...string) (addr string) {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, name)
	if out, err := exec.Command("go", "build", "-o", program, "../examples/"+name).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	runDir := filepath.Join(dir, "run")
	run := func(args ...string) ([]byte, error) {
		return exec.Command(program, append(args, "--run-dir", runDir)...).Output()
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(program, append([]string{"start", "--listen", "127.0.0.1:0", "--workers", "1", "--run-dir", runDir}, flags...)...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := run("stop"); err != nil {
			t.Errorf("stop: %v", err)
			_ = cmd.Process.Kill()
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the program ended with %v", err)
		}
		if said, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("the program said:\n%s", said)
		}
	})
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		status, err := run("status", "--json")
		if err != nil {
			continue // not running yet
		}
		var s struct {
			Programs []struct {
				Addresses   []string
				Want, Ready int
			}
		}
		if json.Unmarshal(status, &s) == nil && len(s.Programs) == 1 && s.Programs[0].Ready == s.Programs[0].Want {
			u, err := url.Parse(s.Programs[0].Addresses[0])
			if err != nil || strings.HasSuffix(u.Host, ":0") {
				t.Fatalf("address %q, %v", s.Programs[0].Addresses, err)
			}
			return u.Host
		}
	}
	t.Fatal("the program was not ready within 20 s")
	return ""
}

// The conformance cases against the program that users can start.
func TestConformanceOfTheProcess(t *testing.T) {
	t.Parallel()
	addr := process(t, "bodyecho", "--header-timeout", "3s", "--idle-timeout", "3s")
	playAll(t, addr)
}
