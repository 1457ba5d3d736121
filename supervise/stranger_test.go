//go:build linux

package supervise_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// place is where programs are installed under one name, which no other test has:
// their default run directory is the same.
type place struct {
	t    *testing.T
	dir  string // with directories of programs in it
	name string
	run  string // the default run directory
	env  []string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{t: t, dir: tempDir(t), name: fmt.Sprintf("jay-test-%08x", rand.Uint32())}
	runtime := filepath.Join(p.dir, "runtime")
	if p.run = filepath.Join(runtime, "jay", p.name); os.Geteuid() == 0 {
		p.run = filepath.Join("/run/jay", p.name)
	}
	p.env = append(os.Environ(), "JAY_RUN_DIR=", "XDG_RUNTIME_DIR="+runtime, "GORACE=atexit_sleep_ms=0")
	t.Cleanup(func() { os.RemoveAll(p.run) })
	return p
}

// program is a file of a place, which runs as one of testServices.
type program struct {
	p       *place
	path    string
	service string
}

// install makes a program in a directory of the place.
func (p *place) install(dir, runs, mode string) program {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Join(p.dir, dir), 0o755); err != nil {
		p.t.Fatal(err)
	}
	s := &service{t: p.t, exe: filepath.Join(p.dir, dir, p.name)}
	s.install(mode)
	return program{p, s.exe, runs}
}

// in is the same program at another path.
func (g program) in(dir string) program {
	g.path = filepath.Join(g.p.dir, dir, g.p.name)
	return g
}

func (g program) command(args ...string) (output string, code int) {
	g.p.t.Helper()
	cmd := exec.Command(g.path, args...)
	cmd.Env = append(g.p.env, programVariable+"="+g.service)
	b, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		g.p.t.Fatalf("%s %v: %v", g.path, args, err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

func (g program) must(args ...string) string {
	g.p.t.Helper()
	out, code := g.command(args...)
	if code != 0 {
		g.p.t.Errorf("%s %v: exit %d: %s", g.path, args, code, out)
	}
	return out
}

// start starts the program as a daemon, which the test's end stops.
func (g program) start() {
	g.p.t.Helper()
	g.must("start", "-d", "-q")
	g.p.t.Cleanup(func() {
		s := &service{t: g.p.t, name: g.service, dir: g.p.run}
		s.run("stop")
	})
}

// TestStrangers: a program whose file has the name of another's has its default run
// directory, too. No command of it acts on the other, and each says whose it is.
func TestStrangers(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	ours, theirs := p.install("x1", "http", "one"), p.install("x2", "http", "two")
	ours.start()
	before := ours.must("status", "--json")
	for _, command := range []string{
		"start", "start -d", "restart", "reload", "upgrade", "scale http=1", "reopen-logs", "status", "status --json", "connections", "logs", "top", "stop", "check",
	} {
		out, code := theirs.command(strings.Fields(command)...)
		if code != 1 || !strings.Contains(out, p.run+"/control.sock belongs to "+ours.path+"; use --run-dir") {
			t.Errorf("%s: exit %d: %s; want exit 1 and whose it is", command, code, out)
		}
	}
	after := ours.must("status", "--json")
	if pid := func(s string) string { return s[:strings.Index(s, `"started"`)] }; pid(after) != pid(before) || !strings.Contains(after, `"generation":1`) {
		t.Errorf("before: %s\nafterwards: %s", before, after)
	}
	if out, code := ours.command("start"); code != 1 || !strings.Contains(out, "already running (pid ") || !strings.Contains(out, ours.path) {
		t.Errorf("a second start of one file: exit %d: %s", code, out)
	}
	own := filepath.Join(p.dir, "own")
	theirs.must("start", "-d", "--run-dir", own)
	theirs.must("stop", "--run-dir", own)
	third := p.install("x3", "file", "three")
	if out, code := third.command("stop", "--run-dir", p.run); code != 1 || !strings.Contains(out, "belongs to "+ours.path+" (http)") {
		t.Errorf("stop of another service by its directory: exit %d: %s", code, out)
	}
	theirs.must("stop", "--run-dir", p.run) // whoever names it means it
}

// TestFoundAgain: a program finds its service again when its file is another one, or
// elsewhere, and where it has another name, it is told where to look.
func TestFoundAgain(t *testing.T) {
	t.Parallel()
	link := func(t *testing.T, p *place, to string) {
		t.Helper()
		next := filepath.Join(p.dir, "next")
		if err := os.Symlink(to, next); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, filepath.Join(p.dir, "current")); err != nil {
			t.Fatal(err)
		}
	}
	move := func(t *testing.T, p *place, from, to string) {
		t.Helper()
		if err := os.Rename(filepath.Join(p.dir, from), filepath.Join(p.dir, to)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name string
		// change starts the service, and gives the program that is then used.
		change  func(t *testing.T, p *place) program
		command string
	}{
		{"its release link leads elsewhere", func(t *testing.T, p *place) program {
			g := p.install("r1", "http", "one").in("current")
			p.install("r2", "http", "two")
			link(t, p, "r1")
			g.start()
			link(t, p, "r2")
			return g
		}, "reload"},
		{"it is started by a link, and used by its path", func(t *testing.T, p *place) program {
			g := p.install("r1", "http", "one")
			link(t, p, "r1")
			g.in("current").start()
			return g
		}, "upgrade"},
		{"its file is replaced", func(t *testing.T, p *place) program {
			p.install("r1", "http", "one").start()
			return p.install("r1", "http", "two")
		}, "upgrade"},
		{"its file is replaced, and used by another path", func(t *testing.T, p *place) program {
			g := p.install("r1", "http", "one")
			link(t, p, "r1")
			g.start()
			return p.install("r1", "http", "two").in("current")
		}, "restart"},
		{"its directory is moved", func(t *testing.T, p *place) program {
			g := p.install("r1", "http", "one")
			g.start()
			move(t, p, "r1", "r2")
			return g.in("r2")
		}, "stop"},
		{"its directory is moved, and the file replaced", func(t *testing.T, p *place) program {
			p.install("r1", "http", "one").start()
			move(t, p, "r1", "r2")
			return p.install("r2", "http", "two")
		}, "scale http=3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			tt.change(t, p).must(strings.Fields(tt.command)...)
		})
	}
	t.Run("its file is renamed", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t)
		g := p.install("r1", "http", "one")
		g.start()
		was := g.path
		g.path += "-renamed"
		if err := os.Rename(was, g.path); err != nil {
			t.Fatal(err)
		}
		for command, want := range map[string]int{"stop": 1, "status": 3} {
			if out, code := g.command(command); code != want || !strings.Contains(out, "not running") || !strings.Contains(out, "it runs as "+was+": use --run-dir "+p.run) {
				t.Errorf("%s: exit %d: %s; want exit %d and where it runs", command, code, out, want)
			}
		}
		g.must("stop", "--run-dir", p.run)
	})
}
