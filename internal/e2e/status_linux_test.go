package e2e

import (
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/supervise"
)

// TestStatusIsQuick: status is there within 200 ms with four workers that hold
// 9,000 connections, one of them stopped and one blocked in a callback, and it
// says which. Connections come page by page, and say who did not answer.
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
	syscall.Kill(stopped, syscall.SIGSTOP)
	defer syscall.Kill(stopped, syscall.SIGCONT)
	s.wait("status that knows both", func(st status, _ int) bool {
		return slices.ContainsFunc(st.Workers, func(w workerStatus) bool { return w.PID == stopped && w.State == "silent" }) &&
			slices.ContainsFunc(st.Workers, func(w workerStatus) bool { return w.PID == blocked && w.BusySeconds > 0 })
	})

	client := supervise.NewClient(s.runDir)
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
	if limit := 200 * time.Millisecond; median > limit {
		t.Errorf("status takes %v (median), want %v at most", median, limit)
	}
	eventually(t, "all connections but those of the stopped and the blocked worker", func() bool {
		seen, missing := allPages(t, client)
		return len(missing) == 2 && missing[stopped] && missing[blocked] && seen >= connections/4
	})
}

// allPages reads all connections by pages of 1,000, each once, and counts them.
// missing are the workers that did not answer in time for a page.
func allPages(t *testing.T, client *supervise.Client) (n int, missing map[int]bool) {
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
			c.Close()
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
