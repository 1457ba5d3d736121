package sys

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// TestModeOfAUnixSocket: a path has exactly the mode that was asked for, whatever
// the umask, and who creates files meanwhile does not notice.
func TestModeOfAUnixSocket(t *testing.T) {
	before := unix.Umask(0o027)
	defer unix.Umask(before)
	dir := t.TempDir()
	stop := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() {
		name := filepath.Join(dir, "file")
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := os.WriteFile(name, nil, 0o777); err != nil {
				t.Error(err)
				return
			}
			if fi, err := os.Stat(name); err != nil || fi.Mode().Perm() != 0o750 {
				t.Errorf("a file that was created meanwhile has mode %v, %v; want 0750", fi.Mode(), err)
				return
			}
			os.Remove(name)
		}
	})
	path := filepath.Join(dir, "s")
	for range 200 {
		for _, mode := range []os.FileMode{0o600, 0o660, 0o666} {
			fd, err := ListenSocket("unix", path, ListenOptions{Backlog: 1, Mode: mode, UID: -1, GID: -1})
			if err != nil {
				t.Fatal(err)
			}
			if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != mode {
				t.Fatalf("mode %v, %v; want %v", fi.Mode(), err, mode)
			}
			unix.Close(fd)
			os.Remove(path)
		}
	}
	close(stop)
	others.Wait()
}
