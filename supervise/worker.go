package supervise

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/logs"
	"github.com/jay-go/jay/internal/stack"
)

// A Worker is a worker process as its program sees it. Its methods may be
// called from any goroutine.
type Worker struct {
	role   workerRole
	logger *slog.Logger
	lines  *logs.Queue // what logger writes to; nil in a process without a master
	cell   *cell
	master uplink // where messages go; nil in a process without a master

	draining atomic.Bool
	dumped   atomic.Int64 // when dump was called last

	mu        sync.Mutex
	ready     bool                     // guarded by mu
	sockets   []Socket                 // guarded by mu
	ids       []int                    // guarded by mu; the master's names of sockets
	missed    bool                     // guarded by mu; the set has changed, and nobody has followed yet
	taken     []Socket                 // guarded by mu; those that were taken away meanwhile
	reports   []*Report                // guarded by mu; by number, nil: one that has ended
	past      control.Stats            // guarded by mu; what those that have ended have counted
	overtook  *Drain                   // guarded by mu; the last drain that has overtaken another
	metrics   []Metric                 // guarded by mu; those that the program has added, never changed in place
	listeners map[*workerListener]bool // guarded by mu; those not closed
	settled   bool                     // guarded by mu; no listener may accept any more

	ailments   map[string]string // guarded by mu; why parts are not healthy
	telling    bool              // guarded by mu; tellHealth is about to run
	toldHealth time.Time         // guarded by mu

	answering sync.Mutex // for the parts of one answer to stay together
}

// workerRole is what the master tells a worker of itself, once, at its start.
type workerRole struct {
	Program     string        `json:"program"`
	Slot        int           `json:"slot"`
	Generation  int           `json:"generation"`
	Incarnation uint32        `json:"incarnation"`
	Loop        string        `json:"loop"`
	Watchdog    time.Duration `json:"watchdog"`      // negative: none
	Warning     time.Duration `json:"block_warning"` // negative: none
	Sockets     []socketRole  `json:"sockets"`
	Cell        int           `json:"cell"`
	MemoryLimit int64         `json:"memory_limit"` // its GOMEMLIMIT from the master; 0: none

	Identity *identity `json:"identity"` // nil: that of the master
}

