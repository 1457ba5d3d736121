package jay

import (
	"sync/atomic"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/supervise"
)

// counters belong to the loop; supervised has copies made there.
type counters struct {
	accepted, refused    uint64
	requests             uint64
	bytesIn, bytesOut    uint64
	sendFailures, panics uint64
	acceptErrors         uint64
	refusedSends         atomic.Uint64                 // by Ref.Send, on any goroutine
	last                 atomic.Pointer[control.Stats] // the latest copy, for when the loop does not answer
}

// reportPatience is how long supervised waits for a loop that is busy.
const reportPatience = 50 * time.Millisecond

// supervised returns the figures of the worker. Any goroutine may call it; when
// the loop is blocked it returns those of last time, and for how long the loop
// has been blocked in what.
func (w *Worker) supervised() control.Stats {
	answer := make(chan control.Stats, 1)
	var st control.Stats
	if last := w.stats.last.Load(); last != nil {
		st = *last
	}
	if w.loop.Post(func() { answer <- w.figures() }) == nil {
		select {
		case st = <-answer:
			last := st // what is added below is of this call
			w.stats.last.Store(&last)
		case <-time.After(reportPatience):
		}
	}
	l := w.loop.Stats()
	st.LoopSaturation, st.CallbackP99, st.BusySeconds, st.BusyIn = new(l.Saturation), new(l.P99.Seconds()), new(float64), new(string)
	if l.Busy > reportPatience/2 {
		_, where := w.loop.Stack()
		st.BusySeconds, st.BusyIn = new(l.Busy.Seconds()), new(l.BusyIn+": "+where)
	}
	return st
}

func (w *Worker) figures() control.Stats {
	s := &w.stats
	return control.Stats{
		Connections:  new(int64(w.live)),
		Accepted:     new(int64(s.accepted)),
		Refused:      new(int64(s.refused)),
		Requests:     new(int64(s.requests)),
		BytesIn:      new(int64(s.bytesIn)),
		BytesOut:     new(int64(s.bytesOut)),
		SendFailures: new(int64(s.sendFailures + s.refusedSends.Load())),
		AcceptErrors: new(int64(s.acceptErrors)),
		Panics:       new(int64(s.panics)),
		Timers:       new(int64(w.loop.Timers())),

		HandedOverIn: new(int64), HandedOverOut: new(int64),
	}
}

// connections returns a page of the live connections, in the order of their
// ids. Any goroutine may call it; it waits for the loop.
func (w *Worker) connections(q supervise.ConnectionQuery) []control.ConnectionInfo {
	answer := make(chan []control.ConnectionInfo, 1)
	if w.loop.Post(func() { answer <- w.page(q) }) != nil {
		return nil
	}
	select {
	case page := <-answer:
		return page
	case <-w.loop.Done():
		return nil
	}
}

// page lists connections; they stand in the order in which they were accepted.
func (w *Worker) page(q supervise.ConnectionQuery) (rows []control.ConnectionInfo) {
	for c := range w.Conns {
		if c.id <= q.After {
			continue
		}
		if q.Limit > 0 && len(rows) == q.Limit {
			break
		}
		rows = append(rows, c.info())
	}
	return rows
}

func (c *Conn) info() control.ConnectionInfo {
	return control.ConnectionInfo{
		ID: c.id, Transport: c.Transport(), Protocol: c.protocol(), Dialled: c.via.entry == dialled,
		Local: c.LocalAddr().String(), Remote: c.RemoteAddr().String(), State: c.State(),
		AgeSeconds: c.Age().Seconds(), IdleSeconds: c.Idle().Seconds(),
		RecvQueue: int64(c.Unused()), SendQueue: int64(c.out.size),
		BytesIn: int64(c.bytesIn), BytesOut: int64(c.bytesOut),
	}
}

// protocol is what the connection speaks: what its handler says, or its
// endpoint's protocol.
func (c *Conn) protocol() string {
	if h, ok := optional[ProtocolHandler](c.handler); ok {
		return h.Protocol().Name()
	}
	return c.via.protocol.Name()
}
