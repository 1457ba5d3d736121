// Package load is an HTTP client for tests: it keeps connections busy and
// says of every request how it went, in words that tell faults apart. What
// net/http's client hides by retrying is what it is there to show.
package load

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Outcome is how a request ended.
type Outcome int

const (
	Answered      Outcome = iota // with the expected response, complete
	ConnectFail                  // no connection came about
	Reset                        // reset before the first byte of the response, on a fresh connection
	EOFBefore                    // closed before the first byte of the response, on a fresh connection
	Cut                          // closed or reset within the response
	Timeout                      // nothing wrong but the time it took
	KeepAliveRace                // a connection that has served before was closed or reset before the first byte of the response
	Wrong                        // complete, but not the expected response
	outcomes
)

func (o Outcome) String() string {
	return [...]string{"answered", "connect_fail", "reset", "eof_before", "cut", "timeout", "keepalive_race", "wrong"}[o]
}

// A Load is what is put on a server. Addr is needed; zero fields have the
// default that their comment names.
type Load struct {
	Network string // "tcp"
	Addr    string

	Connections int           // in parallel; 1
	PerConn     int           // requests on a connection before the client closes it; 0 means no limit
	Pause       time.Duration // between two requests of a connection
	Timeout     time.Duration // of connecting, and of each request; 30 s

	Request []byte             // "GET / HTTP/1.1" with a Host field
	Check   func(Result) error // of complete responses; the default wants status 200

	// Observe is called with each result, from the goroutine of its client.
	Observe func(Result)
}

// A Result is one request.
type Result struct {
	Client  int // 0 to Connections-1
	Ordinal int // of the request on its connection; 0 is the first
	Outcome Outcome
	Err     error // why it was not answered

	Status int
	Body   []byte
	Close  bool // the response announced that the connection closes

	Start time.Time
	Took  time.Duration
}

func (r Result) String() string {
	return fmt.Sprintf("client %d, request %d of its connection, after %v: %v: %v", r.Client, r.Ordinal, r.Took, r.Outcome, r.Err)
}

// A Report sums up a run.
type Report struct {
	Counts   [outcomes]int
	Failures []Result // the first hundred
	Slowest  time.Duration
}

// Failed is the number of requests that were not answered.
func (r Report) Failed() int { return r.total() - r.Counts[Answered] }

func (r Report) total() (n int) {
	for _, c := range r.Counts {
		n += c
	}
	return n
}

// String has the counts and the first failures, a line each.
func (r Report) String() string {
	var b strings.Builder
	for o, n := range r.Counts {
		if n > 0 {
			fmt.Fprintf(&b, "%v %d, ", Outcome(o), n)
		}
	}
	fmt.Fprintf(&b, "slowest %v", r.Slowest)
	for _, f := range r.Failures[:min(len(r.Failures), 10)] {
		fmt.Fprintf(&b, "\n  %v", f)
	}
	return b.String()
}

// Run loads the server until ctx is done; a request under way is finished. It
// returns when all clients have ended.
func (l *Load) Run(ctx context.Context) Report {
	var (
		clients sync.WaitGroup
		mu      sync.Mutex
		report  Report // guarded by mu
	)
	for i := range max(l.Connections, 1) {
		clients.Go(func() {
			c := &client{load: l, index: i}
			defer c.hangUp()
			for ctx.Err() == nil {
				r := c.do()
				mu.Lock()
				report.add(r)
				mu.Unlock()
				if l.Observe != nil {
					l.Observe(r)
				}
				pause(ctx, l.pauseAfter(r))
			}
		})
	}
	clients.Wait()
	return report
}

// Start runs the load beside the caller until end is called, which returns
// the report.
func (l *Load) Start() (end func() Report) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan Report, 1)
	go func() { done <- l.Run(ctx) }()
	return sync.OnceValue(func() Report {
		cancel()
		return <-done
	})
}

// retryPause keeps a client from spinning where nobody listens.
const retryPause = 5 * time.Millisecond

func (l *Load) pauseAfter(r Result) time.Duration {
	if r.Outcome != Answered {
		return max(l.Pause, retryPause)
	}
	return l.Pause
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (r *Report) add(one Result) {
	r.Counts[one.Outcome]++
	r.Slowest = max(r.Slowest, one.Took)
	if one.Outcome != Answered && len(r.Failures) < 100 {
		r.Failures = append(r.Failures, one)
	}
}

func (l *Load) network() string {
	if l.Network == "" {
		return "tcp"
	}
	return l.Network
}

func (l *Load) timeout() time.Duration {
	if l.Timeout == 0 {
		return 30 * time.Second
	}
	return l.Timeout
}

func (l *Load) request() []byte {
	if l.Request == nil {
		return []byte("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
	}
	return l.Request
}

func (l *Load) check(r Result) error {
	switch {
	case l.Check != nil:
		return l.Check(r)
	case r.Status != 200:
		return fmt.Errorf("status %d, want 200; body %.80q", r.Status, bytes.TrimSpace(r.Body))
	}
	return nil
}

// Other is the number of requests with an outcome other than those allowed.
func (r Report) Other(allowed ...Outcome) (n int) {
	for o, c := range r.Counts {
		if !slices.Contains(allowed, Outcome(o)) {
			n += c
		}
	}
	return n
}
