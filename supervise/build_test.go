//go:build linux

package supervise_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// install makes the service's file a build of its own in a directory of the
// test, or replaces it by rename, as a deploy does.
func (s *service) install(mode string) {
	s.t.Helper()
	s.replace(func(f *os.File) error { _, err := f.WriteString(modeMark + mode); return err })
}

// replace is install for files that are no build: change gets a copy of the
// test binary, and stands at its end.
func (s *service) replace(change func(*os.File) error) {
	s.t.Helper()
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	if s.exe == self {
		s.exe = filepath.Join(s.bin, "service")
	}
	next := s.exe + ".next"
	if err := copyProgram(next, self, change); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(next, s.exe); err != nil {
		s.t.Fatal(err)
	}
}

// copyProgram lets the kernel copy: the test binary has some 20 MB. A process
// that another test forks meanwhile would have the file open for writing until
// its own exec, and ours would fail with ETXTBSY.
func copyProgram(to, from string, change func(*os.File) error) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	f, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err = io.Copy(f, source); err == nil {
		err = change(f)
	}
	return errors.Join(err, f.Close())
}

func halve(f *os.File) error {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	return f.Truncate(size / 2)
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
