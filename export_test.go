package jay

import (
	"context"
	"log/slog"
	"net"
	"reflect"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/loop"
	"github.com/jay-go/jay/supervise"
)

// ServeOn serves on a listener of a test's own, with the goroutine backend, so
// that a test can run in virtual time.
func ServeOn(ctx context.Context, s *Server, ln net.Listener) error {
	return ServeAmong(ctx, s, ln, func() (int, int) { return 0, 1 })
}

// ServeAmong is ServeOn in a worker whose peers are made up.
func ServeAmong(ctx context.Context, s *Server, ln net.Listener, peers func() (connections, workers int)) error {
	return s.run(ctx, testHost(ln, peers, nil))
}

// ServeOvertaken is ServeOn with a source of drains that overtake the first.
func ServeOvertaken(ctx context.Context, s *Server, ln net.Listener, drains <-chan *supervise.Drain) error {
	return s.run(ctx, testHost(ln, func() (int, int) { return 0, 1 }, drains))
}

func testHost(ln net.Listener, peers func() (int, int), drains <-chan *supervise.Drain) host {
	return host{
		began:       func([]*Worker) {},
		incarnation: 7,
		backend:     "goroutine",
		logger:      slog.New(slog.DiscardHandler),
		listening: func() []listening {
			return []listening{{ln.Addr(), loop.ListenSocket{FD: -1, Listener: func() (net.Listener, error) { return ln, nil }}, supervise.Socket{}}}
		},
		ready:   func() error { return nil },
		metrics: new(supervise.Worker).Metrics,
		health:  func(string, error) {},
		report: func(supervise.Loop) (reporting, error) {
			return testReport{peers, drains}, nil
		},
	}
}

// testReport is that of a worker whose peers, and whose later drains, are made up.
type testReport struct {
	peers  func() (int, int)
	drains <-chan *supervise.Drain
}

func (testReport) Beat()            {}
func (testReport) Hung(string)      {}
func (testReport) Recovered()       {}
func (testReport) SetLoad(int)      {}
func (testReport) OnSockets(func()) {}
func (testReport) Unlisten()        {}
func (testReport) End()             {}

func (r testReport) PeerLoad() (int, int)               { return r.peers() }
func (r testReport) Overtaken() <-chan *supervise.Drain { return r.drains }

// FD returns the connection's descriptor, -1 where the backend has none.
func (c *Conn) FD() int { return c.stream.FD() }

// Unread is how many bytes the kernel has for the connection, where the backend
// can tell.
func (c *Conn) Unread() (n int, known bool) { return c.stream.Unread() }

// OnMove has fn told of every change of a connection's state, before what that
// entails.
func (w *Worker) OnMove(fn func(c *Conn, from, to string)) {
	w.moved = func(c *Conn, from, to state) { fn(c, from.String(), to.String()) }
}

// Move is what a bug of ours would do: a change of state out of order.
func (c *Conn) Move() { c.setState(stateOpening) }

// Strict says whether that panics.
const Strict = strict

// Report returns the figures that a supervised worker would report.
// Figures are those of a report, all of which a worker of ours knows.
type Figures struct {
	Connections, Accepted, Refused, Requests, BytesIn, BytesOut, SendFailures, AcceptErrors, Panics, Timers int64
}

func (w *Worker) Report() Figures {
	s := w.supervised()
	return Figures{
		*s.Connections, *s.Accepted, *s.Refused, *s.Requests, *s.BytesIn, *s.BytesOut, *s.SendFailures, *s.AcceptErrors, *s.Panics, *s.Timers,
	}
}

// DrainWithin is a context's cause that asks for a drain.
func DrainWithin(reason supervise.DrainReason, d time.Duration) *supervise.Drain {
	return &supervise.Drain{Reason: reason, Deadline: time.Now().Add(d)}
}

// Connections returns the page that a supervised worker would report.
func (w *Worker) Connections(q supervise.ConnectionQuery) []control.ConnectionInfo {
	return w.connections(q)
}

// Queue is the output of a connection, ChunkPool what the queues of a loop
// have their chunks from.
type (
	Queue     = queue
	ChunkPool = chunkPool
)

func (q *queue) Push(p *ChunkPool, b []byte)   { q.push(p, b) }
func (q *queue) Free(p *ChunkPool) []byte      { return q.free(p) }
func (q *queue) Share(p *ChunkPool, b []byte)  { q.share(p, b) }
func (q *queue) Advance(p *ChunkPool, n int)   { q.advance(p, n) }
func (q *queue) Drop(p *ChunkPool)             { q.drop(p) }
func (q *queue) Gather(bufs [][]byte) [][]byte { return q.gather(bufs) }
func (q *queue) Size() int                     { return q.size }

// Shared returns how many chunks with shared bytes further queues could have.
func (p *chunkPool) Shared() (n int) {
	for _, k := range p.common {
		if k != nil {
			n++
		}
	}
	return n
}

// Held is the memory that counts against the worker's budget.
func (w *Worker) Held() int { return w.pool.held + int(w.posted.Load()) }

// Reserve is the first half of Ref.Send, which may be a while ahead of the
// second: SendReserved.
func (r Ref) Reserve(p []byte) error      { return r.c.reserve(len(p)) }
func (r Ref) SendReserved(p []byte) error { return r.c.carry(p, writeCarried) }

func (p *chunkPool) Held() int { return p.held }

// Waiting returns how many contexts wait for the end of the worker.
func (w *Worker) Waiting() int {
	w.helpers.Wait() // nobody else looks at it then
	return reflect.ValueOf(w.life).Elem().FieldByName("children").Len()
}

// ResolveLoop is what --loop means to a program, Backend the one of a server's
// workers.
func (o *Options) ResolveLoop(requested string) (string, error) { return o.resolveLoop(requested) }
func (s *Server) Backend(resolved string) string                { return s.backend(resolved) }

// Program is what a master knows of the server.
func (s *Server) Program() supervise.Program { return s.program() }

// Inner is the loop below the public one.
func (w *Worker) Inner() *loop.Loop { return w.loop }
