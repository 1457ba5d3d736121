//go:build linux

package supervise_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jay-go/jay/internal/needs"
)

// TestCheckKnowsWhatAStartKnows: what ends a start, check calls a problem, and where
// check has none the service starts. Neither leaves a process.
func TestCheckKnowsWhatAStartKnows(t *testing.T) {
	t.Parallel()
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, s *service) (flags []string)
		ok     bool
	}{
		{"nothing is wrong", func(*testing.T, *service) []string { return nil }, true},
		{"the run directory is there", func(t *testing.T, s *service) []string { must(t, os.Mkdir(s.dir, 0o755)); return nil }, true},
		{"the run directory is a file", func(t *testing.T, s *service) []string { must(t, os.WriteFile(s.dir, nil, 0o600)); return nil }, false},
		{"a file is in the way of the run directory", func(t *testing.T, s *service) []string {
			must(t, os.WriteFile(s.bin+"/file", nil, 0o600))
			return []string{"--run-dir", s.bin + "/file/run"}
		}, false},
		{"the pid file is a link", func(t *testing.T, s *service) []string {
			must(t, os.Mkdir(s.dir, 0o700))
			must(t, os.Symlink("/dev/null", s.dir+"/master.pid"))
			return nil
		}, false},
		{"the control socket is a directory", func(t *testing.T, s *service) []string {
			must(t, os.MkdirAll(s.dir+"/control.sock/full", 0o700))
			return nil
		}, false},
		{"the control socket has too long a path", func(t *testing.T, s *service) []string {
			return []string{"--run-dir", filepath.Join(s.bin, strings.Repeat("x", 100))}
		}, false},
		{"the daemon's log is a link", func(t *testing.T, s *service) []string {
			must(t, os.Mkdir(s.dir, 0o700))
			must(t, os.Symlink(s.bin+"/elsewhere", filepath.Join(s.dir, filepath.Base(s.exe)+".log")))
			return nil
		}, false},
		{"the daemon's log is a directory", func(t *testing.T, s *service) []string {
			must(t, os.MkdirAll(filepath.Join(s.dir, filepath.Base(s.exe)+".log"), 0o700))
			return nil
		}, false},
		{"the log is a directory", func(t *testing.T, s *service) []string { return []string{"--log-file", s.bin} }, false},
		{"the log's directory is not there", func(t *testing.T, s *service) []string { return []string{"--log-file", s.bin + "/none/log"} }, false},
		{"an address is taken", func(t *testing.T, s *service) []string {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			t.Cleanup(func() { ln.Close() })
			return []string{"--listen", ln.Addr().String()}
		}, false},
		{"a Unix address is taken", func(t *testing.T, s *service) []string {
			ln, err := net.Listen("unix", s.bin+"/socket")
			must(t, err)
			t.Cleanup(func() { ln.Close() })
			return []string{"--listen", "unix://" + s.bin + "/socket"}
		}, false},
		{"a Unix address is a file", func(t *testing.T, s *service) []string {
			must(t, os.WriteFile(s.bin+"/socket", nil, 0o600))
			return []string{"--listen", "unix://" + s.bin + "/socket"}
		}, false},
		{"a Unix address has no directory", func(t *testing.T, s *service) []string {
			return []string{"--listen", "unix://" + s.bin + "/none/socket"}
		}, false},
		{"an address is another machine's", func(t *testing.T, s *service) []string { return []string{"--listen", "192.0.2.1:0"} }, false},
		{"a user is not there", func(t *testing.T, s *service) []string { needs.Root(t); return []string{"--user", "no-such-user"} }, false},
		{"a group is not there", func(t *testing.T, s *service) []string { needs.Root(t); return []string{"--group", "no-such-group"} }, false},
		{"the file system of the run directory is full", func(t *testing.T, s *service) []string {
			needs.Root(t)
			must(t, os.Mkdir(s.bin+"/disk", 0o755))
			must(t, syscall.Mount("jay-test", s.bin+"/disk", "tmpfs", 0, "size=16k"))
			t.Cleanup(func() { must(t, syscall.Unmount(s.bin+"/disk", syscall.MNT_DETACH)) })
			must(t, os.Mkdir(s.bin+"/disk/run", 0o700))
			if err := os.WriteFile(s.bin+"/disk/ballast", make([]byte, 64<<10), 0o600); err == nil {
				t.Fatal("the disk is not full")
			}
			return []string{"--run-dir", s.bin + "/disk/run"}
		}, false},
		{"the run directory is another service's", func(t *testing.T, s *service) []string {
			other := newService(t, "file", "OUT="+s.bin+"/out")
			other.dir = s.dir
			other.start()
			return nil
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, "http")
			s.install("one")
			flags := tt.change(t, s)
			check := s.command(append([]string{"check", "-d"}, flags...)...)
			check.Path, check.Args[0] = s.exe, s.exe
			said, err := check.CombinedOutput()
			out, code := s.run(append([]string{"start", "-d"}, flags...)...)
			if tt.ok {
				if err != nil || code != 0 {
					t.Errorf("check: %v: %s\nstart: exit %d: %s", err, said, code, out)
				}
				return
			}
			if code != 1 || strings.Count(out, "\n") != 1 {
				t.Errorf("start: exit %d: %s", code, out)
			}
			if check.ProcessState.ExitCode() != 1 || !strings.Contains(string(said), "\nerror ") && !strings.HasPrefix(string(said), "error ") {
				t.Errorf("check: %v: %s\nand the start says: %s", err, said, out)
			}
		})
	}
}
