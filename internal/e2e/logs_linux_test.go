package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/jay-go/jay/internal/exampletest"
)

// hostile is what must not reach a log as it is: it ends a line, commands a
// terminal, turns the direction of text, or is no text.
const hostile = "a\r\ntime=0 level=INFO msg=forged\n\x00\x1b]0;owned\x07\x1b[2J\x7f\u0085\u009b31m\xff\xc2\u202egpj\u2066\u2028b"

const (
	secretToken  = "c2VjcmV0LXRva2Vu"
	secretCookie = "0123456789abcdef-session"
)

// TestNothingForeignInTheLog: bytes of a client that a handler logs, panics with,
// prints or makes an error of, and requests that are refused, leave one harmless
// line each in the file, and no credentials.
func TestNothingForeignInTheLog(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			file := filepath.Join(runDir(t), "log")
			s := startOwn(t, "logging", "--log-format", format, "--log-file", file, "--listen", "tcp://127.0.0.1:0")
			head := "Host: test\r\nUser-Agent: \xff\u202e\u009b\r\nAuthorization: Bearer " + secretToken + "\r\nCookie: id=" + secretCookie + "\r\n"
			post := func(path, body string) {
				p := dial(t, s.addr)
				p.send(fmt.Sprintf("POST %s HTTP/1.1\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n%s", path, head, len(body), body))
				if got, err := p.rest(); err != nil || !strings.HasPrefix(got, "HTTP/1.1 ") {
					t.Errorf("POST %s: %q, %v", path, got, err)
				}
			}
			post("/log?x=%1b%0d%0a%e2%80%ae", hostile)
			post("/log", strings.Repeat("y", 100_000))
			post("/print", hostile)
			post("/panic", hostile)
			post("/error", secretCookie+"\r\n"+hostile)
			for _, refused := range []string{"GET /\x1b]0;x\x07 HTTP/1.1\r\n" + head + "\r\n", "GET / HTTP/1.1\r\n" + head + "X: \x1b[2J\r\n\r\n", "\x16\x03\x01\x1b[2J\r\n\r\n"} {
				p := dial(t, s.addr)
				p.send(refused)
				p.rest() // how it is refused is tested elsewhere
			}
			post("/log", "the last one")
			var log []byte
			eventually(t, "the last line is there", func() bool {
				log, _ = os.ReadFile(file)
				return strings.Contains(string(log), "the last one")
			})
			checkHarmless(t, log, format)
			for _, secret := range []string{secretToken, secretCookie} {
				if strings.Contains(string(log), secret) {
					t.Errorf("the log has the secret %s", secret)
				}
			}
			for _, want := range []string{"/log?x=%1b%0d%0a%e2%80%ae", "the value holds the control character 0x0d", "bytes more)", "owned", "gpj"} {
				if !strings.Contains(string(log), want) {
					t.Errorf("the log has no %q: that was no test", want)
				}
			}
			if t.Failed() {
				t.Logf("the log: %q", log)
			}
		})
	}
}

// checkHarmless looks at every line of a log.
func checkHarmless(t *testing.T, log []byte, format string) {
	t.Helper()
	for line := range strings.Lines(string(log)) {
		line = strings.TrimSuffix(line, "\n")
		if len(line) > 17<<10 {
			t.Errorf("a line of %d bytes: %.100q", len(line), line)
		}
		if strings.HasPrefix(line, "time=0 ") {
			t.Errorf("a line is forged: %q", line)
		}
		if format == "json" && !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %q", line)
		}
		for i, r := range line {
			if r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == utf8.RuneError && line[i] != 0xef {
				t.Errorf("%U at byte %d of %q", r, i, line)
			}
		}
	}
}

