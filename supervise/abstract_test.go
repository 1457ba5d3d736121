//go:build linux

package supervise_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestAbstractSocket: a service at an abstract name of Unix is checked, started,
// reloaded, upgraded and restarted as at any other address, and leaves no name.
func TestAbstractSocket(t *testing.T) {
	t.Parallel()
	name := fmt.Sprintf("@jay-test/%d\xff", os.Getpid())
	s := newService(t, "http")
	if out, code := s.run("check", "--listen", "unix://"+name); code != 0 || !strings.Contains(out, "is free") {
		t.Errorf("check before the start: exit %d: %s", code, out)
	}
	s.start("--listen", "unix://"+name)
	answers := func(when string, generation string) {
		t.Helper()
		if body := getUnix(t, name); !strings.Contains(body, " "+generation+" ") {
			t.Errorf("%s: %q answers, want generation %s", when, body, generation)
		}
		st, err := s.client().Status(t.Context())
		if err != nil || len(st.Programs[0].Addresses) != 1 || st.Programs[0].Addresses[0] != "unix://"+name || len(st.Programs[0].Problems) > 0 {
			t.Errorf("%s: %v, %+v", when, err, st.Programs)
		}
	}
	answers("at first", "1")
	for i, change := range []string{"reload", "upgrade"} {
		s.must(change)
		answers("after the "+change, fmt.Sprint(i+2))
	}
	if out, code := s.run("check", "--listen", "unix://"+name); code != 0 || !strings.Contains(out, "the running service's own") {
		t.Errorf("check while it runs: exit %d: %s", code, out)
	}
	other := newService(t, "http")
	if out, code := other.run("check", "--listen", "unix://"+name); code == 0 || !strings.Contains(out, "is in use by") {
		t.Errorf("check of another service: exit %d: %s", code, out)
	}
	s.must("restart")
	answers("after the restart", "1")
	s.must("stop")
	if b, err := os.ReadFile("/proc/net/unix"); err != nil || strings.Contains(string(b), name) {
		t.Errorf("the name is left: %v", err)
	}
}
