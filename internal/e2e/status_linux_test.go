package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/exampletest"
	"github.com/jay-go/jay/internal/reset"
)

// TestStatusIsQuick: status does not wait for workers that are stopped, or blocked
// in a callback, while all of them hold 9,000 connections, and says which they are. Connections come page by page, and say who did not answer.
func TestStatusIsQuick(t *testing.T) {
	const connections = 9000
	s := start(t, "faults", "--workers", "4", "--watchdog", "1m", "--stop-timeout", "1s")
	began := time.Now()
	conns := dialMany(t, s.addr, connections)
	s.wait("all connections accepted", func(st status, _ int) bool {
		n := 0
		for _, w := range st.Workers {
			n += w.Connections
		}
		return n == len(conns)
	})
	t.Logf("%d connections accepted in %v", len(conns), time.Since(began))
	p := dial(t, s.addr)
	blocked := p.pid()
	p.send(get("/block"))
	workers := s.workers()
	stopped := workers[0]
	if stopped == blocked {
		stopped = workers[1]
	}
	exampletest.Suspend(t, stopped)
	s.wait("status that knows both", func(st status, _ int) bool {
		return slices.ContainsFunc(st.Workers, func(w workerStatus) bool { return w.PID == stopped && w.State == "silent" }) &&
			slices.ContainsFunc(st.Workers, func(w workerStatus) bool { return w.PID == blocked && w.BusySeconds > 0 })
	})

	client := control.NewClient(s.runDir)
	var took []time.Duration
	for range 11 {
		began := time.Now()
		st, err := client.Status(t.Context())
		took = append(took, time.Since(began))
		if err != nil || len(st.Workers) != 4 {
			t.Fatalf("status: %v, %+v", err, st)
		}
	}
	slices.Sort(took)
	median := took[len(took)/2]
	t.Logf("status with %d connections: median %v, %v to %v", connections, median, took[0], took[len(took)-1])
	if limit := 2 * time.Second; median > limit { // a busy machine; it waits 100 ms for the two
		t.Errorf("status takes %v (median), want %v at most", median, limit)
	}
	eventually(t, "all connections but those of the stopped and the blocked worker", func() bool {
		seen, missing := allPages(t, client)
		return len(missing) == 2 && missing[stopped] && missing[blocked] && seen >= connections/4
	})
}

// TestFigures: a worker's figures in status are what its clients have done, what
// the kernel counts, and what its callbacks took.
func TestFigures(t *testing.T) {
	s := startOwn(t, "measured")
	client := control.NewClient(s.runDir)
	figures := func() (w control.WorkerStatus) {
		t.Helper()
		eventually(t, "the worker has told its figures", func() bool {
			st, err := client.Status(t.Context())
			if err != nil || len(st.Workers) != 1 {
				t.Fatalf("status: %v, %+v", err, st)
			}
			w = st.Workers[0]
			return w.Requests != nil
		})
		return w
	}
	first := figures()

	p := dial(t, s.addr)
	sent, received := 0, 0
	ask := func(path string) {
		t.Helper()
		p.conn.SetDeadline(time.Now().Add(patience))
		request := get(path)
		p.send(request)
		sent += len(request)
		received += len(p.receive())
	}
	for range 100 {
		ask("/")
	}
	var w control.WorkerStatus
	eventually(t, "the requests are seen", func() bool {
		w = figures()
		return *w.Requests == 100
	})
	if *w.Connections != 1 || *w.Accepted != 1 || *w.BytesIn != int64(sent) || *w.BytesOut != int64(received) {
		t.Errorf("%d connections, %d accepted, %d bytes in, %d out; want 1, 1, %d, %d",
			*w.Connections, *w.Accepted, *w.BytesIn, *w.BytesOut, sent, received)
	}
	if *w.Refused != 0 || *w.SendFailures != 0 || *w.AcceptErrors != 0 || *w.Panics != 0 || *w.BusySeconds != 0 {
		t.Errorf("something has gone wrong in %+v", w)
	}

	ask("/hold")
	eventually(t, "the memory that is held is seen", func() bool {
		w = figures()
		return w.HeapBytes-first.HeapBytes > heldBytes*9/10 && w.RSSBytes-first.RSSBytes > heldBytes*9/10
	})
	if rss := residentSize(t, w.PID); w.RSSBytes < rss*8/10 || w.RSSBytes > rss*12/10 {
		t.Errorf("%d bytes resident, the kernel says %d", w.RSSBytes, rss)
	}

	until := func(what, path string, ok func(w control.WorkerStatus) bool) {
		t.Helper()
		eventually(t, what, func() bool {
			p.send(strings.Repeat(get(path), 10)) // at once, so that the loop does not wait for us
			for range 10 {
				p.receive()
			}
			w = figures()
			return ok(w)
		})
	}
	until("callbacks that sleep are seen", "/sleep", func(w control.WorkerStatus) bool {
		return *w.LoopSaturation > 0.5 && *w.LoopSaturation <= 1 && *w.CallbackP99 >= 0.02
	})
	if w.CPUPercent > 50 {
		t.Errorf("%.1f %% of a processor, for sleep", w.CPUPercent)
	}
	used, since := processorTime(t, w.PID), time.Now()
	until("callbacks that work are seen", "/burn", func(w control.WorkerStatus) bool {
		now := processorTime(t, w.PID)
		share := 100 * (now - used).Seconds() / time.Since(since).Seconds() // little where others want the processor, too
		used, since = now, time.Now()
		return share > 2 && w.CPUPercent > share/2
	})
	eventually(t, "rest is seen", func() bool {
		w = figures()
		return *w.LoopSaturation < 0.1 && w.CPUPercent < 10
	})
}

