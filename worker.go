package jay

import (
	"context"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jay-go/jay/loop"
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
	drain     *Drain
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
	refusing  int            // connections that are being refused
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

// Loop returns the loop, for timers and watched descriptors.
func (w *Worker) Loop() *loop.Loop { return w.loop }

// Logger returns the log of this worker. Any goroutine may call it.
func (w *Worker) Logger() *slog.Logger { return w.host.logger }

// Health says how a part of the worker is, so that status, the log and /readyz
// tell: see [supervise.Worker.Health]. Any goroutine may call it.
func (w *Worker) Health(part string, err error) { w.host.health(part, err) }

// Metrics adds figures to status and /metrics: see [supervise.Worker.Metrics].
// Workers of one process have them in common, so that OnWorkerStart of each
// may add the same ones. Any goroutine may call it.
func (w *Worker) Metrics(list ...supervise.Metric) error { return w.host.metrics(list...) }

// Counter and Gauge are figures that a program adds by Worker.Metrics.
type (
	Counter = supervise.Counter
	Gauge   = supervise.Gauge
)

// Post runs fn on the loop. Any goroutine may call it. It returns ErrBusy when
// too many funcs wait for the loop already, and ErrStopped once that has ended.
func (w *Worker) Post(fn func()) error {
	switch w.loop.Post(fn) {
	case nil:
		return nil
	case loop.ErrBusy:
		return ErrBusy
	}
	return ErrStopped
}

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

// list puts c at the end of those to settle.
func (w *Worker) list(c *Conn) { w.due = append(w.due, c) }

// unlist takes c off the list again if it was listed last.
func (w *Worker) unlist(c *Conn) {
	if last := len(w.due) - 1; c.has(flagListed) && w.due[last] == c {
		c.flags &^= flagListed
		w.due[last] = nil
		w.due = w.due[:last]
	}
}

// turnEnd settles the connections that were listed before it began. What they
// list meanwhile waits for the next turn, which follows without a pause.
func (w *Worker) turnEnd() (more bool) {
	for last := len(w.due); w.settled < last; {
		batch := w.due[w.settled:min(w.settled+settleBatch, last)]
		look(batch)
		for _, c := range batch {
			w.settled++
			c.flags &^= flagListed
			if c.flags&flagsSettle == 0 && c.layer == nil {
				c.flush()
				if c.flags&flagDrainDue == 0 && !c.over() {
					continue // no callback is due: nobody needs to know whose it is
				}
				w.enter(c)
				c.flushed()
			} else {
				w.enter(c)
				c.settle()
			}
			w.leave()
		}
	}
	left := copy(w.due, w.due[w.settled:])
	clear(w.due[left:])
	w.due, w.settled = w.due[:left], 0
	w.spent.Store(int64(w.pool.spent()))
	if !w.trimming && w.pool.excess() {
		w.trimming = true
		w.loop.AfterFunc(trimEvery, w.trim)
	}
	if w.pool.collecting == 0 && w.pool.dropped >= w.collectFrom() {
		w.collect()
	}
	w.checkDrained()
	return left > 0
}

// trimEvery is how often a half of what the pool has too much is dropped.
const trimEvery = 100 * time.Millisecond

func (w *Worker) trim() {
	w.trimming = w.pool.trim()
	if w.trimming {
		w.loop.AfterFunc(trimEvery, w.trim)
	}
}

// collectFrom is how much memory is given back before it is collected.
func (w *Worker) collectFrom() int { return max(min(4<<20, w.maxBuffered/2), w.maxBuffered/8) }

// collect has the memory that connections have given back collected before the
// heap has doubled: the budget is for what the process takes, and what nobody
// has collected counts for that. Large buffers cost a collection nothing, for
// there are no pointers in them.
func (w *Worker) collect() {
	w.pool.collecting = w.pool.dropped
	w.help(func() {
		runtime.GC()
		_ = w.loop.PostAnyway(func() { w.pool.collected(w.pool.collecting) }) // 0 if it has been meanwhile
	})
}

// settleBatch is how many connections turnEnd looks at before it settles them.
const settleBatch = 16

// look reads a field of both cache lines that flush needs of each connection.
// In a row these reads wait for memory together; between calls of the kernel,
// which drive everything else out of the near caches, each would wait alone.
//
//go:noinline
func look(batch []*Conn) (sending int) {
	for _, c := range batch {
		if c.stream.Sending() || c.state > stateFlushing {
			sending++
		}
	}
	return sending
}

// settle makes the callbacks that are due and sends what was written.
func (c *Conn) settle() {
	w := c.worker
	if c.take(flagLayerDue) {
		c.woken()
	}
	if on := w.server.OnBufferFull; c.take(flagFullDue) && on != nil {
		on(c)
	}
	if c.take(flagDrainDue) { // ahead of the next message
		c.tellWritable()
	}
	if c.take(flagDataDue) && c.in != nil && c.Reading() {
		c.deliver(nil)
	}
	if c.take(flagDrainTell) { // behind what was received before
		c.tellDrain()
	}
	if c.has(flagEOFDue) && c.state <= stateOpen {
		if c.has(flagPaused) || c.choked() {
			c.tellGone()
		} else {
			c.take(flagEOFDue)
			c.tellEOF()
		}
	}
	c.flush()
	if p, ok := c.handler.(*pipeEnd); ok {
		p.splice(c)
	}
	c.flushed()
	if c.has(flagOutcomeDue) {
		c.settleDetach()
	}
}

// flushed makes the callbacks that a flush has made due.
func (c *Conn) flushed() {
	if c.take(flagDrainDue) {
		c.tellWritable()
	}
	if c.over() {
		c.finish()
		c.worker.unlist(c)
	}
}

func (c *Conn) tellWritable() {
	if h, ok := optional[WritableHandler](c.handler); ok {
		h.Writable(c)
	}
	if on := c.worker.server.OnBufferDrain; on != nil {
		on(c)
	}
}

// recovered is told by the loop of a callback that did not return.
func (w *Worker) recovered(err *PanicError) {
	c := w.current.Load()
	w.leave()
	w.stats.panics++
	if w.lent != nil { // a handler may have kept a view of it: the garbage collector has it
		w.pool.leave(w.lent)
		w.lent = nil
	}
	if w.starting {
		w.startFailed(err)
		return
	}
	if c == nil {
		w.onError(nil, err)
		return
	}
	w.enter(c)
	c.panicked(err)
	w.leave()
}

func (w *Worker) onError(c *Conn, err error) {
	switch on := w.server.OnError; {
	case on == nil:
	case c == nil:
		on(nil, err)
		return
	default:
		c.Call(func() { on(c, err) })
		return
	}
	if p, ok := err.(*PanicError); ok {
		w.logPanic(c, p)
	} else if c == nil {
		w.host.logger.Error("the server failed", "err", err)
	}
}

// logFault says by default what was not the peer's fault.
func (w *Worker) logFault(c *Conn, whose Fault, err error) {
	if w.server.OnError == nil && whose != PeerFault {
		w.host.logger.Error("a connection failed", "conn", c.id, "fault", whose.String(), "err", err)
	}
}

func (w *Worker) logPanic(c *Conn, err *PanicError) {
	var id uint64
	if c != nil {
		id = c.id
	}
	w.host.logger.Error("a callback panicked", "conn", id, "err", err, "stack", string(err.Stack))
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
