//go:build linux

package supervise_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// install makes the service's file a build of its own in a directory of the
// test, or replaces it by rename, as a deploy does.
func (s *service) install(mode string) {
	s.t.Helper()
	s.replace(func(b []byte) []byte { return append(b, modeMark+mode...) })
}

// replace is install for files that are no build.
func (s *service) replace(change func([]byte) []byte) {
	s.t.Helper()
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	b, err := os.ReadFile(self)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.exe == self {
		s.exe = filepath.Join(s.bin, "service")
	}
	next := s.exe + ".next"
	// A process that another test forks meanwhile would have the file open for
	// writing until its own exec, and ours would fail with ETXTBSY.
	syscall.ForkLock.RLock()
	err = os.WriteFile(next, change(b), 0o755)
	syscall.ForkLock.RUnlock()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(next, s.exe); err != nil {
		s.t.Fatal(err)
	}
}

// tempDir is a directory that other users can enter.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "supervise")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
