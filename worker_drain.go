package jay

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jay-go/jay/supervise"
)

// drainOf returns why ctx is done: what the supervisor says, or a plain stop.
func drainOf(ctx context.Context, s *Server) *supervise.Drain {
	if d, ok := errors.AsType[*supervise.Drain](context.Cause(ctx)); ok {
		return d
	}
	d := &supervise.Drain{Reason: supervise.DrainStop}
	if t := timeout(cmp.Or(s.StopTimeout, 10*time.Second)); t != none {
		d.Deadline = time.Now().Add(t)
	}
	return d
}

// awaitDrain drains the worker and returns when nothing is left of it. It runs
// outside the loop.
func (w *Worker) awaitDrain(d *supervise.Drain) {
	_ = w.loop.PostAnyway(func() { w.startDrain(d) })
	var last, end <-chan time.Time
	if !d.Deadline.IsZero() {
		left := time.Until(d.Deadline)
		last, end = time.After(left-lastCallBefore(left)), time.After(left)
	}
	for {
		select {
		case <-w.drained:
			return
		case <-w.loop.Done():
			return
		case d := <-w.report.Overtaken():
			w.awaitDrain(d)
			return
		case <-last:
			_ = w.loop.PostAnyway(w.lastCall)
		case <-end:
			_ = w.loop.PostAnyway(w.abortAll)
		}
	}
}

// startDrain stops the accepting and tells the connections. What waits in a
// queue that others accept from is left to them; of sockets that end it is
// accepted first.
func (w *Worker) startDrain(d *supervise.Drain) {
	w.drain, w.resting = d, false
	for len(w.own) > 0 {
		w.own[0].Close()
	}
	if w.emptying {
		return
	}
	for _, a := range w.acceptors {
		if !d.Ends(a.socket) {
			a.ln.Close()
			continue
		}
		w.emptying = true
		a.peeking = true
		a.ln.Resume()
	}
	if w.emptying {
		grace := lastHandshakes
		if d.Reason == supervise.DrainStop || d.Reason == supervise.DrainMasterGone {
			grace = 0
		}
		w.emptyQueue(w.stats.accepted, grace)
		return
	}
	w.report.Unlisten()
	w.tellDrain()
}

// lastHandshakes is for clients that were about to connect when a socket began
// to refuse newcomers.
const lastHandshakes = 200 * time.Millisecond

// emptyQueue looks once a turn whether the last turn has accepted anything, and
// once more after grace. The turn after that reads what the newcomers had sent already.
func (w *Worker) emptyQueue(before uint64, grace time.Duration) {
	w.loop.AfterFunc(0, func() {
		if now := w.stats.accepted; now != before || w.accepting() {
			w.emptyQueue(now, grace)
			return
		}
		if grace > 0 {
			w.loop.AfterFunc(grace, func() { w.emptyQueue(w.stats.accepted, 0) })
			return
		}
		w.closeListeners()
		w.report.Unlisten()
		w.loop.AfterFunc(0, func() {
			w.emptying = false
			w.tellDrain()
		})
	})
}

// accepting reports whether newcomers are under way.
func (w *Worker) accepting() bool {
	return slices.ContainsFunc(w.acceptors, func(a *acceptor) bool { return a.ln.Pending() })
}

func (w *Worker) closeListeners() {
	for _, a := range w.acceptors {
		a.ln.Close()
	}
}

// tellDrain tells the connections. Where the next worker waits for this one, those
// that have not brought anything yet are told a moment later: their clients have
// just connected, to be served.
func (w *Worker) tellDrain() {
	for c := range w.Conns {
		if !c.isNewcomer() {
			c.toldToDrain()
		}
	}
}

// firstBytes is how long a client that has just connected may take to send
// something when the worker is replaced.
const firstBytes = 500 * time.Millisecond

// isNewcomer reports whether a connection waits for firstBytes. If so, it is told
// to drain when they are over.
func (c *Conn) isNewcomer() bool {
	w := c.worker
	left := firstBytes - c.Age()
	if w.drain.Reason != supervise.DrainReplace || c.bytesIn > 0 || c.via.entry == dialled || left <= 0 {
		return false
	}
	w.loop.AfterFunc(left, func() {
		if c.live() {
			c.toldToDrain()
		}
	})
	return true
}

func (c *Conn) toldToDrain() {
	c.flags |= flagDrainTell
	c.later()
}

func (c *Conn) tellDrain() {
	h, ok := optional[DrainHandler](c.handler)
	switch {
	case c.state == stateLingering:
		c.setStall()
	case !c.live():
	case ok:
		h.Drain(c)
	case c.holds == 0 && !c.worker.drain.Overlaps():
		c.Close()
	}
}

// lastCall closes in order, shortly before the deadline, what has nothing
// pending.
func (w *Worker) lastCall() {
	for c := range w.Conns {
		if c.holds == 0 {
			c.Close()
		}
	}
}

// abortAll ends what is left at the deadline.
func (w *Worker) abortAll() {
	w.closeListeners()
	w.emptying, w.aborted = false, true
	for c := range w.Conns {
		if c.state == stateLingering {
			c.leave(ErrStopped) // without a reset, which would destroy what is on its way
			continue
		}
		c.abortOverdue(ErrStopped)
	}
}

// checkDrained notices the end of the drain. Only the turn's end calls it, when
// the last callbacks have been made.
func (w *Worker) checkDrained() {
	if w.drain == nil || w.emptying || w.listening > 0 || w.live > 0 || w.finishing > 0 || len(w.due) > 0 {
		return
	}
	select {
	case <-w.drained:
	default:
		close(w.drained)
	}
}

// lastCallBefore is how long before the deadline lastCall comes: long enough
// for a FIN to be answered, short against the drain.
func lastCallBefore(left time.Duration) time.Duration { return min(left/5, time.Second) }
