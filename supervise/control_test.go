//go:build linux

package supervise_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/exampletest"
)

func (s *service) client() *control.Client { return control.NewClient(s.dir) }

// rawGet asks the control socket as a program does that knows nothing of
// upgrades: once.
func (s *service) rawGet(path string) (status int, err error) {
	c, err := net.Dial("unix", filepath.Join(s.dir, "control.sock"))
	if err != nil {
		return 0, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte("GET " + path + " HTTP/1.1\r\nHost: jay\r\nConnection: close\r\n\r\n")); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return resp.StatusCode, json.NewDecoder(resp.Body).Decode(&struct{}{})
}

// TestUnknownQuestions: what the API does not know is refused as JSON, with the
// reason, like everything else that it refuses.
func TestUnknownQuestions(t *testing.T) {
	t.Parallel()
	s := newService(t, "http").start()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(s.dir, "control.sock"))
	}, DisableKeepAlives: true}, Timeout: patience}
	for _, tt := range []struct {
		method, path string
		code         int
		says         string
	}{
		{"GET", "/", 404, "GET / is not known"},
		{"GET", "/v1/state", 404, "GET /v1/state is not known"},
		{"GET", "/v1/operations/none", 404, "operation"},
		{"GET", "/v1/reload", 405, "the method is POST"},
		{"PUT", "/v1/reload", 405, "the method is POST"},
		{"POST", "/v1/status", 405, "the method is GET"},
		{"DELETE", "/v1/operations/1", 405, "the method is GET"},
		{"GET", "/v1/connections?limit=0", 400, "limit"},
		{"POST", "/v1/scale", 400, "no program is called"},
	} {
		req, err := http.NewRequest(tt.method, "http://jay"+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var body struct {
			Error string `json:"error"`
		}
		err = json.NewDecoder(resp.Body).Decode(&body)
		resp.Body.Close()
		if resp.StatusCode != tt.code || err != nil || !strings.Contains(body.Error, tt.says) {
			t.Errorf("%s %s: %d, %q, %v; want %d, %q", tt.method, tt.path, resp.StatusCode, body.Error, err, tt.code, tt.says)
		}
	}
}

// TestControlAnswersThroughUpgrades: whoever asks while the master is replaced
// is answered, by the old one or by the new one.
func TestControlAnswersThroughUpgrades(t *testing.T) {
	t.Parallel()
	s := newService(t, "http").start()
	stop := make(chan struct{})
	var askers sync.WaitGroup
	asked := make([]int, 4)
	for i := range asked {
		askers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if code, err := s.rawGet("/v1/status"); err != nil || code != http.StatusOK {
					t.Errorf("question %d: status %d, %v", asked[i], code, err)
					return
				}
				asked[i]++
			}
		})
	}
	for range 8 {
		s.must("upgrade")
	}
	close(stop)
	askers.Wait()
	for _, n := range asked {
		if n < 8 {
			t.Errorf("only %v questions were asked", asked)
			break
		}
	}
}

// TestEvents: a client hears of a crash and of a reload, and goes on hearing
// of it after it has come again to another master.
func TestEvents(t *testing.T) {
	t.Parallel()
	s := newService(t, "http").start()
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience) // for all of it
	defer cancel()
	listen := func() *bufio.Scanner {
		t.Helper()
		body, err := s.client().Stream(ctx, "/v1/events")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { body.Close() })
		return bufio.NewScanner(body)
	}
	lines := listen()
	// next skips to an event of the name whose data has the words.
	next := func(name string, words ...string) {
		t.Helper()
		for lines.Scan() {
			if lines.Text() != "event: "+name {
				continue
			}
			lines.Scan()
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			if !ok || !json.Valid([]byte(data)) {
				t.Fatalf("data of %s: %q", name, lines.Text())
			}
			all := true
			for _, word := range words {
				all = all && strings.Contains(data, word)
			}
			if all {
				return
			}
		}
		t.Fatalf("no event %s with %q: %v", name, words, lines.Err())
	}
	next("state", `"running"`, `"generation":1`)
	syscall.Kill(s.pids()[0], syscall.SIGKILL)
	next("worker-exit", `"program":"http"`, "signal: killed")
	next("state", `"degraded"`)
	next("worker-ready", `"generation":1`)
	next("state", `"running"`)
	s.must("reload")
	next("reload-done", `"generation":2`)
	s.must("upgrade")
	for lines.Scan() { // the stream ends with the master that sent it
	}
	lines = listen()
	next("state", `"generation":3`)
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := newService(t, "http").start()
	b, err := s.client().Get(t.Context(), "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, want := range []string{
		"jay_info{version=\"test\",loop=\"\"} 1\n", "jay_generation 1\n", "jay_state{state=\"running\"} 1\n", "jay_state{state=\"degraded\"} 0\n",
		"jay_program_workers_ready{program=\"http\"} 2\n", "# TYPE jay_program_restarts_total counter\n",
		"jay_program_limit{program=\"http\",limit=\"stop_timeout_s\"} 5\n", "jay_worker_rss_bytes{program=\"http\",slot=\"1\",",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics lack %q", want)
		}
	}
	sample := regexp.MustCompile(`^[a-z_][a-z0-9_]*(\{([a-z]+="[^"\n]*",?)*\})? [-+0-9.e]+$`)
	seen := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if !strings.HasPrefix(line, "# ") && !sample.MatchString(line) || seen[line] {
			t.Errorf("not a line of the format, or there twice: %q", line)
		}
		seen[line] = true
	}
}

