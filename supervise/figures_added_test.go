//go:build linux

package supervise_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/supervise"
)

// figuresProgram counts the requests that it answers as hits_total. A request for
// /ill makes the part "database" unhealthy, /well takes that back.
func figuresProgram() supervise.Program {
	p := httpProgram()
	p.Run = func(ctx context.Context, w *supervise.Worker) error {
		hits := &supervise.Counter{Name: "hits_total", Help: "Requests that were answered."}
		players := &supervise.Gauge{Name: "players", Help: `Players \ at play.`}
		if err := w.Metrics(hits, players, &supervise.Gauge{Name: "unknown", Help: "It is not.", Func: func() float64 { return 1 / zero }}); err != nil {
			return err
		}
		players.Set(2.5)
		mux := http.NewServeMux()
		mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) { hits.Inc() })
		mux.HandleFunc("/ill", func(http.ResponseWriter, *http.Request) { w.Health("database", errors.New("connection\nrefused")) })
		mux.HandleFunc("/well", func(http.ResponseWriter, *http.Request) { w.Health("database", nil) })
		return supervise.DrainHTTP(ctx, w, &http.Server{Handler: mux})
	}
	return p
}

var zero float64

// metrics are the values of a figure, by its labels.
func (s *service) metrics(name string) (values map[string]float64) {
	s.t.Helper()
	text, err := control.NewClient(s.dir).Get(s.t.Context(), "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	values = map[string]float64{}
	for _, line := range regexp.MustCompile(`(?m)^`+name+`(\{.*\}) (.*)$`).FindAllStringSubmatch(string(text), -1) {
		if values[line[1]], err = strconv.ParseFloat(line[2], 64); err != nil {
			s.t.Fatal(err)
		}
	}
	return values
}

func sum(values map[string]float64) (sum float64) {
	for _, v := range values {
		sum += v
	}
	return sum
}

// TestAddedFigures: what a program adds is in status and metrics, and no counter
// falls when workers end, whatever ends them, nor through an upgrade.
func TestAddedFigures(t *testing.T) {
	t.Parallel()
	s := newService(t, "figures")
	s.install("good")
	s.start("--workers", "1")
	count := 0
	hit := func(n int) {
		for range n {
			if _, err := get(s.addr(), "/"); err != nil {
				t.Fatal(err)
			}
			count++
		}
	}
	settled := func(when string) {
		t.Helper()
		eventually(t, fmt.Sprintf("hits are %d %s", count, when), func() bool {
			st := s.status()
			total := st.Programs[0].Totals
			return s.metrics("hits_total")[`{program="http",slot="0"}`] == float64(count) && total.Metrics["hits_total"] == float64(count) &&
				total.Requests != nil && *total.Requests == int64(count) && s.metrics("jay_program_requests_total")[`{program="http"}`] == float64(count)
		})
	}
	hit(5)
	settled("with the first worker")
	w := s.status().Workers[0]
	if w.Metrics["hits_total"] != 5 || w.Metrics["players"] != 2.5 || len(w.Metrics) != 2 {
		t.Errorf("the worker has %v", w.Metrics)
	}
	if got := s.metrics("players")[fmt.Sprintf(`{program="http",slot="0",pid="%d"}`, w.PID)]; got != 2.5 {
		t.Errorf("players is %v", got)
	}
	text, _ := control.NewClient(s.dir).Get(t.Context(), "/metrics")
	if want := "# HELP players Players \\\\ at play.\n# TYPE players gauge\n"; !strings.Contains(string(text), want) {
		t.Errorf("metrics have no %q", want)
	}
	syscall.Kill(w.PID, syscall.SIGKILL)
	eventually(t, "another worker serves", func() bool { p := s.pids(); return len(p) == 1 && p[0] != w.PID && s.status().State == "running" })
	settled("after a crash")
	for i, command := range []string{"reload", "upgrade"} {
		hit(3)
		s.must(command) // at once: the old worker tells what it has counted when it ends
		eventually(t, "the old worker has gone", func() bool { return len(s.pids()) == 1 })
		settled("after " + command)
		if n := sum(s.metrics("hits_total")); n != float64(5+3*(i+1)) {
			t.Errorf("all hits are %v", n)
		}
	}
	s.must("scale", "http=2")
	s.must("scale", "http=1")
	settled("after two scales")
}

// TestCountersDoNotFall looks at them all the time while workers come and go.
func TestCountersDoNotFall(t *testing.T) {
	t.Parallel()
	s := newService(t, "figures")
	s.install("good")
	s.start("--workers", "2")
	addr := s.addr()
	stop, fell := make(chan struct{}), make(chan string, 1)
	go func() {
		last, most := 0.0, 0.0
		for {
			select {
			case <-stop:
				fell <- ""
				return
			default:
			}
			get(addr, "/")
			if last = sum(s.metrics("hits_total")); last < most {
				fell <- fmt.Sprintf("hits are %v and were %v", last, most)
				return
			}
			most = last
		}
	}()
	for _, command := range []string{"reload", "upgrade", "reload"} {
		s.must(command)
	}
	close(stop)
	if what := <-fell; what != "" {
		t.Error(what)
	}
}

// TestWorkerHealth: a worker that is not healthy is not ready for more clients, everybody
// is told why, and nothing is restarted.
func TestWorkerHealth(t *testing.T) {
	t.Parallel()
	s := newService(t, "figures", "COLUMNS=400").start("--workers", "1")
	client := control.NewClient(s.dir)
	pid := s.pids()[0]
	is := func(state string, code int) {
		t.Helper()
		eventually(t, "the service is "+state, func() bool { return s.status().State == state })
		if out, got := s.run("status"); got != code || strings.Contains(out, fmt.Sprintf("http/0 (pid %d): database: connection; refused", pid)) != (code != 0) {
			t.Errorf("status: exit %d: %s", got, out)
		}
		healthy := s.metrics("jay_worker_healthy")[fmt.Sprintf(`{program="http",slot="0",pid="%d"}`, pid)]
		if healthy != float64(1-code) {
			t.Errorf("jay_worker_healthy is %v", healthy)
		}
		body, err := client.Get(t.Context(), "/readyz")
		if (err == nil) != (code == 0) {
			t.Errorf("/readyz: %q, %v", body, err)
		}
	}
	is("running", 0)
	for range 2 {
		get(s.addr(), "/ill")
	}
	is("degraded", 1)
	if got := s.status().Workers[0].Unhealthy; got["database"] != "connection; refused" || len(got) != 1 {
		t.Errorf("unhealthy: %v", got)
	}
	if log := s.log(); strings.Count(log, `msg="worker is not healthy"`) != 1 || !strings.Contains(log, `part=database why="connection; refused"`) {
		t.Errorf("the log does not say once that the worker is not healthy")
	}
	get(s.addr(), "/well")
	is("running", 0)
	eventually(t, "the log says that it is well again", func() bool { return strings.Contains(s.log(), `msg="worker is healthy again"`) })
	if s.pids()[0] != pid {
		t.Error("the worker was replaced")
	}
	// The next one begins as healthy.
	get(s.addr(), "/ill")
	is("degraded", 1)
	s.must("reload")
	eventually(t, "the service is running", func() bool { return s.status().State == "running" })
}
