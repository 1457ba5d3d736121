package leak_test

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestGoroutineIsFound(t *testing.T) {
	before := leak.Take()
	stop := make(chan struct{})
	go func() { <-stop }()
	report := before.Wait(10 * time.Millisecond)
	close(stop)
	if !strings.Contains(report, "TestGoroutineIsFound") {
		t.Errorf("a blocked goroutine is not in the report %q", report)
	}
	if report := before.Wait(time.Minute); report != "" {
		t.Errorf("after it ended: %s", report)
	}
}

func TestDescriptorIsFound(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("descriptors are counted on Linux only")
	}
	before := leak.Take()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	report := before.Wait(10 * time.Millisecond)
	r.Close()
	w.Close()
	if strings.Count(report, "descriptor ") != 2 {
		t.Errorf("two ends of a pipe gave the report %q", report)
	}
	if report := before.Wait(time.Minute); report != "" {
		t.Errorf("after closing: %s", report)
	}
}

func TestChildIsFound(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("children are counted on Linux only")
	}
	before := leak.Take()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.StartProcess("/bin/cat", []string{"cat"}, &os.ProcAttr{Files: []*os.File{r, nil, nil}})
	r.Close()
	if err != nil {
		t.Fatal(err)
	}
	report := before.Wait(10 * time.Millisecond)
	w.Close()
	if _, err := p.Wait(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(report, "child process") {
		t.Errorf("a child gave the report %q", report)
	}
	if report := before.Wait(time.Minute); report != "" {
		t.Errorf("after it ended: %s", report)
	}
}
