package e2e

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jay-go/jay/internal/needs"
)

// The programs that people point at a web server get along with ours.

func TestCurl(t *testing.T) {
	curl := needs.Program(t, "curl")
	s := start(t, "bodyecho")
	url := "http://" + s.addr + "/"
	dir := t.TempDir()
	body := filepath.Join(dir, "body")
	text := strings.Repeat("0123456789\r\n\r\n", 10_000)
	write(t, body, text)
	for _, tt := range []struct {
		name         string
		args         []string
		want         string // standard output
		says, denies string // of what -v prints
	}{
		{"GET", nil, "", "< HTTP/1.1 200 OK", "< Connection: close"},
		{"POST", []string{"--data-binary", "@" + body}, text, "< HTTP/1.1 200 OK", ""},
		{"PUT", []string{"-T", body}, text, "< HTTP/1.1 200 OK", ""},
		{"chunked upload", []string{"-H", "Transfer-Encoding: chunked", "--data-binary", "@" + body}, text, "> Transfer-Encoding: chunked", ""},
		{"100-continue", []string{"-H", "Expect: 100-continue", "--data-binary", "@" + body}, text, "< HTTP/1.1 100 Continue", ""},
		{"HTTP/1.0", []string{"--http1.0", "--data-binary", "0"}, "0", "< HTTP/1.1 200 OK", "keep-alive"},
		{"two requests, one connection", []string{"--data-binary", "x", url + "a", "--next", "-sSv", "--data-binary", "y"}, "xy", "Re-using existing connection", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"-sSv", "--max-time", "60"}, tt.args...)
			stdout, stderr, code := run(t, curl, append(args, url)...)
			if code != 0 || stdout != tt.want {
				t.Errorf("exit %d, %d bytes, want %d\n%.300s", code, len(stdout), len(tt.want), stderr)
			}
			if !strings.Contains(stderr, tt.says) {
				t.Errorf("curl does not say %q:\n%s", tt.says, stderr)
			}
			if tt.denies != "" && strings.Contains(stderr, tt.denies) {
				t.Errorf("curl says %q:\n%s", tt.denies, stderr)
			}
		})
	}
	t.Run("HEAD", func(t *testing.T) {
		stdout, stderr, code := run(t, curl, "-sSI", "--max-time", "60", url)
		if code != 0 || !strings.HasPrefix(stdout, "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(stdout, "\r\n\r\n") {
			t.Errorf("exit %d, %q, %s", code, stdout, stderr)
		}
	})
}

// TestCurlLarge sends 100 MiB and gets them back.
func TestCurlLarge(t *testing.T) {
	t.Parallel()
	curl := needs.Program(t, "curl")
	s := startOwn(t, "large", "--workers", "1")
	dir := t.TempDir()
	sent, got := filepath.Join(dir, "sent"), filepath.Join(dir, "got")
	content := make([]byte, 100<<20)
	rand.Read(content)
	if err := os.WriteFile(sent, content, 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr, code := run(t, curl, "-sS", "--max-time", "150", "--data-binary", "@"+sent, "-o", got, "http://"+s.addr+"/")
	if code != 0 {
		t.Fatalf("curl: exit %d, %s", code, stderr)
	}
	back, err := os.ReadFile(got)
	if err != nil {
		t.Fatal(err)
	}
	if sha256.Sum256(back) != sha256.Sum256(content) {
		t.Errorf("%d bytes came back, other than the %d sent", len(back), len(content))
	}
}

func TestLoadTools(t *testing.T) {
	t.Parallel()
	s := start(t, "hello")
	url := "http://" + s.addr + "/"
	for _, tt := range []struct {
		name, program string
		args          []string
		says          []string // patterns
		denies        string
	}{
		{"wrk", "wrk", []string{"-t1", "-c16", "-d1s", url}, []string{`[1-9]\d* requests in`}, "Socket errors|Non-2xx"},
		{"ab with keep-alive", "ab", []string{"-k", "-q", "-n", "5000", "-c", "16", url},
			[]string{`Complete requests: +5000`, `Failed requests: +0`, `Keep-Alive requests: +5000`}, "Non-2xx|apr_"},
		{"ab without", "ab", []string{"-q", "-n", "1000", "-c", "16", url},
			[]string{`Complete requests: +1000`, `Failed requests: +0`}, "Non-2xx|apr_"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stdout, stderr, code := run(t, needs.Program(t, tt.program), tt.args...)
			if code != 0 {
				t.Errorf("exit %d", code)
			}
			for _, pattern := range tt.says {
				if !regexp.MustCompile(pattern).MatchString(stdout) {
					t.Errorf("it does not say %q", pattern)
				}
			}
			if regexp.MustCompile(tt.denies).MatchString(stdout + stderr) {
				t.Errorf("it says %q", tt.denies)
			}
			if t.Failed() {
				t.Logf("%s\n%s", stdout, stderr)
			}
		})
	}
}

// TestUndici is the HTTP client of Node: fetch, with bodies of known and of
// unknown length, many at a time.
func TestUndici(t *testing.T) {
	t.Parallel()
	node := needs.Program(t, "node")
	s := start(t, "bodyecho")
	script := fmt.Sprintf(`
		const url = 'http://%s/';
		async function echo(i) {
			const text = 'body ' + i + '.'.repeat(i * 100);
			const stream = i %% 2 == 0;
			const body = stream ? new Blob([text]).stream() : text;
			const answer = await fetch(url + i, {method: i %% 3 == 0 ? 'PUT' : 'POST', body, duplex: 'half'});
			const got = await answer.text();
			if (answer.status != 200 || got != text) throw new Error(i + ': ' + answer.status + ' ' + got.slice(0, 100));
		}
		(async () => {
			await Promise.all(Array.from({length: 300}, (_, i) => echo(i)));
			const head = await fetch(url, {method: 'HEAD'});
			console.log('done', head.status);
		})();`, s.addr)
	stdout, stderr, code := run(t, node, "-e", script)
	if code != 0 || stdout != "done 200\n" {
		t.Errorf("exit %d, %q, %s", code, stdout, stderr)
	}
}
