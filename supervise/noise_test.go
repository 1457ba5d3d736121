//go:build linux

package supervise_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// residentBytes is the memory of a process.
func residentBytes(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, _ := strconv.Atoi(string(bytes.Fields(b)[1]))
	return pages * os.Getpagesize()
}

// TestFollowersDoNotRead: clients of the control API that ask for much and read
// nothing hold up neither the master nor its end, and it keeps little for them.
func TestFollowersDoNotRead(t *testing.T) {
	t.Parallel()
	s := newService(t, "log").start("--log-file", filepath.Join(tempDir(t), "log"))
	master, addr := s.status().PID, s.addr()
	before := residentBytes(t, master)
	for range 30 {
		for _, path := range []string{"/v1/events", "/v1/logs?n=1000&follow=1", "/v1/status", "/metrics"} {
			conn, err := net.Dial("unix", filepath.Join(s.dir, "control.sock"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
		}
	}
	for i := range 20 {
		s.say(addr, strconv.Itoa(i), 200, 1000)
	}
	s.must("reload")
	if more := residentBytes(t, master) - before; more > 100<<20 {
		t.Errorf("the master has %d MiB more", more>>20)
	}
	s.must("upgrade")
	if st := s.status(); st.PID != master || st.State != "running" {
		t.Errorf("master %d, %s; want %d, running", st.PID, st.State, master)
	}
	s.must("stop")
}

// TestDescribesWithoutEnd: a new file that prints for ever and never says what it is
// is ended at its time, and costs the service nothing.
func TestDescribesWithoutEnd(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"output", "report"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			s := newService(t, "http")
			s.install("good")
			s.start("--start-timeout", "2s", "--log-file", filepath.Join(tempDir(t), "log"))
			master := s.status().PID
			before := residentBytes(t, master)
			s.install("noisy " + where)
			out, code := s.run("reload")
			if code != 1 || !strings.Contains(out, "what its programs are") && !strings.Contains(out, "what it says of its programs") {
				t.Errorf("reload: exit %d: %s", code, out)
			}
			if more := residentBytes(t, master) - before; more > 100<<20 {
				t.Errorf("the master has %d MiB more", more>>20)
			}
			if st := s.status(); st.Generation != 1 || st.State != "running" || st.Programs[0].Restarts != 0 {
				t.Errorf("generation %d, %s, %d restarts", st.Generation, st.State, st.Programs[0].Restarts)
			}
		})
	}
}