// TestLoopGoesOnWithoutMaster: a callback logs 10 MB while the master does not
// run; the loop answers it, and others after it, and what is lost is counted.
func TestLoopGoesOnWithoutMaster(t *testing.T) {
	t.Parallel()
	s := startOwn(t, "logging", "--listen", "tcp://127.0.0.1:0")
	st, _ := s.status()
	exampletest.Suspend(t, st.PID)
	for range 3 {
		p := dial(t, s.addr)
		for _, path := range []string{"/much", "/"} {
			p.send(get(path))
			if got := p.receive(); !strings.HasSuffix(got, "\r\n\r\nok") {
				t.Errorf("%s is answered with %q", path, got)
			}
		}
	}
	exampletest.Resume(st.PID)
	s.wait("the worker's lost lines in status", func(now status, _ int) bool { return now.Workers[0].LogDropped > 0 })
	if now, _ := s.status(); now.Workers[0].PID != st.Workers[0].PID || now.Programs[0].Restarts != 0 {
		t.Errorf("the worker was replaced: %+v", now)
	}
	eventually(t, "the log tells of them", func() bool { return strings.Contains(s.output.String(), " lines dropped") })
}

// TestDescriptors: a program that a worker starts has the standard descriptors,
// and nothing of the worker, the master, or whoever started that.
func TestDescriptors(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe() // which whoever starts the service has forgotten to close
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	s := startOwnWith(t, "logging", []*os.File{r, w}, nil, "--listen", "tcp://127.0.0.1:0")
	list := func() (lines []string) {
		p := dial(t, s.addr)
		p.send(get("/fds"))
		out := p.receive()
		if !strings.Contains(out, "<nil>") {
			t.Fatalf("ls: %q", out)
		}
		for _, line := range strings.Split(out, "\n") {
			if strings.Contains(line, " -> ") {
				lines = append(lines, line)
			}
		}
		return lines
	}
	check := func(when string) {
		t.Helper()
		child := list()
		for _, line := range child {
			// ls itself opens the directory that it lists.
			if number := regexp.MustCompile(` ([0-9]+) -> `).FindStringSubmatch(line); number == nil || number[1] > "2" && !strings.Contains(line, "-> /proc/") {
				t.Errorf("%s a program that a worker starts has %q", when, line)
			}
		}
		if len(child) != 4 {
			t.Errorf("%s it has %d descriptors: %q", when, len(child), child)
		}
		for _, pid := range s.workers() {
			for fd, target := range openFiles(t, pid) {
				if strings.Contains(target, "jay-state") || strings.Contains(target, "master.pid") || strings.Contains(target, "/log") {
					t.Errorf("%s worker %d has the master's %s (%s)", when, pid, target, fd)
				}
				if flags := descriptorFlags(t, pid, fd); fd > "2" && flags&syscall.O_CLOEXEC == 0 {
					t.Errorf("%s descriptor %s of worker %d (%s) survives exec", when, fd, pid, target)
				}
			}
		}
	}
	check("at first")
	st, _ := s.status()
	for fd, target := range openFiles(t, st.PID) {
		if flags := descriptorFlags(t, st.PID, fd); fd > "2" && flags&syscall.O_CLOEXEC == 0 {
			t.Errorf("descriptor %s of the master (%s) survives exec", fd, target)
		}
	}
	for _, change := range []string{"reload", "upgrade"} {
		if out, code := s.command(change); code != 0 {
			t.Fatalf("%s: exit %d, %s", change, code, out)
		}
		check("after " + change)
	}
	for fd, target := range openFiles(t, st.PID) {
		if flags := descriptorFlags(t, st.PID, fd); fd > "2" && flags&syscall.O_CLOEXEC == 0 {
			t.Errorf("after an upgrade descriptor %s of the master (%s) survives exec", fd, target)
		}
	}
}

// openFiles are a process's descriptors and what they are.
func openFiles(t *testing.T, pid int) map[string]string {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(dir, e.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue // it was closed
		}
		files[e.Name()] = target
	}
	return files
}

// descriptorFlags are those of fdinfo, O_CLOEXEC among them.
func descriptorFlags(t *testing.T, pid int, fd string) (flags int) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%s", pid, fd))
	if errors.Is(err, os.ErrNotExist) {
		return syscall.O_CLOEXEC // it was closed
	}
	_, rest, found := strings.Cut(string(b), "flags:")
	if n, _ := fmt.Sscanf(rest, "%o", &flags); !found || n != 1 {
		t.Fatalf("fdinfo of %d of %d: %q, %v", pid, flags, b, err)
	}
	return flags
}
