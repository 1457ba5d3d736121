package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/exampletest"
	"github.com/jay-go/jay/internal/load"
)

// healthy is how long a worker has to live to be restarted at once.
const healthy = time.Second

// TestKillUnderLoad kills a worker every now and then while connections that
// stay and connections that come and go keep all workers busy.
func TestKillUnderLoad(t *testing.T) {
	t.Parallel()
	const staying, coming, kills = 16, 4, 5
	s := start(t, "faults", "--workers", "4")
	stay, come := follow(s.addr, staying), follow(s.addr, coming)
	come.load.PerConn = 1
	endStay, endCome := stay.load.Start(), come.load.Start()
	killed := map[int]bool{}
	for range kills {
		time.Sleep(healthy + 100*time.Millisecond)
		victim := s.workers()[0]
		killed[victim] = true
		syscall.Kill(victim, syscall.SIGKILL)
		s.wait("four workers again", func(st status, code int) bool { return code == 0 && !st.hasWorker(victim) })
	}
	stayed, came := endStay(), endCome()
	t.Attr("measured", fmt.Sprintf("%d of %d requests failed over %d kills", stayed.Failed()+came.Failed(),
		stayed.Counts[load.Answered]+came.Counts[load.Answered], kills))
	t.Logf("staying: %v\ncoming and going: %v", stayed, came)

	for _, f := range stay.failed {
		if f.worker != 0 && !killed[f.worker] {
			t.Errorf("worker %d, which was not killed, failed a request: %v", f.worker, f.Result)
		}
	}
	for _, tt := range []struct {
		kind        string
		report      load.Report
		connections int
	}{{"staying", stayed, staying}, {"coming and going", came, coming}} {
		if n := tt.report.Failed(); n > kills*tt.connections {
			t.Errorf("%s: %d requests failed, with %d connections at a time and %d kills", tt.kind, n, tt.connections, kills)
		}
		if n := tt.report.Other(load.Answered, load.Reset, load.EOFBefore, load.KeepAliveRace, load.Cut); n > 0 {
			t.Errorf("%s: %d failures that a kill does not explain: %v", tt.kind, n, tt.report)
		}
	}
	if st, _ := s.status(); st.Programs[0].Restarts != kills || !strings.HasPrefix(st.Programs[0].LastExit, "signal: killed") {
		t.Errorf("restarts %d, last exit %q; want %d, signal: killed", st.Programs[0].Restarts, st.Programs[0].LastExit, kills)
	}
}

// followed is a load that knows which worker each client talks to.
type followed struct {
	load    load.Load
	mu      sync.Mutex
	workers []int    // by client, 0 unknown; guarded by mu
	failed  []failed // guarded by mu
}

type failed struct {
	load.Result
	worker int // that had served the connection; 0: none yet
}

func follow(addr string, connections int) *followed {
	f := &followed{workers: make([]int, connections)}
	f.load = load.Load{Addr: addr, Connections: connections, Pause: 3 * time.Millisecond, Observe: f.observe}
	return f
}

func (f *followed) observe(r load.Result) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Ordinal == 0 {
		f.workers[r.Client] = 0
	}
	if r.Outcome == load.Answered {
		fmt.Sscanf(string(r.Body), "ok %d", &f.workers[r.Client])
		return
	}
	f.failed = append(f.failed, failed{r, f.workers[r.Client]})
}

// TestKillLosesNothingQueued: connections that no worker has accepted yet are
// served by the next one.
func TestKillLosesNothingQueued(t *testing.T) {
	t.Parallel()
	s := start(t, "faults", "--workers", "1")
	worker := s.workers()[0]
	time.Sleep(healthy)
	exampletest.Suspend(t, worker)
	var queued []*peer
	for range 100 {
		p := dial(t, s.addr)
		p.send(get("/"))
		queued = append(queued, p)
	}
	syscall.Kill(worker, syscall.SIGKILL)
	for i, p := range queued {
		if got := workerOf(t, p.receive()); got == worker {
			t.Errorf("connection %d was answered by worker %d, which was stopped and killed", i, got)
		}
	}
}

// TestReplacementTime measures from the kill of the only worker to the first
// answer of its replacement: 20 times, in turns over services, since a worker
// has to live a while before it is restarted at once.
func TestReplacementTime(t *testing.T) {
	const services, rounds = 10, 2
	goal := 100 * time.Millisecond
	const limit = 5 * time.Second // a busy machine
	var all []*service
	for range services {
		all = append(all, start(t, "faults", "--workers", "1"))
	}
	var took []time.Duration
	for range rounds {
		time.Sleep(healthy)
		for _, s := range all {
			worker := s.workers()[0]
			began := time.Now()
			syscall.Kill(worker, syscall.SIGKILL)
			if got := s.firstAnswer(worker); got == worker {
				t.Errorf("worker %d answers, which was killed", got)
			}
			took = append(took, time.Since(began))
		}
	}
	slices.Sort(took)
	median := took[len(took)/2]
	t.Attr("measured", fmt.Sprintf("replacement serving after %v (median of %d)", median.Round(time.Millisecond/10), len(took)))
	t.Logf("replacement serving after %v (median of %d; %v to %v); the goal is %v", median, len(took), took[0], took[len(took)-1], goal)
	if median > limit {
		t.Errorf("replacement serving after %v (median), want at most %v", median, limit)
	}
}

// firstAnswer asks on fresh connections until a worker answers that is not
// the dying one: a connection that the dying one still accepts is lost.
func (s *service) firstAnswer(dying int) int {
	s.t.Helper()
	found := make(chan int, 1)
	l := load.Load{Addr: s.addr, PerConn: 1, Observe: func(r load.Result) {
		var pid int
		if fmt.Sscanf(string(r.Body), "ok %d", &pid); pid != 0 && pid != dying && len(found) == 0 {
			found <- pid
		}
	}}
	end := l.Start()
	defer end()
	select {
	case pid := <-found:
		return pid
	case <-time.After(patience):
		s.t.Fatalf("no worker but the killed %d has answered", dying)
		return 0
	}
}
