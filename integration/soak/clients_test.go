package soak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	coder "github.com/coder/websocket"

	"github.com/jay-go/jay/internal/load"
)

// A failure is a request or message that was not answered.
type failure struct {
	kind       string // of client
	worker     int    // whose connection it was; 0: of a worker that had not answered on it yet
	begin, end time.Time
	what       string
}

func (f failure) String() string {
	return fmt.Sprintf("%s, worker %d, %v to %v: %s", f.kind, f.worker, f.begin.Format("15:04:05.000"), f.end.Format("05.000"), f.what)
}

// record is what the clients tell. Any goroutine may tell.
type record struct {
	mu       sync.Mutex
	answered map[string]int // by kind; guarded by mu
	sentAway int            // WebSocket connections that the server has closed with 1001; guarded by mu
	failures []failure      // guarded by mu
}

func (r *record) ok(kind string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answered[kind]++
}

func (r *record) failed(f failure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, f)
}

// httpClients keeps n connections busy; the result ends them.
func (r *record) httpClients(kind string, l load.Load) (end func()) {
	workers := make([]int, l.Connections) // each belongs to the goroutine of its client
	l.Observe = func(one load.Result) {
		if one.Ordinal == 0 {
			workers[one.Client] = 0
		}
		if one.Outcome == load.Answered {
			fmt.Sscan(string(one.Body[:min(len(one.Body), 10)]), &workers[one.Client])
			r.ok(kind)
			return
		}
		r.failed(failure{kind, workers[one.Client], one.Start, one.Start.Add(one.Took), fmt.Sprintf("%v: %v", one.Outcome, one.Err)})
	}
	stop := l.Start()
	return func() { stop() }
}

// webSockets keeps n WebSocket connections busy, each with one message on its
// way at a time.
func (r *record) webSockets(addr string, n int) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	for range n {
		clients.Go(func() {
			for ctx.Err() == nil {
				r.webSocket(ctx, addr)
			}
		})
	}
	return func() {
		cancel()
		clients.Wait()
	}
}

// webSocket is one connection, from its handshake to its end.
func (r *record) webSocket(ctx context.Context, addr string) {
	const kind = "websocket"
	worker, begin := 0, time.Now()
	fail := func(what string, err error) {
		if ctx.Err() == nil {
			r.failed(failure{kind, worker, begin, time.Now(), fmt.Sprintf("%s: %v", what, err)})
			time.Sleep(5 * time.Millisecond) // where nobody listens, it does not spin
		}
	}
	c, _, err := coder.Dial(ctx, "ws://"+addr+"/ws", &coder.DialOptions{CompressionMode: coder.CompressionNoContextTakeover, CompressionThreshold: 1})
	if err != nil {
		fail("handshake", err)
		return
	}
	defer c.CloseNow()
	sizes := []int{10, 1000, 30_000}
	for i := 0; ctx.Err() == nil; i++ {
		message := bytes.Repeat([]byte("soak "), sizes[i%len(sizes)]/5)
		begin = time.Now()
		if err = c.Write(ctx, coder.MessageText, message); err != nil {
			break
		}
		var answer []byte
		if _, answer, err = c.Read(ctx); err != nil {
			break
		}
		if fmt.Sscan(string(answer[:min(len(answer), 10)]), &worker); !bytes.HasSuffix(answer, message) {
			fail("echo", fmt.Errorf("%d bytes, which do not end with the %d that were sent", len(answer), len(message)))
		}
		r.ok(kind)
		time.Sleep(5 * time.Millisecond)
	}
	if errors.As(err, new(coder.CloseError)) && coder.CloseStatus(err) == coder.StatusGoingAway {
		r.mu.Lock()
		r.sentAway++
		r.mu.Unlock()
		return
	}
	fail("message", err)
}

// A crash is a worker that was killed.
type crash struct {
	at     time.Time
	worker int
}

// unexplained are the failures that no crash explains: a crash costs what was
// on its way on the connections of its worker, and on those that it had just
// been given.
func (r *record) unexplained(crashes []crash) (list []failure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.failures {
		if !slices.ContainsFunc(crashes, func(c crash) bool {
			const dying = time.Second // until the last descriptor of the process is closed, on a busy machine
			return (f.worker == c.worker || f.worker == 0) && f.begin.Before(c.at.Add(dying)) && f.end.After(c.at)
		}) {
			list = append(list, f)
		}
	}
	return list
}