// TestHealth: the master lives though nothing serves.
func TestHealth(t *testing.T) {
	t.Parallel()
	s := newService(t, "crash", "CRASH=exit")
	s.launch()
	eventually(t, "the control API answers", func() bool { _, err := s.client().Get(t.Context(), "/healthz"); return err == nil })
	if _, err := s.client().Get(t.Context(), "/readyz"); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("readyz of what does not serve: %v", err)
	}
	good := newService(t, "http").start()
	if b, err := good.client().Get(t.Context(), "/readyz"); err != nil || string(b) != "running\n" {
		t.Errorf("readyz: %q, %v", b, err)
	}
}

// TestLogsFollow: logs -f goes on through an upgrade and ends with the service.
func TestLogsFollow(t *testing.T) {
	t.Parallel()
	s := newService(t, "http").start()
	follow := s.command("logs", "-f")
	out := &exampletest.Output{}
	follow.Stdout, follow.Stderr = out, out
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- follow.Wait() }()
	eventually(t, "the earlier lines", func() bool { return strings.Contains(out.String(), "worker ready") })
	s.must("upgrade")
	eventually(t, "lines of the new master", func() bool { return strings.Contains(out.String(), `msg="upgrade done"`) })
	s.must("stop")
	if err := <-ended; err != nil {
		t.Errorf("logs -f: %v: %s", err, out)
	}
}

// TestReopenLogs: after a rotation by somebody else lines go to the new file,
// and none is lost meanwhile.
func TestReopenLogs(t *testing.T) {
	t.Parallel()
	s := newService(t, "http")
	file := filepath.Join(s.bin, "log")
	s.start("--log-file", file)
	if err := os.Rename(file, file+".old"); err != nil {
		t.Fatal(err)
	}
	s.must("reopen-logs")
	s.must("reload")
	eventually(t, "the new log has the reload", func() bool {
		b, _ := os.ReadFile(file)
		return strings.Contains(string(b), `msg="reload done"`)
	})
}

// TestStatusAtAnExit: a status that is being put together while a worker dies
// counts no worker as ready that it does not show.
func TestStatusAtAnExit(t *testing.T) {
	t.Parallel()
	s := newService(t, "http").start()
	for range 5 {
		worker := s.pids()[0]
		exampletest.Suspend(t, worker) // so that the question waits for it
		asked := time.Now()
		time.AfterFunc(30*time.Millisecond, func() { syscall.Kill(worker, syscall.SIGKILL) })
		st, err := s.client().Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		rows := 0
		for _, w := range st.Workers {
			if w.State == "ready" || w.State == "silent" {
				rows++
			}
		}
		if rows != st.Programs[0].Ready {
			t.Errorf("after %v: %d workers are ready, and %d are shown: %+v", time.Since(asked), st.Programs[0].Ready, rows, st.Workers)
		}
		eventually(t, "two workers again", func() bool { st := s.status(); return st.Programs[0].Ready == 2 && len(s.pids()) == 2 })
	}
}

// TestSignalsOfADaemon: TTIN and TTOU are a worker more and one fewer each,
// however fast they come; WINCH takes the workers away, but neither the master
// nor what clients send meanwhile.
func TestSignalsOfADaemon(t *testing.T) {
	t.Parallel()
	s := newService(t, "http")
	s.must("start", "-d")
	send := func(sig syscall.Signal) {
		t.Helper()
		if err := syscall.Kill(s.status().PID, sig); err != nil {
			t.Fatal(err)
		}
	}
	want := func(n int) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d workers", n), func() bool {
			st := s.status()
			return len(s.pids()) == n && (n == 0 || st.State == "running")
		})
	}
	want(2)
	send(syscall.SIGHUP)
	send(syscall.SIGHUP)  // this one waits, or the kernel makes one of both
	send(syscall.SIGTTIN) // and this one waits behind it
	for n := 3; n < 7; n++ {
		want(n)
		send(syscall.SIGTTIN) // not before: equal signals that come together are one
	}
	want(7)
	s.must("upgrade")
	for n := 6; n >= 3; n-- {
		send(syscall.SIGTTOU)
		want(n)
	}
	addr := s.addr()
	send(syscall.SIGWINCH)
	want(0)
	answer := make(chan error, 1)
	go func() {
		_, err := get(addr, "/")
		answer <- err
	}()
	eventually(t, "a client waits", func() bool { return s.status().Programs[0].Queued == 1 })
	send(syscall.SIGHUP)
	want(3)
	if err := <-answer; err != nil {
		t.Errorf("the client that waited: %v", err)
	}
}
