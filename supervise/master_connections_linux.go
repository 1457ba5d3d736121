package supervise

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/fleet"
)

// connectionFilter is the query of GET /v1/connections.
type connectionFilter struct {
	program string
	pid     int
	limit   int
	after   cursor
}

// cursor is a place in the list, which is in the order of workers and ids.
type cursor struct {
	worker uint32
	id     uint64
}

func (c cursor) String() string { return fmt.Sprintf("%d.%d", c.worker, c.id) }

func parseCursor(s string) (cursor, error) {
	if s == "" {
		return cursor{}, nil
	}
	worker, id, _ := strings.Cut(s, ".")
	w, err := strconv.ParseUint(worker, 10, 32)
	if err != nil {
		return cursor{}, fmt.Errorf("after=%q; write what next was", s)
	}
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return cursor{}, fmt.Errorf("after=%q; write what next was", s)
	}
	return cursor{uint32(w), n}, nil
}

// connections asks the workers for a page of their connections.
func (m *master) connections(f connectionFilter, reply func(control.ConnectionList)) {
	var asked []*proc
	wanted := func(w *fleet.Worker) bool {
		return (f.program == "" || w.Program == f.program) && (f.pid == 0 || w.PID == f.pid) && w.ID >= f.after.worker
	}
	for _, p := range m.procs {
		if wanted(p.w) {
			asked = append(asked, p)
		}
	}
	slices.SortFunc(asked, func(a, b *proc) int { return cmp.Compare(a.w.ID, b.w.ID) })
	m.askPage(asked, f, &control.ConnectionList{Connections: []control.ConnectionRow{}, Missing: []int{}}, reply)
}

// askPage asks all workers at once for as much as the page may need of each.
func (m *master) askPage(asked []*proc, f connectionFilter, list *control.ConnectionList, reply func(control.ConnectionList)) {
	first := func(w *fleet.Worker) bool { return w.ID == f.after.worker && f.after.id > 0 }
	finish := func(queries ...*query) {
		for _, p := range asked {
			for _, q := range queries {
				m.addToPage(list, p, q, f.limit)
			}
		}
		reply(*list)
	}
	rest := func(then func(*query)) {
		m.ask(message{Kind: msgAskConnections, Query: &ConnectionQuery{Limit: f.limit}}, func(w *fleet.Worker) bool {
			return !first(w) && slices.ContainsFunc(asked, func(p *proc) bool { return p.w == w })
		}, then)
	}
	if len(asked) == 0 || !first(asked[0].w) {
		rest(func(q *query) { finish(q) })
		return
	}
	var q1, q2 *query
	both := func() {
		if q1 != nil && q2 != nil {
			finish(q1, q2)
		}
	}
	m.ask(message{Kind: msgAskConnections, Query: &ConnectionQuery{After: f.after.id, Limit: f.limit}}, first,
		func(q *query) { q1 = q; both() })
	rest(func(q *query) { q2 = q; both() })
}

// addToPage appends what a worker has answered while there is room.
func (m *master) addToPage(list *control.ConnectionList, p *proc, q *query, limit int) {
	if q.waiting[p.w.ID] {
		list.Missing = append(list.Missing, p.w.PID)
		return
	}
	if q.unlisted[p.w.ID] {
		list.Unlisted = append(list.Unlisted, p.w.PID)
	}
	got := q.got[p.w.ID]
	for _, c := range got {
		if len(list.Connections) == limit {
			return
		}
		list.Connections = append(list.Connections, control.ConnectionRow{Program: p.w.Program, Slot: p.w.Slot, PID: p.w.PID, ConnectionInfo: c})
		if len(list.Connections) == limit {
			list.Next = cursor{p.w.ID, c.ID}.String()
		}
	}
}
