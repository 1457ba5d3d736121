//go:build linux

package supervise_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestHelp: help offers what this program has, fits a terminal, and each command has
// its own.
func TestHelp(t *testing.T) {
	t.Parallel()
	s := newService(t, "http")
	for _, tt := range []struct {
		args  string
		wants []string
		lacks []string
	}{
		{"help", []string{"usage: ", "scale NAME=N", "\nexit codes\n  0  done", "--listen ADDR", "  http "}, []string{"--admin", "io_uring", "--loop", "test."}},
		{"--help", []string{"usage: ", "\nexit codes\n"}, []string{"--admin"}},
		{"help scale", []string{" scale NAME=N [FLAGS]\n", "--run-dir"}, []string{"--listen", "exit codes"}},
		{"scale --help", []string{" scale NAME=N [FLAGS]\n"}, []string{"--listen"}},
		{"--help scale", []string{" scale NAME=N [FLAGS]\n"}, nil},
		{"-q scale http=2 -h", []string{" scale NAME=N [FLAGS]\n"}, nil},
		{"logs -h", []string{" logs [FLAGS]\n", "  -f ", "  -n N "}, []string{"--workers"}},
		{"start --help", []string{" start [FLAGS]\n", "goes on trying", "--workers N"}, []string{"--sort", "--admin"}},
		{"status --help", []string{" status [FLAGS]\n", "COLUMNS", "--json"}, []string{"--workers"}},
		{"help help", []string{" help [COMMAND] [FLAGS]\n"}, nil},
		{"completion", []string{"reopen-logs", "--run-dir"}, []string{"--admin", "--loop"}},
	} {
		out := s.must(strings.Fields(tt.args)...)
		for _, want := range tt.wants {
			if !strings.Contains(out, want) {
				t.Errorf("%s lacks %q:\n%s", tt.args, want, out)
			}
		}
		for _, bad := range tt.lacks {
			if strings.Contains(out, bad) {
				t.Errorf("%s offers %q:\n%s", tt.args, bad, out)
			}
		}
		if !strings.HasPrefix(tt.args, "completion") {
			wantNarrow(t, tt.args, out, 80)
		}
	}
}

// wantNarrow wants lines of so many columns at most.
func wantNarrow(t *testing.T, what, out string, columns int) {
	t.Helper()
	for line := range strings.Lines(out) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > columns {
			t.Errorf("%s: a line of %d columns, want %d at most: %s", what, n, columns, line)
		}
	}
}

// TestUsageOfCommands: what cannot be meant is wrong usage, wherever it stands, and
// whether a service runs or not.
func TestUsageOfCommands(t *testing.T) {
	t.Parallel()
	down, up := newService(t, "http"), newService(t, "http").start()
	for _, tt := range []struct {
		args, want string
		running    bool // it is the master that knows
	}{
		{"help relod", "did you mean reload?", false},
		{"help start stop", `help takes no "stop"`, false},
		{"scale", "NAME=N", false},
		{"scale http", "NAME=N", false},
		{"scale http 1 2", "NAME=N", false},
		{"scale http many", "from 1 to 1024", false},
		{"scale http=0", "from 1 to 1024", false},
		{"scale -q http 1025", "from 1 to 1024", false},
		{"scale http=99999999999999999999", "from 1 to 1024", false},
		{"logs -n -1", "from 0", false},
		{"logs -n x", "-n", false},
		{"connections --sort adress", "did you mean", false},
		{"status --jsn", "did you mean --json?", false},
		{"--jsn status", "did you mean --json?", false},
		{"stop now", `stop takes no "now"`, false},
		{"scale htp 2", "did you mean http?", true},
		{"connections --program htp", "did you mean http?", true},
	} {
		for _, s := range []*service{down, up} {
			if tt.running && s == down {
				continue
			}
			out, code := s.run(strings.Fields(tt.args)...)
			if code != 2 || !strings.Contains(out, tt.want) || strings.Count(out, "\n") != 1 {
				t.Errorf("%s: exit %d: %s; want exit 2 and one line with %q", tt.args, code, out, tt.want)
			}
		}
	}
	for _, args := range []string{"scale http 3", "scale http=1 -q", "-q scale http 2"} {
		up.must(strings.Fields(args)...)
	}
	if p := up.status().Programs[0]; p.Want != 2 {
		t.Errorf("%d workers, want 2", p.Want)
	}
}

