package supervise

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"github.com/jay-go/jay/control"
)

// maxLoops is how many loops a worker can report.
const maxLoops = 64

// A Loop is what serves in a worker, as the master is to see it: an event loop,
// say, of which a worker may have several. Frameworks describe theirs to
// [Worker.Report]; a program that serves by one, by [DrainHTTP] or by
// [Worker.Listener] has no need of it.
type Loop struct {
	// Name tells the loops of a worker apart, in status and in the log; two cannot
	// have the same. Empty is the number of the report, from 0.
	Name string

	// Stats gives the loop's figures; those that it leaves nil are not known.
	// Counters grow from the worker's start. It is called from a goroutine of the
	// package whenever the master asks, and must not block.
	Stats func() control.Stats

	// Connections lists the loop's connections in the order of their ids, which
	// are unique within the worker. It is called as Stats is, but may wait for
	// the loop.
	Connections func(ConnectionQuery) []control.ConnectionInfo
}

// Settings are what the command line says of the loops of a worker.
type Settings struct {
	Backend      string        // what --loop was resolved to by Options.Loop
	Watchdog     time.Duration // how long a callback may block a loop before the worker is replaced; negative: for ever
	BlockWarning time.Duration // how long one may do so before the log tells; negative: for ever

	// Incarnation differs between any two worker processes of an installation,
	// also across upgrades and restarts of the master.
	Incarnation uint32
}

// Settings are for whoever makes loops.
func (w *Worker) Settings() Settings {
	return Settings{Backend: w.role.Loop, Watchdog: w.role.Watchdog, BlockWarning: w.role.Warning, Incarnation: w.role.Incarnation}
}

// A Report tells the master of one loop, and the loop of the worker's sockets and
// of its peers. Its methods may be called from any goroutine.
type Report struct {
	w    *Worker
	n    int // its place among the worker's, and in the cell
	loop Loop

	overtaken chan *Drain

	onSockets  func() // guarded by w.mu
	unlistened bool   // guarded by w.mu
	hung       bool   // guarded by w.mu
}

// Report begins to report a loop, until End. The worker's figures are the sums
// of those of its loops; of times and of saturation they are the highest.
// Counters of a loop that has ended stay in the sums.
func (w *Worker) Report(l Loop) (*Report, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for n < len(w.reports) && w.reports[n] != nil {
		n++
	}
	if n == maxLoops {
		return nil, fmt.Errorf("report a loop of %s/%d: there are %d already, no more are possible", w.Name(), w.Slot(), n)
	}
	l.Name = cmp.Or(l.Name, strconv.Itoa(n))
	for _, other := range w.reporting() {
		if other.loop.Name == l.Name {
			return nil, fmt.Errorf("report a loop of %s/%d: another is called %q", w.Name(), w.Slot(), l.Name)
		}
	}
	r := &Report{w: w, n: n, loop: l, overtaken: make(chan *Drain, 2)}
	if n == len(w.reports) {
		w.reports = append(w.reports, nil)
	}
	w.reports[n] = r
	w.cell.setLoops(len(w.reports))
	if w.overtook != nil {
		r.overtaken <- w.overtook
	}
	return r, nil
}

// End says that the loop has ended. The report is not used after that.
func (r *Report) End() {
	last := control.Stats{}
	if r.loop.Stats != nil {
		last = r.loop.Stats()
	}
	r.Recovered()
	w := r.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reports[r.n] != r {
		return
	}
	w.past = sumOf(w.past, countersOf(last))
	w.reports[r.n] = nil
	w.cell.endLoop(r.n)
}

// Beat is a sign of life. It is to come from the very loop that is reported, at
// least every Watchdog/4 and every second: where a loop has given one, and then
// gives none for longer than Watchdog, the worker is replaced. A loop that never
// calls it is not watched in this way.
func (r *Report) Beat() { r.w.cell.beat(r.n) }

// Hung says that the loop serves nobody any more, and why. All goroutines go to
// the log and the master starts another worker in the slot; this one is killed
// when that is ready, unless it has recovered by then.
func (r *Report) Hung(why string) {
	if r.several() {
		why = "loop " + r.loop.Name + ": " + why
	}
	// The goroutines first: another worker is ready within milliseconds, and
	// then this one is killed.
	r.w.dump()
	if r.setHung(true) {
		r.w.tell(message{Kind: msgHung, Why: why})
	}
}

// Recovered takes Hung back. When no loop of the worker hangs any more it drains
// as soon as the other is ready.
func (r *Report) Recovered() {
	if r.setHung(false) {
		r.w.tell(message{Kind: msgRecovered})
	}
}

// setHung reports whether the worker hangs, or recovers, by this.
func (r *Report) setHung(hung bool) bool {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	if r.hung == hung {
		return false
	}
	r.hung = hung
	for _, other := range r.w.reports {
		if other != nil && other != r && other.hung {
			return false
		}
	}
	return true
}

func (r *Report) several() bool {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	return len(r.w.reporting()) > 1
}

// SetLoad publishes the number of connections that the loop holds. Only loops
// that have called it are peers.
func (r *Report) SetLoad(connections int) { r.w.cell.setLoad(r.n, int64(connections)) }

// PeerLoad is the sum of the loads, and the number, of the loops of all ready
// workers of this program, those of this one included.
func (r *Report) PeerLoad() (total, loops int) { return r.w.cell.peers() }

// OnSockets sets a function that is called, on a goroutine of its own, when the
// set of the worker's Sockets has changed and the worker is ready: a worker of a
// ReusePort program gets the socket of a slot that was scaled away, and may have to give it
// back. Those that were taken away are closed when the functions of all loops
// have returned: they must be out of every epoll by then, for a registration outlives the
// descriptor. A worker of which no loop has such a function is replaced when its set
// changes.
func (r *Report) OnSockets(fn func()) {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	r.onSockets = fn
	if fn != nil {
		r.w.followLocked()
	}
}

// Unlisten says that the loop, whose worker drains, accepts from none of its
// stream sockets any more. When all loops that follow the sockets have said so,
// those that end refuse clients. Without it they do so a second after the drain
// has begun.
func (r *Report) Unlisten() {
	w := r.w
	w.mu.Lock()
	r.unlistened = true
	for _, other := range w.reporting() {
		if other.onSockets != nil && !other.unlistened {
			w.mu.Unlock()
			return
		}
	}
	w.mu.Unlock()
	for _, s := range w.Sockets() {
		if !s.datagram() {
			_ = s.Close() // a second call
		}
	}
	go w.tell(message{Kind: msgUnlistened}) // a loop calls this, which must not wait
}

// Overtaken receives a drain that is more urgent than the one which is the cause
// of the context: the service stops, or the master has died, while the worker
// still drains for a reload; or the deadline is sooner now.
func (r *Report) Overtaken() <-chan *Drain { return r.overtaken }

// overtake tells every loop of a drain that overtakes the one before.
func (w *Worker) overtake(d *Drain) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.overtook = d
	for _, r := range w.reporting() {
		for sent := false; !sent; {
			select {
			case r.overtaken <- d:
				sent = true
			default:
				select {
				case <-r.overtaken: // nobody has looked at it, and this one counts
				default:
				}
			}
		}
	}
}

// reporting are the reports that have not ended. The caller holds mu.
func (w *Worker) reporting() (list []*Report) {
	for _, r := range w.reports {
		if r != nil {
			list = append(list, r)
		}
	}
	return list
}
