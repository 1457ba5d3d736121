package jay

import (
	"sync/atomic"
	"time"

	"github.com/jay-go/jay/supervise"
)

// counters belong to the loop; report has copies made there.
type counters struct {
	accepted, requests   uint64
	bytesIn, bytesOut    uint64
	sendFailures, panics uint64
	acceptErrors         uint64
	last                 atomic.Pointer[supervise.Stats] // the latest copy, for when the loop does not answer
}

// reportPatience is how long report waits for a loop that is busy.
const reportPatience = 50 * time.Millisecond

// report returns the figures of the worker. Any goroutine may call it; when
// the loop is blocked it returns those of last time, and for how long the loop
// has been blocked in what.
func (w *Worker) report() supervise.Stats {
	answer := make(chan supervise.Stats, 1)
	var st supervise.Stats
	if last := w.stats.last.Load(); last != nil {
		st = *last
	}
	if w.loop.Post(func() { answer <- w.figures() }) {
		select {
		case st = <-answer:
			w.stats.last.Store(&st)
		case <-time.After(reportPatience):
		}
	}
	l := w.loop.Stats()
	st.LoopSaturation = l.Saturation
	if l.Busy > reportPatience/2 {
		st.BusySeconds, st.BusyIn = l.Busy.Seconds(), l.BusyIn
	}
	return st
}

func (w *Worker) figures() supervise.Stats {
	s := &w.stats
	return supervise.Stats{
		Connections:  int64(w.live),
		Accepted:     int64(s.accepted),
		Requests:     int64(s.requests),
		BytesIn:      int64(s.bytesIn),
		BytesOut:     int64(s.bytesOut),
		SendFailures: int64(s.sendFailures),
		AcceptErrors: int64(s.acceptErrors),
		Panics:       int64(s.panics),
		Timers:       int64(w.loop.Timers()),
	}
}
