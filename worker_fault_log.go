package jay

import (
	"errors"
	"time"
)

// Strangers can bring some faults about as often as they like, and could fill the log.
// So of each kind it hears of the first ones of a period, and at the end of that of the
// number of the others.
const faultPeriod = 10 * time.Second

// faultKind is what is told apart for that.
type faultKind uint8

const (
	programFaults faultKind = iota
	systemFaults
	budgetFaults // a budget that is spent is one fault, however many connections it hits
	panics
)

var faultKinds = [...]struct {
	most  int // logged in a period
	more  string
	fault Fault
}{
	programFaults: {20, "more connections failed", ProgramFault},
	systemFaults:  {20, "more connections failed", SystemFault},
	budgetFaults:  {1, "more connections failed", SystemFault},
	panics:        {20, "more callbacks panicked", ProgramFault},
}

// faultLog is a period of one kind.
type faultLog struct {
	logged int
	more   int
	last   string // of those that were only counted
	timing bool   // the end of the period is to come
}

// logFault says by default what was not the peer's fault.
func (w *Worker) logFault(c *Conn, whose Fault, err error) {
	if w.server.OnError != nil || whose == PeerFault {
		return
	}
	kind := programFaults
	switch {
	case errors.Is(err, ErrBudget):
		kind = budgetFaults
	case whose == SystemFault:
		kind = systemFaults
	}
	if w.logs(kind, err) {
		w.host.logger.Error("a connection failed", "conn", c.id, "fault", whose.String(), "err", err)
	}
}

// logPanic says that a callback has not returned.
func (w *Worker) logPanic(c *Conn, err *PanicError) {
	var id uint64
	if c != nil {
		id = c.id
	}
	if w.logs(panics, err) {
		w.host.logger.Error("a callback panicked", "conn", id, "err", err, "stack", string(err.Stack))
	}
}

// logs reports whether err has a place in the log; otherwise it is counted.
func (w *Worker) logs(kind faultKind, err error) bool {
	l := &w.faults[kind]
	if !l.timing {
		l.timing = true
		w.loop.AfterFunc(faultPeriod, func() {
			l.timing = false
			w.endFaults(kind)
		})
	}
	if l.logged == faultKinds[kind].most {
		l.more++
		l.last = err.Error()
		return false
	}
	l.logged++
	return true
}

// endFaults ends a period.
func (w *Worker) endFaults(kind faultKind) {
	l, k := &w.faults[kind], faultKinds[kind]
	if l.more > 0 {
		w.host.logger.Error(k.more, "count", l.more, "fault", k.fault.String(), "last", l.last)
	}
	l.logged, l.more, l.last = 0, 0, ""
}

// endAllFaults says at the worker's end what was only counted.
func (w *Worker) endAllFaults() {
	for kind := range w.faults {
		w.endFaults(faultKind(kind))
	}
}
