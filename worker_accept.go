package jay

import (
	"errors"
	"syscall"
	"time"

	"github.com/jay-go/jay/internal/loop"
	"github.com/jay-go/jay/supervise"
)

// acceptor takes the connections of one listening socket.
type acceptor struct {
	worker  *Worker
	ln      *loop.Listener
	socket  supervise.Socket
	fd      int // of the listening socket
	from    *origin
	taken   int           // connections so far
	backoff time.Duration // how long the last failure paused it; 0: none
	rest    time.Duration // how long the share rule paused it last
	peeking bool          // the queue is looked at in spite of the share rule
	warned  uint32        // the tick of the last warning; 0: none
}

const (
	firstBackoff = 10 * time.Millisecond
	maxBackoff   = time.Second

	// Where descriptors are short, accepting fails and succeeds by turns: the
	// log hears of it this often, status counts every failure.
	warnEvery = 10 * time.Second

	// A worker with more than its share looks at the queue this often, less
	// and less, and takes what nobody else has taken.
	firstRest = 5 * time.Millisecond
	maxRest   = 40 * time.Millisecond
)

// Accepted is the loop's call for a new connection.
func (a *acceptor) Accepted(sock loop.Socket) {
	w := a.worker
	if w.aborted { // it was under way at the drain's deadline
		a.drop(sock)
		return
	}
	w.stats.accepted++
	a.taken++
	a.backoff = 0
	if !w.proc.takePlace(w.maxConns) {
		a.refuse(sock)
		return
	}
	if !a.peeking && w.overShare(1) {
		a.restFor(firstRest)
	}
	if err := w.open(a.from, sock, nil); err != nil {
		w.proc.givePlace()
		a.drop(sock)
		a.AcceptFailed(err)
	}
}

// maxRefusing bounds the connections that are refused politely at one time;
// those beyond it are just closed.
const maxRefusing = 64

func (a *acceptor) refuse(sock loop.Socket) {
	w := a.worker
	w.stats.refused++
	if w.refusing >= maxRefusing {
		a.drop(sock)
		return
	}
	if err := w.open(a.from.refusal(), sock, nil); err != nil {
		a.drop(sock)
	}
}

// drop closes a connection that the loop has not taken on.
func (a *acceptor) drop(sock loop.Socket) {
	if sock.Conn != nil {
		_ = sock.Conn.Close()
	} else {
		closeFD(sock.FD)
	}
}

// Closed is the loop's call when no more connections are under way.
func (a *acceptor) Closed() { a.worker.listening-- }

// AcceptFailed is the loop's call for an error of accept. A connection that
// its client gave up is only counted. Whatever else it is (no descriptors, no
// buffers), accepting pauses, longer each time, and goes on: connections wait
// in the queue, and nothing spins.
func (a *acceptor) AcceptFailed(err error) {
	w := a.worker
	if errors.Is(err, syscall.EINVAL) { // the socket has ended, and its queue is empty
		a.ln.Pause()
		return
	}
	w.stats.acceptErrors++
	if errors.Is(err, syscall.ECONNABORTED) {
		return
	}
	if a.backoff == 0 && (a.warned == 0 || w.since(a.warned) >= warnEvery) {
		a.warned = max(w.loop.TickNow(), 1)
		w.host.logger.Warn("accept failed; accepting pauses", "addr", a.from.addr, "err", err)
	}
	a.backoff = min(max(2*a.backoff, firstBackoff), maxBackoff)
	a.ln.Pause()
	w.loop.AfterFunc(a.backoff, a.resume)
}

// resume goes on accepting, unless the user has paused it.
func (a *acceptor) resume() {
	if !a.worker.resting {
		a.ln.Resume()
	}
}

// overShare reports whether the worker, with so many connections more, holds so
// many more than its peers do that it should leave new ones to them.
func (w *Worker) overShare(more int) bool {
	total, workers := w.report.PeerLoad()
	taken := w.taken + more
	total += more
	return workers > 1 && taken*workers > total+total/8+2*workers
}

// restFor pauses for d, then looks at the queue for one turn: what is there
// has waited that long, so the others are hung or just as full.
func (a *acceptor) restFor(d time.Duration) {
	a.rest = d
	a.ln.Pause()
	a.worker.loop.AfterFunc(d, a.peek)
}

func (a *acceptor) peek() {
	if a.worker.drain != nil || a.worker.resting {
		return
	}
	before := a.worker.stats.accepted
	a.peeking = true
	a.ln.Resume()
	a.worker.loop.AfterFunc(0, func() { // in the next turn, after its completions
		a.peeking = false
		switch {
		case !a.ln.Accepting():
		case !a.worker.overShare(0):
		case a.worker.stats.accepted > before:
			a.restFor(firstRest)
		default:
			a.restFor(min(2*a.rest, maxRest))
		}
	})
}
