package jay

import (
	"errors"
	"time"
)

// faultLog is what the log hears of one kind of fault of connections. Strangers can
// bring some about as often as they like: the first ones of a period are
// logged, the others are counted, and their number is logged at its end.
type faultLog struct {
	logged int
	more   int
	last   string // of those that were counted
	timing bool   // the end of the period is to come
}

const (
	faultPeriod = 10 * time.Second
	mostFaults  = 20 // logged in a period, of the program's and of the system's

	// A budget that is spent is one fault, however many connections it hits.
	mostOfBudget = 1
)

// faultLogs are the kinds that are told apart.
type faultLogs struct{ program, system, budget faultLog }

// logFault says by default what was not the peer's fault.
func (w *Worker) logFault(c *Conn, whose Fault, err error) {
	if w.server.OnError != nil || whose == PeerFault {
		return
	}
	l, most := &w.faults.program, mostFaults
	switch {
	case errors.Is(err, ErrBudget):
		l, most = &w.faults.budget, mostOfBudget
	case whose == SystemFault:
		l = &w.faults.system
	}
	if !l.timing {
		l.timing = true
		w.loop.AfterFunc(faultPeriod, func() {
			l.timing = false
			w.endFaults(l, whose)
		})
	}
	if l.logged == most {
		l.more++
		l.last = err.Error()
		return
	}
	l.logged++
	w.host.logger.Error("a connection failed", "conn", c.id, "fault", whose.String(), "err", err)
}

// endFaults ends a period of l.
func (w *Worker) endFaults(l *faultLog, whose Fault) {
	if l.more > 0 {
		w.host.logger.Error("more connections failed", "count", l.more, "fault", whose.String(), "last", l.last)
	}
	l.logged, l.more, l.last = 0, 0, ""
}

// endAllFaults says at the worker's end what was only counted.
func (w *Worker) endAllFaults() {
	w.endFaults(&w.faults.program, ProgramFault)
	w.endFaults(&w.faults.system, SystemFault)
	w.endFaults(&w.faults.budget, SystemFault)
}
