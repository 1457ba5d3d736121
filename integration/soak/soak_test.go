// Package soak keeps a service under load while it is reloaded and its workers
// crash, for as long as -soak says, and looks what that has cost.
package soak

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/exampletest"
	"github.com/jay-go/jay/internal/load"
)

var duration = flag.Duration("soak", 20*time.Second, "how long TestSoak takes")

// TestSoak: a reload every ten seconds and a crash every fifteen, under mixed
// load. Only what is on its way at a crash fails, and at the end the service
// holds no more than at the beginning.
func TestSoak(t *testing.T) {
	reloads, crashing := min(10*time.Second, *duration/4), min(15*time.Second, *duration*3/10)
	s := exampletest.Start(t, "--stop-timeout", "5s")
	addr := s.Addr("soak")
	r := &record{answered: map[string]int{}}

	warm := time.Now()
	end := r.start(addr)
	time.Sleep(2 * time.Second)
	reload(t, s)
	end()
	before := quiet(t, s)
	t.Logf("after %v: %v", time.Since(warm).Round(time.Second), before)

	end = r.start(addr)
	var crashes []crash
	reloadAt, crashAt := time.NewTicker(reloads), time.NewTicker(crashing)
	defer reloadAt.Stop()
	defer crashAt.Stop()
	done, reloaded := time.After(*duration), 0
	for running := true; running; {
		select {
		case <-reloadAt.C:
			reload(t, s)
			reloaded++
		case <-crashAt.C:
			crashes = append(crashes, kill(t, s, len(crashes)))
		case <-done:
			running = false
		}
	}
	end()
	after := quiet(t, s)

	r.mu.Lock()
	t.Logf("%v: %d reloads, %d crashes; answered %v, %d WebSocket connections sent away, %d failures", *duration, reloaded, len(crashes),
		r.answered, r.sentAway, len(r.failures))
	for kind, n := range r.answered {
		if n < 100 {
			t.Errorf("%s: %d answers: that is no load", kind, n)
		}
	}
	r.mu.Unlock()
	t.Logf("before %v\nafter  %v", before, after)
	for i, f := range r.unexplained(crashes) {
		if i < 20 {
			t.Errorf("no crash explains it: %v", f)
		}
	}
	if len(crashes) == 0 || reloaded == 0 {
		t.Errorf("%d crashes, %d reloads", len(crashes), reloaded)
	}
	after.compare(t, before)
}

// start puts a mixed load on the service.
func (r *record) start(addr string) (end func()) {
	body := bytes.Repeat([]byte("x"), 64<<10)
	ends := []func(){
		r.httpClients("keep-alive", load.Load{Addr: addr, Connections: 16, Pause: 5 * time.Millisecond}),
		r.httpClients("fresh", load.Load{Addr: addr, Connections: 4, PerConn: 1, Pause: 5 * time.Millisecond}),
		r.httpClients("late", load.Load{Addr: addr, Connections: 8, Pause: 5 * time.Millisecond, Request: []byte("GET /later HTTP/1.1\r\nHost: test\r\n\r\n")}),
		r.httpClients("large", load.Load{Addr: addr, Connections: 4, Pause: 10 * time.Millisecond,
			Request: fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%s", len(body), body)}),
		r.webSockets(addr, 16),
	}
	return func() {
		for _, end := range ends {
			end()
		}
	}
}

func reload(t *testing.T, s *exampletest.Service) {
	t.Helper()
	if out, code := s.Command("reload"); code != 0 {
		t.Errorf("reload: exit %d, %s", code, out)
	}
}

// kill ends a worker that has lived long enough to be replaced at once.
func kill(t *testing.T, s *exampletest.Service, nth int) crash {
	t.Helper()
	signals := []syscall.Signal{syscall.SIGKILL, syscall.SIGSEGV, syscall.SIGABRT}
	var victim control.WorkerStatus
	s.Eventually("a worker to kill", func() bool {
		workers := s.Status().Workers
		i := slices.IndexFunc(workers, func(w control.WorkerStatus) bool { return w.State == "ready" && w.AgeSeconds > 1.2 })
		if i >= 0 {
			victim = workers[i]
		}
		return i >= 0
	})
	c := crash{time.Now(), victim.PID}
	if err := syscall.Kill(victim.PID, signals[nth%len(signals)]); err != nil {
		t.Errorf("kill worker %d: %v", victim.PID, err)
	}
	s.Eventually("four workers again", func() bool {
		st := s.Status()
		return st.State == "running" && !slices.ContainsFunc(st.Workers, func(w control.WorkerStatus) bool { return w.PID == victim.PID })
	})
	return c
}

// holdings are what a service without clients holds.
type holdings struct {
	processes, goroutines, descriptors int   // of the master
	rss                                int64 // of the master
	workerDescriptors                  int   // of the worker that has most
	workerRSS                          int64 // of the worker that has most
}

func (h holdings) String() string {
	return fmt.Sprintf("%d processes; the master %d goroutines, %d descriptors, %.1f MiB; a worker at most %d descriptors, %.1f MiB",
		h.processes, h.goroutines, h.descriptors, float64(h.rss)/(1<<20), h.workerDescriptors, float64(h.workerRSS)/(1<<20))
}

// quiet waits until the old workers have gone, and counts.
func quiet(t *testing.T, s *exampletest.Service) (h holdings) {
	t.Helper()
	var st control.Status
	s.Eventually("only ready workers without connections", func() bool {
		st = s.Status()
		return len(st.Workers) == 4 && !slices.ContainsFunc(st.Workers, func(w control.WorkerStatus) bool {
			return w.State != "ready" || w.Connections == nil || *w.Connections > 0
		})
	})
	client := control.NewClient(s.RunDir())
	s.Eventually("as few descriptors of the master as there will be", func() bool { // the last commands' connections are closing
		text, err := client.Get(t.Context(), "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		last := h.descriptors
		h.goroutines, h.descriptors = metric(t, text, "jay_master_goroutines"), metric(t, text, "jay_master_open_descriptors")
		h.rss = int64(metric(t, text, "jay_master_rss_bytes"))
		return h.descriptors == last
	})
	h.processes = 1 + len(st.Workers)
	for _, w := range st.Workers {
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", w.PID))
		if err != nil {
			t.Fatal(err)
		}
		h.workerDescriptors = max(h.workerDescriptors, len(open))
		h.workerRSS = max(h.workerRSS, w.RSSBytes)
	}
	return h
}

func metric(t *testing.T, text []byte, name string) int {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("no metric %s in\n%s", name, text)
	}
	f, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return int(f)
}

// compare fails where something has grown. Memory may, by what a heap breathes;
// a worker is younger than the load, so what it holds depends on what came.
func (h holdings) compare(t *testing.T, before holdings) {
	t.Helper()
	const breath = 8 << 20
	if h.processes != before.processes || h.descriptors > before.descriptors || h.goroutines > before.goroutines+2 ||
		h.workerDescriptors > before.workerDescriptors {
		t.Errorf("more is held than before:\nbefore %v\nafter  %v", before, h)
	}
	if h.rss > before.rss*5/4+breath || h.workerRSS > before.workerRSS*3/2+breath {
		t.Errorf("memory has grown:\nbefore %v\nafter  %v", before, h)
	}
}
