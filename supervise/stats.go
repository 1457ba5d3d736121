package supervise

import (
	"cmp"

	"github.com/jay-go/jay/control"
)

// A ConnectionQuery asks for connections in the order of their ids, which are
// unique within a worker and never reused.
type ConnectionQuery struct {
	After uint64 // ids greater than this one
	Limit int    // at most this many
}

// statsOr has the figures of s, and those of other where s has none.
func statsOr(s, other control.Stats) control.Stats {
	return control.Stats{
		Connections: cmp.Or(s.Connections, other.Connections), Accepted: cmp.Or(s.Accepted, other.Accepted),
		Refused: cmp.Or(s.Refused, other.Refused), Requests: cmp.Or(s.Requests, other.Requests),
		BytesIn: cmp.Or(s.BytesIn, other.BytesIn), BytesOut: cmp.Or(s.BytesOut, other.BytesOut),
		SendFailures: cmp.Or(s.SendFailures, other.SendFailures), AcceptErrors: cmp.Or(s.AcceptErrors, other.AcceptErrors),
		Panics: cmp.Or(s.Panics, other.Panics), Timers: cmp.Or(s.Timers, other.Timers),
		LoopSaturation: cmp.Or(s.LoopSaturation, other.LoopSaturation), CallbackP99: cmp.Or(s.CallbackP99, other.CallbackP99),
		BusySeconds: cmp.Or(s.BusySeconds, other.BusySeconds), BusyIn: cmp.Or(s.BusyIn, other.BusyIn),
		HandedOverIn: cmp.Or(s.HandedOverIn, other.HandedOverIn), HandedOverOut: cmp.Or(s.HandedOverOut, other.HandedOverOut),
	}
}

// sumsIn are the figures that add up, those that only grow first; grow is how many
// these are.
func sumsIn(s *control.Stats) (list []**int64, grow int) {
	list = []**int64{&s.Accepted, &s.Refused, &s.Requests, &s.BytesIn, &s.BytesOut, &s.SendFailures, &s.AcceptErrors, &s.Panics,
		&s.HandedOverIn, &s.HandedOverOut, &s.Connections, &s.Timers}
	return list, 10
}

// sumOf has the figures of two loops: sums, and of times and saturation the
// higher one.
func sumOf(a, b control.Stats) control.Stats {
	all, _ := sumsIn(&a)
	more, _ := sumsIn(&b)
	for i := range all {
		if x, y := *all[i], *more[i]; x != nil && y != nil {
			*all[i] = new(*x + *y)
		} else {
			*all[i] = cmp.Or(x, y)
		}
	}
	a.LoopSaturation, a.CallbackP99 = higher(a.LoopSaturation, b.LoopSaturation), higher(a.CallbackP99, b.CallbackP99)
	if longer := higher(a.BusySeconds, b.BusySeconds); longer != a.BusySeconds {
		a.BusySeconds, a.BusyIn = longer, b.BusyIn
	}
	return a
}

// higher is the higher of two figures, a where they are equal.
func higher(a, b *float64) *float64 {
	if a == nil || b != nil && *b > *a {
		return b
	}
	return a
}

// countersOf are the figures that only grow.
func countersOf(s control.Stats) (c control.Stats) {
	from, grow := sumsIn(&s)
	to, _ := sumsIn(&c)
	for i := range grow {
		*to[i] = *from[i]
	}
	return c
}

// statsAtStart has the same figures at zero: those of a worker of the same program
// that has not done anything yet.
func statsAtStart(s control.Stats) control.Stats {
	return control.Stats{
		Connections: zeroed(s.Connections), Accepted: zeroed(s.Accepted), Refused: zeroed(s.Refused), Requests: zeroed(s.Requests),
		BytesIn: zeroed(s.BytesIn), BytesOut: zeroed(s.BytesOut), SendFailures: zeroed(s.SendFailures), AcceptErrors: zeroed(s.AcceptErrors),
		Panics: zeroed(s.Panics), Timers: zeroed(s.Timers), LoopSaturation: zeroed(s.LoopSaturation), CallbackP99: zeroed(s.CallbackP99),
		BusySeconds: zeroed(s.BusySeconds), BusyIn: zeroed(s.BusyIn), HandedOverIn: zeroed(s.HandedOverIn), HandedOverOut: zeroed(s.HandedOverOut),
	}
}

// zeroed is a zero where there is a value.
func zeroed[T any](v *T) *T {
	if v == nil {
		return nil
	}
	return new(T)
}

// requestsOf is the number of requests, 0 where it is not known.
func requestsOf(s control.Stats) int64 {
	if s.Requests == nil {
		return 0
	}
	return *s.Requests
}