// TestTablesFit: tables have 80 columns, or those of COLUMNS, with every column of the
// figures, and say how to see what is cut.
func TestTablesFit(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	s := newService(t, "http")
	s.dir = dir // with a short name, for a path is not cut
	var listen []string
	for range 3 {
		listen = append(listen, "--listen", "127.0.0.1:0")
	}
	listen = append(listen, "--listen", "unix://"+s.dir+"/"+strings.Repeat("x", 60))
	s.start(append(listen, "--log-file", dir+"/log")...)
	wantNarrow(t, "start", strings.Split(s.output.String(), "\nready")[0], 80)
	for _, columns := range []int{40, 80, 200} {
		s.env = []string{fmt.Sprintf("COLUMNS=%d", columns)}
		for command, wants := range map[string][]string{
			"status":      {"LAST EXIT", "SENDFAIL", "BUSY", "REQ/S", "tcp://127.0.0.1:"},
			"connections": {"REMOTE", "RECV-Q"},
		} {
			out := s.must(command)
			wantNarrow(t, command, out, columns)
			for _, want := range wants {
				if !strings.Contains(out, want) {
					t.Errorf("%s in %d columns lacks %s:\n%s", command, columns, want, out)
				}
			}
			if cut := strings.Contains(out, "…"); cut != strings.Contains(out, "status --json has all of it") || cut != (command == "status" && columns < 200) {
				t.Errorf("%s in %d columns: cut, or what it says of that, is not as it should be:\n%s", command, columns, out)
			}
		}
	}
}

// TestDaemonWhoseWorkersFail: the exit code, the words and what is left agree: the
// start has failed, and says which master goes on trying, and how to end that.
func TestDaemonWhoseWorkersFail(t *testing.T) {
	t.Parallel()
	s := newService(t, "refuses")
	out, code := s.run("start", "-d", "-q")
	st := s.status()
	want := fmt.Sprintf("there is no licence; the master (pid %d) goes on trying until ", st.PID)
	if code != 1 || !strings.Contains(out, want) || !strings.Contains(out, "OnWorkerStart") || strings.Count(out, "\n") != 1 {
		t.Errorf("start -d: exit %d: %s; want exit 1 and a line with %q", code, out, want)
	}
	if _, code := s.run("status"); code != 1 {
		t.Errorf("status: exit %d, want 1: it is degraded", code)
	}
	s.must("stop")
	if out, code := s.run("status"); code != 3 {
		t.Errorf("status after stop: exit %d: %s", code, out)
	}
}

// TestFlagsThatACommandDoesNotHeed: they are refused, with the commands that do.
func TestFlagsThatACommandDoesNotHeed(t *testing.T) {
	t.Parallel()
	s := newService(t, "http")
	for args, want := range map[string]string{
		"reload --workers 3":                 "reload takes no --workers, which is for start, restart, check\n",
		"--json":                             "start takes no --json, which is for status, connections\n",
		"--listen 127.0.0.1:0 status":        "status takes no --listen, which is for start, restart, check\n",
		"scale http=2 -f":                    "scale takes no -f, which is for logs\n",
		"version --json":                     "version takes no --json, which is for status, connections\n",
		"stop -d":                            "stop takes no -d, which is for start, restart, check\n",
		"--version":                          "unknown flag --version; did you mean the command version?\n",
		"start --stop":                       "unknown flag --stop; did you mean the command stop?\n",
		"status --jsn":                       "unknown flag --jsn; did you mean --json?\n",
		"connections --program=http --watch": "connections takes no --watch, which is for status\n",
	} {
		if out, code := s.run(strings.Fields(args)...); code != 2 || !strings.HasSuffix(out, ": "+want) {
			t.Errorf("%s: exit %d: %s; want %s", args, code, out, want)
		}
	}
	s.env = append(s.env, "JAY_WORKERS=1", "JAY_LOG_LEVEL=warn")
	if out, code := s.run("status"); code != 3 {
		t.Errorf("with flags in the environment: exit %d: %s", code, out)
	}
}
