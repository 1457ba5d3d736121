//go:build linux

package supervise_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestStartUnderAnyUmask: what a start makes can be used by its owner, and by
// nobody else, whatever the caller's umask is.
func TestStartUnderAnyUmask(t *testing.T) {
	for _, mask := range []string{"0777", "0000", "0377"} {
		t.Run(mask, func(t *testing.T) {
			t.Parallel()
			s := newService(t, "http")
			s.dir = filepath.Join(s.dir, "not", "there")
			start := s.command("start", "-d", "-q")
			start.Args = append([]string{"sh", "-c", "umask " + mask + `; exec "$@"`, "sh", start.Path}, start.Args[1:]...)
			start.Path = needsShell(t)
			if out, err := start.CombinedOutput(); err != nil {
				t.Fatalf("start: %v: %s", err, out)
			}
			for name, want := range map[string]fs.FileMode{"..": 0o755, ".": 0o700, "master.pid": 0o600, "control.sock": 0o600} {
				if fi, err := os.Stat(filepath.Join(s.dir, name)); err != nil || fi.Mode().Perm() != want {
					t.Errorf("%s: %v, %v; want %v", name, fi.Mode().Perm(), err, want)
				}
			}
			log, err := filepath.Glob(filepath.Join(s.dir, "*.log"))
			if err != nil || len(log) != 1 {
				t.Fatalf("logs: %v, %v", log, err)
			}
			if fi, err := os.Stat(log[0]); err != nil || fi.Mode().Perm() != 0o640 {
				t.Errorf("the log: %v, %v", fi.Mode().Perm(), err)
			}
			s.must("reload")
			s.must("stop")
		})
	}
}

func needsShell(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestMovedRunDir: where the run directory of a daemon is moved away, its log goes on
// in the one that takes its place, and can be found there when the service has ended.
func TestMovedRunDir(t *testing.T) {
	t.Parallel()
	s := newService(t, "http")
	s.must("start", "-d", "-q")
	if err := os.Rename(s.dir, s.dir+".old"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the directory is there again", func() bool {
		_, code := s.run("status")
		return code == 0
	})
	eventually(t, "the log is named", func() bool {
		_, err := os.Stat(filepath.Join(s.dir, "log"))
		return err == nil
	})
	s.must("reload")
	s.must("stop")
	if out, code := s.run("logs"); code != 3 || !strings.Contains(out, "msg=stopped") {
		t.Errorf("logs of the service that has ended: exit %d: %s", code, out)
	}
}