// processorTime is what a process has used, to the hundredth of a second.
func processorTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:])) // from the third on
	var user, system int64
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		t.Fatalf("stat %q: %v", b, err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// residentSize is the resident memory of a process in bytes.
func residentSize(t *testing.T, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	var total, resident int64
	if _, err := fmt.Sscan(string(b), &total, &resident); err != nil {
		t.Fatalf("statm %q: %v", b, err)
	}
	return resident * int64(os.Getpagesize())
}

// allPages reads all connections by pages of 1,000, each once, and counts them.
// missing are the workers that did not answer in time for a page.
func allPages(t *testing.T, client *control.Client) (n int, missing map[int]bool) {
	t.Helper()
	seen := map[uint64]bool{}
	missing = map[int]bool{}
	for after := ""; ; {
		page, err := client.Connections(t.Context(), "", after, 1000)
		if err != nil || len(page.Connections) > 1000 {
			t.Fatalf("the page after %q: %v, %d connections", after, err, len(page.Connections))
		}
		for _, pid := range page.Missing {
			missing[pid] = true
		}
		for _, c := range page.Connections {
			if seen[c.ID] {
				t.Fatalf("the page after %q has connection %d again", after, c.ID)
			}
			seen[c.ID] = true
		}
		if after = page.Next; after == "" {
			return len(seen), missing
		}
	}
}

// dialMany opens connections that say nothing, as fast as the server accepts.
func dialMany(t *testing.T, addr string, n int) []net.Conn {
	t.Helper()
	var mu sync.Mutex
	var conns []net.Conn // guarded by mu
	t.Cleanup(func() {
		for _, c := range conns {
			reset.Close(c)
		}
	})
	var dialers sync.WaitGroup
	for range 16 {
		dialers.Go(func() {
			for {
				c, err := net.DialTimeout("tcp", addr, patience)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				conns = append(conns, c)
				enough := len(conns) >= n
				mu.Unlock()
				if enough {
					return
				}
			}
		})
	}
	dialers.Wait()
	return conns
}

// TestLimitsInStatus: status says what clients and workers are held to, whatever
// the protocol; what has no limit is not there.
func TestLimitsInStatus(t *testing.T) {
	for _, tt := range []struct {
		program string
		want    map[string]float64
		without string
	}{
		{"jay", map[string]float64{
			"idle_timeout_s": 75, "write_timeout_s": 30, "header_timeout_s": 10, "max_header_bytes": 16 << 10, "stop_timeout_s": 3, "watchdog_s": 10,
		}, "lifetime_s"},
		{"line", map[string]float64{"max_message_bytes": 1000, "max_buffered_bytes": 512 << 20}, "idle_timeout_s"},
		{"frame", map[string]float64{"max_message_bytes": 64 << 10, "start_timeout_s": 10}, "max_age_s"},
	} {
		t.Run(tt.program, func(t *testing.T) {
			s := start(t, tt.program, "--workers", "1", "--stop-timeout", "3s")
			st, _ := s.status()
			limits := st.Programs[0].Limits
			for name, want := range tt.want {
				if got := limits[name]; got != want {
					t.Errorf("%s is %v, want %v", name, got, want)
				}
			}
			if got, there := limits[tt.without]; there {
				t.Errorf("%s is %v, want none", tt.without, got)
			}
			if limits["max_conns"] < 1 {
				t.Errorf("max_conns is %v", limits["max_conns"])
			}
		})
	}
}
