//go:build linux

package supervise_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jay-go/jay/internal/needs"
)

// hostile is a setting that a service is started under.
type hostile struct {
	name   string
	shell  string // what comes before the command
	flags  []string
	nobody bool   // it is started as a user that is not root
	root   bool   // only root can make it
	alone  bool   // the race detector takes too much memory for it
	says   string // by check and by the start: "" is nothing, and "warning: …" keeps it from nothing
	reload string // says why a reload is refused
}

var hostiles = []hostile{
	{name: "nothing", shell: ""},
	{name: "descriptors for a worker", shell: "ulimit -n 16", says: "a worker of http needs 17, 1 of them for its sockets, and may have 16 (RLIMIT_NOFILE)|LimitNOFILE=17"},
	{name: "descriptors for a start, less one", shell: "ulimit -n 27", says: "the master needs 28 for 1 worker, and may have 27 (RLIMIT_NOFILE)|ulimit -Hn 39"},
	{name: "descriptors for a start", shell: "ulimit -n 28", says: "warning: the master needs 35 in a reload or an upgrade, when there are twice 1 worker, and may have 28 (RLIMIT_NOFILE): they may be refused",
		reload: "the master has used up its own (RLIMIT_NOFILE)"},
	{name: "descriptors for a reload", shell: "ulimit -n 35", says: "warning: the master needs 39 in a reload while workers that an earlier one has replaced still drain, and may have 35 (RLIMIT_NOFILE): it may be refused"},
	{name: "descriptors", shell: "ulimit -n 39"},
	{name: "descriptors of many workers", shell: "ulimit -n 60", flags: []string{"--workers=20"}, says: "the master needs 85 for 20 workers, and may have 60 (RLIMIT_NOFILE)|ulimit -Hn 210"},
	{name: "address space", shell: "ulimit -v 1900000", alone: true, says: "a process may have 1.8G (RLIMIT_AS) of address space, |the master needs |ulimit -v unlimited|LimitAS=infinity|--memory-limit"},
	{name: "much address space", shell: "ulimit -v 16000000", alone: true, says: "warning: a process may have 15.3G (RLIMIT_AS) of address space, "},
	{name: "data", shell: "ulimit -d 190000", alone: true, says: "a process may have 185.5M (RLIMIT_DATA) of private memory, |the master needs |ulimit -d unlimited|LimitDATA=infinity"},
	{name: "no file may grow", shell: "ulimit -f 0", says: "files may have 0 (RLIMIT_FSIZE), and the master needs one of |ulimit -f unlimited|LimitFSIZE=infinity"},
	{name: "files may not grow long", shell: "ulimit -f 100000", says: "warning: files may have 48.8M (RLIMIT_FSIZE): "},
	{name: "processor time", shell: "ulimit -t 1000", says: "warning: each process may take 1000 s of processor time (RLIMIT_CPU) and is killed then, "},
	{name: "a small stack, no core files, nothing locked", shell: "ulimit -s 256; ulimit -c 0; ulimit -l 0", alone: true},
	{name: "threads", shell: "ulimit -u 30 2>/dev/null || ulimit -p 30", nobody: true, says: "nobody may have 30 threads (RLIMIT_NPROC), has |needs |LimitNPROC=|ulimit -u "},
	{name: "a file that may only be executed", shell: "", nobody: true, says: "program file: |chmod a+r "},
	{name: "no /proc", shell: "mount -t tmpfs none /proc", root: true, alone: true, says: "/proc/self/exe: |a proc file system is needed at /proc; mount -t proc proc /proc"},
	{name: "a run directory on a read-only file system", shell: "mount -t tmpfs -o ro none $BIN", flags: []string{"--run-dir", "BIN/run"}, root: true, says: "read-only file system"},
	{name: "a log on a read-only file system", shell: "mount -t tmpfs -o ro none $BIN", flags: []string{"--log-file", "BIN/log"}, root: true, says: "BIN/log|read-only file system"},
	{name: "closed streams", shell: "exec <&- 2>&-"},
	{name: "no directory", shell: "mkdir $BIN/gone; cd $BIN/gone; rmdir $BIN/gone"},
	{name: "an empty environment", shell: "PATH= HOME= TMPDIR=/none LANG=none XDG_RUNTIME_DIR=; unset PATH HOME LANG XDG_RUNTIME_DIR"},
}

// TestStartUnderHostileSettings: check and start say the same of each, with what has to be changed,
// and where they say nothing the service starts and can be reloaded.
func TestStartUnderHostileSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range hostiles {
		t.Run(tt.name, func(t *testing.T) {
			if tt.alone && needs.RaceDetector() {
				t.Skip("the race detector reserves more address space, and says so where there is no /proc")
			}
			if tt.root || tt.nobody {
				needs.Root(t)
			}
			t.Parallel()
			tt.try(t)
		})
	}
}

