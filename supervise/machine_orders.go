package supervise

import (
	"log/slog"
	"slices"
	"time"
)

// An order is what a worker has to carry out: to drain, to take or give back
// sockets, to reload. The worker says that it has taken it. Until then
// the machine does not count on it: the order is repeated, as what is wanted by
// then, and who does not take orders at all is replaced.
type order struct {
	N    int       `json:"n"` // counts the orders to one worker, from 1
	Kind orderKind `json:"kind"`
}

// orderKind is what a worker is told to do.
type orderKind string

const (
	orderSockets orderKind = "sockets" // to accept from a set of sockets, and from no others
	orderReload  orderKind = "reload"  // to take note of a reload that it lives through
	orderDrain   orderKind = "drain"   // to go
)

// drainOrder says how a worker is to go.
type drainOrder struct {
	Reason DrainReason
	Limit  time.Duration // negative: none
	Dump   bool          // it prints its goroutines first
	Ending []int         // of its sockets those that nobody accepts from afterwards
}

// Events.
type (
	// evTaken: a worker has carried out an order.
	evTaken struct {
		ID    uint32
		Order int
	}
	// evUndelivered: an order has not reached its worker, or not whole. An order
	// of which nothing at all is heard is lost as well.
	evUndelivered struct {
		ID    uint32
		Order int
		Why   string
	}
)

const (
	orderPatience = 2 * time.Second        // for a worker to take an order
	orderAgain    = 100 * time.Millisecond // between tries to deliver, doubling to orderPatience
	orderTries    = 8                      // then the worker takes none
)

// order numbers an order that is about to be given, and begins to wait until it
// is taken.
func (m *machine) order(w *worker, kind orderKind) int {
	w.Ordered++
	w.Orders = append(w.Orders, order{N: w.Ordered, Kind: kind})
	if w.RepeatAt == 0 {
		w.RepeatAt = m.world.now().add(orderPatience)
	}
	return w.Ordered
}

func (m *machine) onTaken(ev evTaken) {
	w := m.worker(ev.ID)
	if w == nil {
		return
	}
	w.Orders = slices.DeleteFunc(w.Orders, func(o order) bool { return o.N == ev.Order })
	if len(w.Orders) == 0 {
		w.RepeatAt, w.Repeated = 0, 0
	}
}

func (m *machine) onUndelivered(ev evUndelivered) {
	w := m.worker(ev.ID)
	if w == nil || !slices.ContainsFunc(w.Orders, func(o order) bool { return o.N == ev.Order }) {
		return
	}
	if w.Repeated == 0 {
		m.world.log(slog.LevelWarn, "order not delivered", "program", w.Program, "slot", w.Slot, "pid", w.PID, "why", ev.Why)
	}
	w.RepeatAt = min(w.RepeatAt, m.world.now().add(min(orderAgain<<min(w.Repeated, 10), orderPatience)))
}

// hasTaken reports whether a worker has carried out all orders of a kind.
func (w *worker) hasTaken(kind orderKind) bool {
	return !slices.ContainsFunc(w.Orders, func(o order) bool { return o.Kind == kind })
}

// repeatOrders gives orders again that were not taken in time.
func (m *machine) repeatOrders() {
	now := m.world.now()
	for _, w := range slices.Clone(m.Workers) {
		if w.RepeatAt == 0 || now < w.RepeatAt || w.Killed != "" {
			continue
		}
		w.Repeated++
		w.RepeatAt = now.add(orderPatience)
		if w.Repeated > orderTries {
			m.replaceDeaf(w)
		}
		if w.Killed == "" {
			m.repeat(w)
		}
	}
}

// repeat orders what a worker has not taken, as it is wanted now: one order of
// each kind, and all sockets, for it is not known which of them it has.
func (m *machine) repeat(w *worker) {
	missing := w.Orders
	w.Orders = nil
	for _, kind := range []orderKind{orderSockets, orderReload, orderDrain} {
		if !slices.ContainsFunc(missing, func(o order) bool { return o.Kind == kind }) {
			continue
		}
		switch kind {
		case orderSockets:
			if w.State != workerDraining { // who drains accepts from none
				m.orderSockets(w, w.Sockets, w.Sockets)
			}
		case orderReload:
			m.world.reload(w, m.order(w, orderReload))
		case orderDrain:
			m.orderDrain(w, false)
		}
	}
	if len(w.Orders) == 0 {
		w.RepeatAt, w.Repeated = 0, 0
	}
}

// orderDrain tells a worker that drains so, and how long it has.
func (m *machine) orderDrain(w *worker, dump bool) {
	limit := noTimeout
	if w.Deadline != 0 {
		limit = max(time.Duration(w.Deadline-m.world.now())-killGrace, 0)
	}
	m.world.drain(w, m.order(w, orderDrain), drainOrder{Reason: w.Drain, Limit: limit, Dump: dump, Ending: m.endingOf(w)})
}

// replaceDeaf has a worker that takes no orders replaced where it serves, and
// ends it where it does not: it would accept clients for ever.
func (m *machine) replaceDeaf(w *worker) {
	const why = "it does not take its orders"
	if w.State == workerReady {
		m.onReplace(evReplace{ID: w.ID, Why: why})
		return
	}
	m.kill(w, why)
}