// identity is the user that a worker runs as.
type identity struct {
	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"groups"`
}

// socketRole names an inherited descriptor, or one that a message may carry.
type socketRole struct {
	ID         int    `json:"id"`
	FD         int    `json:"fd"` // its number, or its place in the message; negative: none
	Addr       string `json:"addr"`
	Configured string `json:"configured"`
}

// uplink sends messages to the master.
type uplink interface {
	send(message) error
}

// Name is the program's name.
func (w *Worker) Name() string { return w.role.Program }

// Slot is the worker's place among its program's, from 0; the next worker of
// the slot has the same.
func (w *Worker) Slot() int { return w.role.Slot }

// Generation is the generation of code that the worker runs.
func (w *Worker) Generation() int { return w.role.Generation }

// explainLimit is how long a hung worker may take over its goroutines, which is
// some milliseconds, and seconds on a machine that is busy. Only one whose standard
// error is stuck takes all of it.
const explainLimit = 2 * time.Second

// maxWhy bounds the reason that a worker gives, of which the log shows less.
const maxWhy = maxPacket / 32

// dumpSpacing is how far apart dumps of goroutines are: a worker may be asked for
// one by its master and by a signal.
const dumpSpacing = time.Second

// dump writes all goroutines to standard error, unless that has just been done.
// What hangs may have standard error or the runtime in its grip, so the wait
// for it ends after explainLimit.
func (w *Worker) dump() {
	now := time.Now().UnixNano()
	if last := w.dumped.Load(); now-last < int64(dumpSpacing) || !w.dumped.CompareAndSwap(last, now) {
		return
	}
	explained := make(chan struct{})
	go func() {
		defer close(explained)
		os.Stderr.Write(stack.All())
	}()
	select {
	case <-explained:
	case <-time.After(explainLimit):
	}
}

// tell sends what is news rather than an answer.
func (w *Worker) tell(m message) {
	if w.master == nil {
		return
	}
	m.Why = m.Why[:min(len(m.Why), maxWhy)]
	if err := w.master.send(m); err != nil {
		w.logger.Warn("tell the master", "kind", string(m.Kind), "error", err)
	}
}

// Logger writes to the worker's standard error, which the master collects.
func (w *Worker) Logger() *slog.Logger { return w.logger }

// Sockets are the bound sockets of the program, in the order of its addresses.
func (w *Worker) Sockets() []Socket {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Socket(nil), w.sockets...)
}

// Socket finds a socket by its configured or its bound address; "" names the
// only one.
func (w *Worker) Socket(address string) (Socket, error) {
	sockets := w.Sockets()
	if address == "" && len(sockets) == 1 {
		return sockets[0], nil
	}
	var names []string
	for _, s := range sockets {
		if s.is(address) {
			return s, nil
		}
		names = append(names, s.Configured)
	}
	if len(names) == 0 {
		return Socket{}, fmt.Errorf("socket %q: program %s has no addresses; name them in Listen", address, w.Name())
	}
	return Socket{}, fmt.Errorf("socket %q: program %s has %s", address, w.Name(), strings.Join(names, ", "))
}

// Listener is a net.Listener on the socket of an address, for servers that
// know nothing of jay. Before the context ends it stops accepting: from then
// on Accept waits for Close, and new connections go to the other workers. The
// context ends when the server has begun with each connection that it was
// given, half a second later at most, so that one which closes at a stop what
// it has only accepted disconnects nobody.
//
// The connections have a method NetConn, for whoever needs the *net.TCPConn or
// *net.UnixConn. [Socket.Listener] is without all this.
func (w *Worker) Listener(address string) (net.Listener, error) {
	s, err := w.Socket(address)
	if err != nil {
		return nil, err
	}
	if s.datagram() {
		return s.Listener() // says that it is one
	}
	ln, err := s.h.listener()
	if err != nil {
		return nil, err
	}
	l := newWorkerListener(ln, s, w.forgetListener)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.settled {
		l.pause()
		return l, nil
	}
	if w.listeners == nil {
		w.listeners = map[*workerListener]bool{}
	}
	w.listeners[l] = true
	return l, nil
}

func (w *Worker) forgetListener(l *workerListener) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.listeners, l)
}

// settle lets the listeners of sockets that end empty their queues, pauses all,
// and returns when the connections that they gave are in use, or after limit.
func (w *Worker) settle(d *Drain, limit time.Duration) {
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	w.emptyQueues(d, timeout.C)
	w.mu.Lock()
	w.settled = true
	var all []<-chan struct{}
	heard := map[*handle]bool{}
	for l := range w.listeners {
		all = append(all, l.pause())
		heard[l.socket.h] = true
	}
	for _, s := range w.sockets {
		if !s.datagram() && !heard[s.h] {
			heard = nil // by something that we do not know
		}
	}
	w.mu.Unlock()
	if len(heard) > 0 {
		w.tell(message{Kind: msgUnlistened})
	}
	for _, settled := range all {
		select {
		case <-settled:
		case <-timeout.C:
			return
		}
	}
}

// emptyQueues waits until the listeners have accepted whoever waits in the
// queues of sockets that end.
func (w *Worker) emptyQueues(d *Drain, timeout <-chan time.Time) {
	w.mu.Lock()
	var ending []*handle
	for l := range w.listeners {
		if d.Ends(l.socket) {
			ending = append(ending, l.socket.h)
		}
	}
	w.mu.Unlock()
	awaitQueues(d, ending, timeout)
}

// lastHandshakes is for clients that were about to connect when a socket began
// to refuse newcomers.
const lastHandshakes = 200 * time.Millisecond

// awaitQueues waits until nobody waits in the queues of TCP sockets that end. Of
// others nobody can tell.
func awaitQueues(d *Drain, list []*handle, timeout <-chan time.Time) {
	if len(list) > 0 && d.Reason != DrainStop && d.Reason != DrainMasterGone {
		time.Sleep(lastHandshakes)
	}
	for _, h := range list {
		for h.queued() > 0 {
			select {
			case <-time.After(time.Millisecond):
			case <-timeout:
				return
			}
		}
	}
}

// settleFor is how long settle may take for a drain.
func settleFor(d *Drain) time.Duration {
	if d.Deadline.IsZero() {
		return acceptedWait
	}
	return min(acceptedWait, time.Until(d.Deadline)/4)
}

// Ready tells the master that the worker serves. Only the first call counts.
func (w *Worker) Ready() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ready {
		return nil
	}
	if w.master == nil {
		w.cell.setReady(true)
		w.ready = true
		w.followLocked()
		return nil
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT) // before it has clients
	w.cell.setReady(true)
	if err := w.master.send(message{Kind: msgReady}); err != nil {
		signal.Stop(signals)
		return fmt.Errorf("tell the master that %s/%d is ready: %w", w.Name(), w.Slot(), err)
	}
	w.ready = true
	w.followLocked()
	go w.heedSignals(signals) // to the end of the process
	return nil
}

// stopGrace is how long after a stop signal another one is taken for the same
// wish: terminals and programs that limit a time send several at once.
const stopGrace = time.Second

// heedSignals has the worker, which has clients by now, replaced when a stop
// signal comes; SIGQUIT asks for its goroutines as well. From stopGrace on another
// signal ends it. If a service manager signals every process of a service, the
// master receives the signal too.
func (w *Worker) heedSignals(signals chan os.Signal) {
	var grace <-chan time.Time
	for {
		select {
		case s := <-signals:
			if s == syscall.SIGQUIT {
				w.dump()
			}
			if grace == nil {
				grace = time.After(stopGrace)
				w.tell(message{Kind: msgLeave, Why: "it has got a signal: " + s.String()})
			}
		case <-grace:
			signal.Stop(signals)
			return
		}
	}
}

func (w *Worker) reply(m message) {
	if err := w.master.send(m); err != nil {
		w.logger.Warn("answer the master", "kind", string(m.Kind), "error", err)
	}
}
