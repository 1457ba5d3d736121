package e2e

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// TestNotReloadable: through reload and upgrade a server that is not reloaded
// keeps its worker and what that listens on by itself; it is told of each.
func TestNotReloadable(t *testing.T) {
	t.Parallel()
	s := startOwn(t, "reloading")
	st, _ := s.status()
	ask := func(network, addr string) (pid, reloads int) {
		t.Helper()
		c, err := net.Dial(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
		answer, err := io.ReadAll(c)
		_, body, _ := strings.Cut(string(answer), "\r\n\r\n")
		if n, _ := fmt.Sscan(body, &pid, &reloads); n != 2 || err != nil {
			t.Fatalf("answer %q, %v", answer, err)
		}
		return pid, reloads
	}
	address := func(name string) string {
		for _, p := range st.Programs {
			if p.Name == name {
				return strings.TrimPrefix(p.Addresses[0], "tcp://")
			}
		}
		t.Fatalf("no program %s in %+v", name, st)
		return ""
	}
	fresh, _ := ask("tcp", address("fresh"))
	kept, _ := ask("tcp", address("kept"))
	own := filepath.Join(s.runDir, "own.sock")
	for i, command := range []string{"reload", "upgrade"} {
		if out, code := s.command(command); code != 0 {
			t.Fatalf("%s: exit %d\n%s", command, code, out)
		}
		eventually(t, "a new worker of the other server answers", func() bool {
			pid, reloads := ask("tcp", address("fresh"))
			return pid != fresh && pid != kept && reloads == 0
		})
		eventually(t, "the worker has been told", func() bool {
			pid, reloads := ask("tcp", address("kept"))
			if pid != kept {
				t.Fatalf("worker %d answers after %s, was %d", pid, command, kept)
			}
			return reloads == i+1
		})
		if pid, _ := ask("unix", own); pid != kept {
			t.Errorf("worker %d answers on the worker's own address, want %d", pid, kept)
		}
	}
}
