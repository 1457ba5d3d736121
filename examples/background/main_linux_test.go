package main

import (
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func worker(s *exampletest.Service, program string) (w control.WorkerStatus) {
	for _, w = range s.Status().Workers {
		if w.Program == program {
			return w
		}
	}
	return w
}

// files counts the samples.
func files(dir string) int {
	all, _ := filepath.Glob(filepath.Join(dir, "*.sample"))
	return len(all)
}

func TestSamples(t *testing.T) {
	dir := t.TempDir()
	s := exampletest.Start(t, "--dir", dir, "--every", "10ms", "--keep", "3")
	s.Eventually("samples exist", func() bool { return files(dir) > 0 })
	p := s.Dial("background")
	p.Send("?\n?\n")
	p.CloseWrite()
	for range 2 {
		if line := p.Line(); !regexp.MustCompile(`^\d+\.\d\d \d+\.\d\d `).MatchString(line) {
			t.Errorf("the answer %q is no load average", line)
		}
	}
	p.ExpectEnd()
}

// TestOldOnesGo: without the janitor hundreds would be there.
func TestOldOnesGo(t *testing.T) {
	dir := t.TempDir()
	for i := range 500 {
		name := filepath.Join(dir, "2000"+string(rune('a'+i%26))+string(rune('a'+i/26))+".sample")
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := exampletest.Start(t, "--dir", dir, "--every", "10ms", "--keep", "3")
	s.Eventually("few samples are left", func() bool { n := files(dir); return n > 0 && n <= 5 })
	if old, _ := filepath.Glob(filepath.Join(dir, "2000*")); len(old) > 3 {
		t.Errorf("%d of the oldest are left", len(old))
	}
}

func TestNoSampleYet(t *testing.T) {
	p := exampletest.Start(t, "--dir", filepath.Join(t.TempDir(), "none"), "--every", "1h").Dial("background")
	p.Send("?\n")
	p.Expect("no sample yet\n")
}

// TestTaskComesBack: a background process that is killed is replaced, the
// server goes on.
func TestTaskComesBack(t *testing.T) {
	dir := t.TempDir()
	s := exampletest.Start(t, "--dir", dir, "--every", "10ms", "--keep", "3")
	server, first := worker(s, "background"), worker(s, "sampler")
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.Eventually("another sampler runs", func() bool {
		w := worker(s, "sampler")
		return w.PID != first.PID && w.State == "ready"
	})
	if w := worker(s, "background"); w.PID != server.PID {
		t.Errorf("the server's worker was %d and is %d", server.PID, w.PID)
	}
}
