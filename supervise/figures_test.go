//go:build linux

package supervise_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/reset"
)

// TestFiguresOfHTTP: what DrainHTTP can count is in status, tables, JSON and
// metrics alike; what nobody counts is in none of them, and not 0.
func TestFiguresOfHTTP(t *testing.T) {
	t.Parallel()
	s := newService(t, "hijack", "STOP_MS=60000", "COLUMNS=500").start("--workers", "1")
	const requests = 20
	kept, err := reset.Dial("tcp", s.addr(), patience)
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	r := bufio.NewReader(kept)
	for range requests {
		if _, err := exchange(kept, r, ""); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := get(s.addr(), "/panic"); err == nil {
		t.Error("a handler that panics has answered")
	}
	e := dialEcho(t, s.addr())
	want := map[string]int64{"requests": requests + 2, "connections": 2, "accepted": 3, "panics": 1}
	var row map[string]any
	eventually(t, fmt.Sprintf("the figures are %v", want), func() bool {
		var st struct{ Workers []map[string]any }
		if err := json.Unmarshal([]byte(s.must("status", "--json")), &st); err != nil {
			t.Fatal(err)
		}
		row = st.Workers[0]
		for name, n := range want {
			if row[name] != float64(n) {
				return false
			}
		}
		return row["requests_per_s"] != nil
	})
	unknown := []string{"refused", "bytes_in", "bytes_out", "send_failures", "accept_errors", "timers", "loop_saturation", "callback_p99_s", "busy_s"}
	for _, name := range unknown {
		if v, there := row[name]; there {
			t.Errorf("%s is %v, which nobody counts", name, v)
		}
	}
	metrics, err := control.NewClient(s.dir).Get(t.Context(), "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for name, there := range map[string]bool{
		"jay_worker_requests_total": true, "jay_worker_connections": true, "jay_worker_accepted_total": true, "jay_worker_panics_total": true,
		"jay_worker_received_bytes_total": false, "jay_worker_refused_total": false, "jay_worker_loop_saturation": false, "jay_worker_timers": false,
	} {
		if strings.Contains(string(metrics), name+"{") != there {
			t.Errorf("metrics have %s: %v", name, !there)
		}
	}
	cells := tableCells(t, s.must("status"), "WORKER")
	for column, want := range map[string]string{
		"CONNS": "2", "REQUESTS": fmt.Sprint(requests + 2), "PANICS": "1", "REFUSED": "-", "SENDFAIL": "-", "ACCERR": "-", "TIMERS": "-", "LOOP": "-", "P99": "-",
	} {
		if cells[column] != want {
			t.Errorf("%s is %q in the table, want %q", column, cells[column], want)
		}
	}
	e.Close()
	eventually(t, "the hijacked connection has gone", func() bool { n := s.status().Workers[0].Connections; return n != nil && *n == 1 })
}

// tableCells are the first row of the table whose header begins with a word.
func tableCells(t *testing.T, text, first string) map[string]string {
	t.Helper()
	lines := strings.Split(text, "\n")
	i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, first+" ") })
	if i < 0 || i+1 == len(lines) {
		t.Fatalf("no table %s in %q", first, text)
	}
	header, row := strings.Fields(lines[i]), strings.Fields(lines[i+1])
	if len(header) != len(row) {
		t.Fatalf("%d columns and %d cells in %q", len(header), len(row), text)
	}
	cells := map[string]string{}
	for k, name := range header {
		cells[name] = row[k]
	}
	return cells
}

// TestFiguresOfNobody: a program that counts nothing has no figures, also while
// it has no worker.
func TestFiguresOfNobody(t *testing.T) {
	t.Parallel()
	for name, env := range map[string]string{"with a worker": "CRASH=never", "without": "CRASH=error"} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, "crash", env)
			s.launch()
			want := map[string]string{"with a worker": "ready", "without": "backoff"}[name]
			eventually(t, "the state is "+want, func() bool {
				st := s.status()
				return len(st.Workers) > 0 && st.Workers[0].State == want
			})
			if w := s.status().Workers[0]; w.Connections != nil || w.Requests != nil || w.RequestsPerSecond != nil {
				t.Errorf("%+v: figures that nobody counts", w)
			}
		})
	}
}

// TestLimitsOfHTTP: MaxRequests, MaxAge and MaxRSS replace a worker of a program
// that uses DrainHTTP; a hijacked connection lives on, and no request is lost.
func TestLimitsOfHTTP(t *testing.T) {
	for _, limit := range []string{"REQUESTS=200", "AGE_MS=300", "RSS=1"} {
		t.Run(limit, func(t *testing.T) {
			t.Parallel()
			s := newService(t, "hijack", "STOP_MS=60000", limit).start("--workers", "1")
			e := dialEcho(t, s.addr())
			l := startLoad(t, s.addr(), 2, 0, 1)
			eventually(t, "the worker is replaced", func() bool {
				w := s.worker(e.pid)
				return w != nil && w.State == "draining"
			})
			if _, failed := l.end(); len(failed) > 0 {
				t.Errorf("requests have failed: %v", failed)
			}
			if got := e.ask(); got != e.pid {
				t.Errorf("process %d answers, want %d", got, e.pid)
			}
			e.Close()
			eventually(t, "the worker has gone", func() bool { return gone(e.pid) })
		})
	}
}
