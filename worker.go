package jay

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jay-go/jay/internal/loop"
	"github.com/jay-go/jay/supervise"
)

// Worker is a server at work in this process: one loop and its connections. A
// process has Server.Loops of them, whose callbacks run at the same time; those of
// one Worker never do. Its methods belong to the loop, except where they say
// otherwise.
type Worker struct {
	proc   *process
	index  int // among those of the process
	server *Server
	host   host
	report reporting
	loop   *loop.Loop
	name   string

	acceptors []*acceptor // of the server's addresses
	own       []*Listener // beside them
	listening int         // loop's listeners from which connections may still come
	finishing int         // connections that have ended while the loop had bytes of them
	resting   bool        // PauseAccept
	conns     Conn        // head of the circular list of live connections
	live      int         // its length
	taken     int         // how many of them were accepted, and not refused
	due       []*Conn     // connections to settle
	settled   int         // how many of due were settled
	nextID    uint64
	idStep    uint64 // the loops of a process take turns
	drain     *supervise.Drain
	detached  map[*Conn]func(net.Conn, []byte, error)
	waiting   map[*Conn]*Conn // by an end of a Pipe that is full: the one that has to wait
	starting  bool            // OnWorkerStart is running
	started   bool            // and was called
	startErr  error           // why it did not start
	emptying  bool            // the accept queue is being emptied before the drain
	aborted   bool            // the drain's deadline has passed
	drained   chan struct{}   // closed when no connection is left
	stats     counters
	life      context.Context // done when the worker ends
	die       context.CancelFunc
	refusing  int // connections that are being refused
	faults    [len(faultKinds)]faultLog
	helpers   sync.WaitGroup // goroutines of help

	current atomic.Pointer[Conn] // whose callback is running; the watchdog reads it

	// The server's limits, and what is used of them.
	maxConns, maxBuffered int
	posted                atomic.Int64 // memory of what Refs have posted
	spent                 atomic.Int64 // pool.held when the last turn ended, for Refs

	pool     chunkPool
	trimming bool     // a timer will trim the pool
	lent     *chunk   // what the present call of Handler.Data reads
	bufs     [][]byte // scratch of flush
	plain    []byte   // scratch of Layer.Decode
	wire     []byte   // scratch of Layer.Encode
	file     []byte   // scratch of fillFile

	behind map[*Conn]*behind // of those with flagFiles

	moved func(c *Conn, from, to state) // told of every change, if set: for tests
}

// Name returns the server's name.
func (w *Worker) Name() string { return w.name }

// Slot returns the place of the worker's process among those of the server, from 0.
func (w *Worker) Slot() int { return w.host.slot }

// Index returns the worker's place among those of its process, from 0.
func (w *Worker) Index() int { return w.index }

// Logger returns the log of this worker. Any goroutine may call it.
func (w *Worker) Logger() *slog.Logger { return w.host.logger }

// Health says how a part of the worker is, so that status, the log and /readyz
// tell: see [supervise.Worker.Health]. Any goroutine may call it.
func (w *Worker) Health(part string, err error) { w.host.health(part, err) }

// Metrics adds figures to status and /metrics: see [supervise.Worker.Metrics].
// Workers of one process have them in common, so that OnWorkerStart of each
// may add the same ones. Any goroutine may call it.
func (w *Worker) Metrics(list ...supervise.Metric) error { return w.host.metrics(list...) }

// Len returns the number of live connections.
func (w *Worker) Len() int { return w.live }

// Conns calls yield for each live connection until it returns false. Meanwhile
// connections may be closed.
func (w *Worker) Conns(yield func(c *Conn) bool) {
	for c := w.conns.next; c != &w.conns; {
		next := c.next
		if !c.over() && !yield(c) {
			return
		}
		c = next
	}
}

func (w *Worker) add(c *Conn) {
	head := &w.conns
	c.prev, c.next = head.prev, head
	head.prev.next, head.prev = c, c
	w.live++
	switch c.via.entry {
	case refused:
		w.refusing++
	case accepted:
		w.taken++
		w.report.SetLoad(w.taken)
	}
}

// remove leaves c's own links to finish, for an iteration that stands on it.
func (w *Worker) remove(c *Conn) {
	c.prev.next, c.next.prev = c.next, c.prev
	w.live--
	switch c.via.entry {
	case refused:
		w.refusing--
	case accepted:
		w.proc.givePlace()
		w.taken--
		w.report.SetLoad(w.taken)
	}
}

// enter and leave frame every callback of a connection, so that a panic in it
// has an owner.
func (w *Worker) enter(c *Conn) { w.current.Store(c) }
func (w *Worker) leave()        { w.current.Store(nil) }

// help runs fn on a goroutine that the worker's end waits for. It reports false
// when the worker has ended.
func (w *Worker) help(fn func()) bool {
	if w.life.Err() != nil {
		return false
	}
	w.helpers.Go(fn)
	return true
}

// since returns the time from a tick to now.
func (w *Worker) since(tick uint32) time.Duration {
	return time.Duration(w.loop.TickNow()-tick) * loop.Tick
}

// tickIn returns the tick by which d has passed, 0 when d is none.
func (w *Worker) tickIn(d time.Duration) uint32 {
	if d == none {
		return 0
	}
	return w.loop.TickIn(d)
}
