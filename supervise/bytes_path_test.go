//go:build linux

package supervise_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPathsThatAreNotText: a path is bytes. A service whose program, run directory,
// socket and log have names that are not UTF-8 is reloaded, upgraded and restarted
// like any other, and stays where it is.
func TestPathsThatAreNotText(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(tempDir(t), "n\xffme \xe4\xb8 \U0010FF80")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := newService(t, "http")
	s.bin, s.dir = dir, filepath.Join(dir, "run")
	socket, log := filepath.Join(dir, "s\xfe"), filepath.Join(dir, "l\xfd")
	s.install("one")
	if out, code := s.run("start", "-d", "--listen", "unix://"+socket, "--log-file", log); code != 0 {
		t.Fatalf("start -d: exit %d: %s", code, out)
	}
	entries := func() (names []string) {
		all, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			names = append(names, e.Name())
		}
		return names
	}
	before := entries()
	for i, step := range []struct{ command, build string }{{"reload", "two"}, {"upgrade", "three"}, {"reload", "four"}, {"upgrade", "five"}} {
		s.install(step.build)
		s.must(step.command)
		if now := entries(); !slices.Equal(now, before) {
			t.Errorf("after the %s there are %q, before %q", step.command, now, before)
		}
		st, err := s.client().Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if a := st.Programs[0].Addresses; st.Generation != i+2 || len(a) != 1 || a[0] != "unix://"+socket {
			t.Errorf("after the %s: generation %d at %q", step.command, st.Generation, a)
		}
		if body := getUnix(t, socket); !strings.Contains(body, " "+string(rune('2'+i))+" ") {
			t.Errorf("after the %s: %q answers", step.command, body)
		}
	}
	if st := s.status(); st.Version != "five" {
		t.Errorf("the master is of version %s", st.Version)
	}
	if b, err := os.ReadFile(log); err != nil || strings.Count(string(b), `msg="upgrade done"`) != 2 {
		t.Errorf("the log: %v: %s", err, b)
	}
	if out := s.must("status"); !strings.Contains(out, `n\xffme`) {
		t.Errorf("status lacks the path, escaped: %s", out)
	}
}

// getUnix asks once at a Unix socket.
func getUnix(t *testing.T, path string) string {
	t.Helper()
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	resp, err := client.Get("http://service/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