func (tt *hostile) try(t *testing.T) {
	s := newService(t, "http")
	if tt.nobody {
		s.install("one")
		if err := os.Chmod(s.exe, map[bool]os.FileMode{true: 0o711, false: 0o755}[tt.shell == ""]); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(s.bin, 0o777); err != nil {
			t.Fatal(err)
		}
		s.dir = filepath.Join(s.bin, "run")
	}
	fatal := tt.says != "" && !strings.HasPrefix(tt.says, "warning: ")
	said, code := tt.run(t, s, "check", "-d")
	if code != map[bool]int{true: 1}[fatal] {
		t.Errorf("check: exit %d: %s", code, said)
	}
	tt.expect(t, s, "check", said)
	said, code = tt.run(t, s, "start", "-d", "-q")
	if fatal {
		if code != 1 || strings.Count(said, "\n") != 1 {
			t.Errorf("start: exit %d: %s", code, said)
		}
		tt.expect(t, s, "start", said)
		return
	}
	if code != 0 {
		t.Fatalf("start: exit %d: %s", code, said)
	}
	if tt.says == "" && said != "" {
		t.Errorf("start says %q", said)
	}
	tt.expect(t, s, "start", said)
	tt.expect(t, s, "the log", s.log())
	if out, code := s.run("reload"); tt.reload == "" && code != 0 || tt.reload != "" && (code != 1 || !strings.Contains(out, tt.reload)) {
		t.Errorf("reload: exit %d: %s", code, out)
	}
}

// run is a command under the setting.
func (tt *hostile) run(t *testing.T, s *service, args ...string) (string, int) {
	t.Helper()
	for _, f := range tt.flags {
		args = append(args, strings.Replace(f, "BIN", s.bin, 1))
	}
	if len(tt.flags) == 0 || !strings.HasPrefix(tt.flags[0], "--workers") {
		args = append(args, "--workers=1")
	}
	cmd := s.command(args...)
	cmd.Env = append(cmd.Env, "BIN="+s.bin)
	before := tt.shell + "\n"
	prefix := []string{}
	if tt.root {
		prefix = []string{needs.Program(t, "unshare"), "-m"}
	}
	if tt.nobody {
		prefix, cmd.Path = []string{needs.Program(t, "setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups"}, s.exe
	}
	cmd.Args = append(append(prefix, needsShell(t), "-c", before+`exec "$@"`, "sh", cmd.Path), cmd.Args[1:]...)
	cmd.Path = cmd.Args[0]
	out, err := cmd.CombinedOutput()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// expect looks for what is to be said.
func (tt *hostile) expect(t *testing.T, s *service, who, said string) {
	t.Helper()
	if strings.Contains(tt.shell, "2>&-") || tt.says == "" {
		return
	}
	for text := range strings.SplitSeq(strings.TrimPrefix(tt.says, "warning: "), "|") {
		words := strings.Join(strings.Fields(said), " ") // of a table
		text = strings.Replace(text, "BIN", s.bin, 1)
		if !strings.Contains(words, strings.TrimSpace(text)) && !strings.Contains(words, strings.Replace(text, ": ", " ", 1)) {
			t.Errorf("%s does not say %q: %s", who, text, said)
		}
	}
}

// TestDescriptorsAreCounted: what check holds against the limit of descriptors is what
// a master, and a worker, have open.
func TestDescriptorsAreCounted(t *testing.T) {
	t.Parallel()
	s := newService(t, "http")
	s.must("start", "-d", "-q", "--workers=3") // a daemon has none of whoever runs the tests
	b, err := os.ReadFile(filepath.Join(s.dir, "master.pid"))
	if err != nil {
		t.Fatal(err)
	}
	master, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	const starts, slack = 8, 3 // control groups that limit nothing are not open
	needs, open := 24+1+3*3, 0
	eventually(t, "the master has open what check counts", func() bool {
		open = openDescriptors(t, master)
		return open+starts <= needs
	})
	if open+starts+slack < needs {
		t.Errorf("the master has %d open, and needs %d more to start a worker; check says that it needs %d", open, starts, needs)
	}
	for _, pid := range s.pids() {
		if open := openDescriptors(t, pid); open > 17 {
			t.Errorf("a worker has %d open, check says that it needs 17", open)
		}
	}
}

// dieAsDaemon is what a build for TestDaemonThatDies does before Main.
func dieAsDaemon(mode string) {
	if !strings.HasPrefix(mode, "daemon: ") || !inRole("daemon") {
		return
	}
	switch mode {
	case "daemon: panic":
		panic("no configuration")
	case "daemon: no thread": // the words of package runtime/cgo
		fmt.Fprintln(os.Stderr, "runtime/cgo: pthread_create failed: Resource temporarily unavailable\nSIGABRT: abort\nPC=0x0 m=0 sigcode=0")
		os.Exit(2)
	case "daemon: exit":
		fmt.Fprintln(os.Stderr, "no configuration")
		os.Exit(3)
	}
}

// TestDaemonThatDies: the start says why a daemon has died before it could say so
// itself, in words.
func TestDaemonThatDies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ mode, says string }{
		{"daemon: panic", "the daemon ended before it served (exit 2: panic: no configuration); see "},
		{"daemon: no thread", "the daemon ended before it served (exit 2: runtime/cgo: pthread_create failed: Resource temporarily unavailable: " +
			"no thread is to be had: there are too many (ulimit -u, pids.max of the control group), or too little address space (ulimit -v)); see "},
		{"daemon: exit", "the daemon ended before it served (exit 3: no configuration); see "},
	} {
		t.Run(tt.mode, func(t *testing.T) {
			t.Parallel()
			s := newService(t, "http")
			s.install(tt.mode)
			if out, code := s.run("start", "-d"); code != 1 || strings.Count(out, "\n") != 1 || !strings.Contains(out, tt.says) {
				t.Errorf("exit %d: %s; want %s", code, out, tt.says)
			}
		})
	}
}
