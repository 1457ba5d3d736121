// Package leak makes a test binary fail when its tests leave goroutines,
// descriptors or child processes behind.
//
//	func TestMain(m *testing.M) { leak.Main(m) }
package leak

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// settle is how long what the tests started may take to end by itself.
const settle = 30 * time.Second

// Main runs the tests, then exits with their result, or with 1 when something
// has leaked. What existed before the tests is not counted. Each of tidy is
// called before every look at what is left.
func Main(m *testing.M, tidy ...func()) {
	before := Take()
	code := m.Run()
	if code == 0 {
		if report := before.wait(settle, tidy); report != "" {
			fmt.Fprintf(os.Stderr, "leak: tests passed but left behind:\n%s", report)
			code = 1
		}
	}
	os.Exit(code)
}

// A Snapshot is what exists at one moment.
type Snapshot struct {
	goroutines map[string]bool   // by header number
	fds        map[string]string // number → what it is
	children   map[string]bool
}

// Take records what exists now.
func Take() *Snapshot {
	s := &Snapshot{goroutines: map[string]bool{}, fds: descriptors(), children: children()}
	for _, g := range goroutines() {
		s.goroutines[g.id] = true
	}
	return s
}

// Wait returns "" as soon as nothing exists that did not at s, or, when the
// time is over, a report of what does.
func (s *Snapshot) Wait(d time.Duration) string { return s.wait(d, nil) }

func (s *Snapshot) wait(d time.Duration, tidy []func()) string {
	deadline := time.Now().Add(d)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		for _, fn := range tidy {
			fn()
		}
		report := s.newer()
		if report == "" || time.Now().After(deadline) {
			return report
		}
		time.Sleep(pause)
	}
}

// Check fails t at its end when something has leaked meanwhile. Tests that use
// it do not run in parallel with others.
func Check(t testing.TB) {
	t.Helper()
	before := Take()
	t.Cleanup(func() {
		if report := before.Wait(settle); report != "" {
			t.Errorf("leak: left behind:\n%s", report)
		}
	})
}

func (s *Snapshot) newer() string {
	var b strings.Builder
	for _, g := range goroutines() {
		if !s.goroutines[g.id] && !g.ignored() {
			fmt.Fprintf(&b, "%s\n\n", g.stack)
		}
	}
	for n, what := range descriptors() {
		if old, ok := s.fds[n]; (!ok || old != what) && !runtimeDescriptor(what) {
			fmt.Fprintf(&b, "descriptor %s: %s\n", n, what)
		}
	}
	for c := range children() {
		if !s.children[c] {
			fmt.Fprintf(&b, "child process %s\n", c)
		}
	}
	return b.String()
}

// runtimeDescriptor reports what the Go runtime opens once and keeps.
func runtimeDescriptor(what string) bool {
	return what == "anon_inode:[eventpoll]" || what == "anon_inode:[eventfd]" && pollerOnly()
}

// pollerOnly allows the one eventfd of the runtime's poller.
func pollerOnly() bool {
	n := 0
	for _, what := range descriptors() {
		if what == "anon_inode:[eventfd]" {
			n++
		}
	}
	return n <= 1
}

type goroutine struct{ id, stack string }

// ignored reports goroutines that belong to the runtime or the test driver.
func (g goroutine) ignored() bool {
	return slices.ContainsFunc([]string{
		"testing.Main(", "testing.(*M).", "testing.(*T).Run(", "testing.tRunner.func", "testing.runFuzz",
		"os/signal.signal_recv", "os/signal.loop", "runtime.ensureSigM", "created by runtime",
		"runtime/pprof.", "runtime/trace.", "runtime.MHeap_Scavenger", "runtime.gc(", "interestingGoroutines",
	}, func(s string) bool { return strings.Contains(g.stack, s) })
}

func goroutines() []goroutine {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	var list []goroutine
	for i, stack := range strings.Split(string(buf), "\n\n") {
		if i == 0 {
			continue // the one that asks
		}
		header, _, _ := strings.Cut(stack, " [")
		list = append(list, goroutine{id: header, stack: stack})
	}
	return list
}
