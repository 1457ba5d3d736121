//go:build linux

package supervise_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jay-go/jay/internal/exampletest"
)

// TestLogsAfterTheEnd: the logs command finds the log of a service that has
// ended, however that was and wherever it was told to log, or says where the log went.
func TestLogsAfterTheEnd(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		daemon    bool
		elsewhere string
	}{
		"a daemon":                     {true, ""},
		"a daemon, elsewhere":          {true, "elsewhere.log"},
		"a daemon, by the link's name": {true, "log"},
		"in the foreground":            {false, ""},
	} {
		for _, end := range []string{"stopped", "killed"} {
			t.Run(name+", "+end, func(t *testing.T) {
				t.Parallel()
				s := newService(t, "http")
				file := "" // standard error
				switch {
				case test.elsewhere == "log":
					file = filepath.Join(s.dir, "log")
					s.must("start", "-d", "--log-file", file)
				case test.elsewhere != "":
					file = filepath.Join(tempDir(t), test.elsewhere)
					s.must("start", "-d", "--log-file", file)
				case test.daemon:
					file = filepath.Join(s.dir, filepath.Base(s.exe)+".log")
					s.must("start", "-d")
				default:
					s.start()
				}
				master := s.status().PID
				if end == "stopped" {
					s.must("stop")
				} else {
					syscall.Kill(master, syscall.SIGKILL)
				}
				eventually(t, "the master has gone", func() bool {
					state, _ := processState(t, master)
					return state == "Z" || gone(master)
				})
				out, code := s.run("logs", "-n", "2")
				if code != 3 || !strings.Contains(out, "not running") {
					t.Errorf("exit %d: %s; want 3", code, out)
				}
				if file == "" {
					if !strings.Contains(out, "standard error") {
						t.Errorf("it does not say where the log went: %s", out)
					}
					return
				}
				b, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				lines := strings.SplitAfter(strings.TrimSuffix(string(b), "\n"), "\n")
				if last := strings.Join(lines[len(lines)-2:], ""); !strings.Contains(out, last+"\n") || strings.Count(out, "\n") != 3 || !strings.Contains(out, file) {
					t.Errorf("it prints\n%s\nwant\n%s\nand the name of %s", out, last, file)
				}
			})
		}
	}
}

// TestLogsFollowSaysWhoHasGone: logs -f ends with the service, and says that and
// where the last lines are; that a master has died is an error.
func TestLogsFollowSaysWhoHasGone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end  func(s *service, master int)
		code int
		want string
	}{
		"stopped": {func(s *service, master int) { s.must("stop") }, 0, "the service has ended; its last lines are in "},
		"killed":  {func(s *service, master int) { syscall.Kill(master, syscall.SIGKILL) }, 1, "has died; its last lines are in "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, "http")
			s.must("start", "-d")
			follow := s.command("logs", "-f")
			out := &exampletest.Output{}
			follow.Stdout, follow.Stderr = out, out
			if err := follow.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the earlier lines", func() bool { return strings.Contains(out.String(), "worker ready") })
			master := s.status().PID
			test.end(s, master)
			follow.Wait()
			if code := follow.ProcessState.ExitCode(); code != test.code || !strings.Contains(out.String(), test.want+filepath.Join(s.dir, filepath.Base(s.exe)+".log")) {
				t.Errorf("exit %d: %s; want %d and %q", code, out, test.code, test.want)
			}
			eventually(t, "the master has gone", func() bool { return gone(master) })
		})
	}
}
