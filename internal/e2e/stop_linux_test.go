package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/load"
)

// TestStopUnderLoad stops a busy service. Whatever a worker has begun to read
// is answered; only connections on which nothing of a request had arrived are
// closed without an answer.
func TestStopUnderLoad(t *testing.T) {
	t.Parallel()
	s := start(t, "faults", "--workers", "2")
	var slow, halfway []*peer
	for range 8 {
		for _, list := range []*[]*peer{&slow, &halfway} {
			p := dial(t, s.addr)
			p.pid() // a worker has it
			*list = append(*list, p)
		}
	}
	idle := onePerWorker(s, 2)
	stay := load.Load{Addr: s.addr, Connections: 16, Pause: time.Millisecond}
	come := load.Load{Addr: s.addr, Connections: 4, PerConn: 1, Pause: time.Millisecond}
	endStay, endCome := stay.Start(), come.Start()
	s.wait("both workers are busy", func(st status, _ int) bool { return sumRequests(st) > 200 })
	for i := range slow {
		halfway[i].send("GET /half HTTP/1.1\r\nHo")
		slow[i].send(get("/slow?ms=4000"))
	}
	for _, p := range idle { // what was sent to its worker before has been read
		p.pid()
	}

	stopped := make(chan int, 1)
	go func() {
		_, code := s.command("stop")
		stopped <- code
	}()
	for _, p := range idle { // then each worker has begun to drain
		if rest, err := p.rest(); rest != "" || err != nil {
			t.Errorf("an idle connection got %q, %v; want an orderly close", rest, err)
		}
	}
	for i, p := range halfway {
		p.send("st: test\r\n\r\n")
		if got, err := p.rest(); err != nil || !announced(got) {
			t.Errorf("half a request was sent before stop, the rest after it: connection %d got %q, %v; want 200 with Connection: close", i, got, err)
		}
	}
	stayed, came := endStay(), endCome() // no worker accepts any more
	for i, p := range slow {
		if got, err := p.rest(); err != nil || !announced(got) {
			t.Errorf("the answer was under way when stop came: connection %d got %q, %v; want 200 with Connection: close", i, got, err)
		}
	}
	t.Logf("staying: %v\ncoming and going: %v", stayed, came)
	if n := stayed.Other(load.Answered, load.KeepAliveRace, load.ConnectFail, load.EOFBefore, load.Reset); n > 0 {
		t.Errorf("%d answers were cut: %v", n, stayed)
	}
	if n := came.Other(load.Answered, load.ConnectFail, load.EOFBefore, load.Reset); n > 0 {
		t.Errorf("%d answers were cut: %v", n, came)
	}
	if code := <-stopped; code != 0 {
		t.Errorf("stop: exit %d", code)
	}
	if code := s.waitExit(); code != 0 {
		t.Errorf("the stopped master exited with %d", code)
	}
}

// onePerWorker returns connections to so many different workers.
func onePerWorker(s *service, workers int) map[int]*peer {
	s.t.Helper()
	found := map[int]*peer{}
	eventually(s.t, "a connection to each worker", func() bool {
		p := dial(s.t, s.addr)
		found[p.pid()] = p
		return len(found) == workers
	})
	return found
}

func announced(answer string) bool {
	return strings.HasPrefix(answer, "HTTP/1.1 200 ") && strings.Contains(answer, "\r\nConnection: close\r\n") &&
		strings.Contains(answer, "ok ")
}

func sumRequests(st status) (n int) {
	for _, w := range st.Workers {
		n += w.Requests
	}
	return n
}

// TestStopSendsEveryAnswer counts in the server what the clients count: no
// request that a handler has seen goes without its answer.
func TestStopSendsEveryAnswer(t *testing.T) {
	t.Parallel()
	s := startOwn(t, "counting")
	stay := load.Load{Addr: s.addr, Connections: 32}
	end := stay.Start()
	s.wait("the clients are served", func(st status, _ int) bool { return sumRequests(st) > 100 })
	if out, code := s.command("stop"); code != 0 {
		t.Errorf("stop: exit %d\n%s", code, out)
	}
	report := end()
	s.waitExit()
	handled, workers := s.handled()
	if answered := report.Counts[load.Answered]; handled != answered || answered == 0 || workers != 2 {
		t.Errorf("%d workers handled %d requests, the clients got %d answers: %v", workers, handled, answered, report)
	}
}
