package fleet

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

const (
	orderPatience = 2 * time.Second        // for a worker to take an order
	orderAgain    = 100 * time.Millisecond // between tries to deliver, doubling to orderPatience
	orderTries    = 8                      // then the worker takes none
)

// order numbers an order that is about to be given, and begins to wait until it
// is taken.
func (m *Machine) order(w *Worker, kind orderKind) int {
	w.Ordered++
	w.Orders = append(w.Orders, order{N: w.Ordered, Kind: kind})
	if w.RepeatAt == 0 {
		w.RepeatAt = m.world.Now().add(orderPatience)
	}
	return w.Ordered
}

func (ev Taken) take(m *Machine) {
	w := m.Worker(ev.ID)
	if w == nil {
		return
	}
	w.Orders = slices.DeleteFunc(w.Orders, func(o order) bool { return o.N == ev.Order })
	if len(w.Orders) == 0 {
		w.RepeatAt, w.Repeated = 0, 0
	}
}

func (ev Undelivered) take(m *Machine) {
	w := m.Worker(ev.ID)
	if w == nil || !slices.ContainsFunc(w.Orders, func(o order) bool { return o.N == ev.Order }) {
		return
	}
	if w.Repeated == 0 {
		m.world.Log(slog.LevelWarn, "order not delivered", "program", w.Program, "slot", w.Slot, "pid", w.PID, "why", ev.Why)
	}
	w.RepeatAt = min(w.RepeatAt, m.world.Now().add(min(orderAgain<<min(w.Repeated, 10), orderPatience)))
}

// hasTaken reports whether a worker has carried out all orders of a kind.
func (w *Worker) hasTaken(kind orderKind) bool {
	return !slices.ContainsFunc(w.Orders, func(o order) bool { return o.Kind == kind })
}

// repeatOrders gives orders again that were not taken in time.
func (m *Machine) repeatOrders() {
	now := m.world.Now()
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
func (m *Machine) repeat(w *Worker) {
	missing := w.Orders
	w.Orders = nil
	for _, kind := range []orderKind{orderSockets, orderReload, orderDrain} {
		if !slices.ContainsFunc(missing, func(o order) bool { return o.Kind == kind }) {
			continue
		}
		switch kind {
		case orderSockets:
			if w.State != WorkerDraining { // who drains accepts from none
				m.orderSockets(w, w.Sockets, w.Sockets)
			}
		case orderReload:
			m.world.Reload(w, m.order(w, orderReload))
		case orderDrain:
			m.orderDrain(w, false)
		}
	}
	if len(w.Orders) == 0 {
		w.RepeatAt, w.Repeated = 0, 0
	}
}

// orderDrain tells a worker that drains so, and how long it has.
func (m *Machine) orderDrain(w *Worker, dump bool) {
	limit := NoTimeout
	if w.Deadline != 0 {
		limit = max(time.Duration(w.Deadline-m.world.Now())-killGrace, 0)
	}
	m.world.Drain(w, m.order(w, orderDrain), Drain{Reason: w.Drain, Limit: limit, Dump: dump, Ending: m.endingOf(w)})
}

// replaceDeaf has a worker that takes no orders replaced where it serves, and
// ends it where it does not: it would accept clients for ever.
func (m *Machine) replaceDeaf(w *Worker) {
	const why = "it does not take its orders"
	if w.State == WorkerReady {
		m.Take(Replace{ID: w.ID, Why: why})
		return
	}
	m.kill(w, why)
}
