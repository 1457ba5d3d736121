package supervise

import (
	"cmp"
	"slices"

	"github.com/jay-go/jay/control"
)

// connectionsInMessage is how many rows one message has at most.
const connectionsInMessage = 100

// answerConnections sends a page of the worker's connections in parts.
func (w *Worker) answerConnections(seq uint64, q *ConnectionQuery) {
	var rows []control.ConnectionInfo
	listed := false
	if q != nil {
		rows, listed = w.page(*q)
	}
	for {
		part := message{Kind: msgConnections, Seq: seq, Connections: rows[:min(len(rows), connectionsInMessage)]}
		for len(part.Connections) > 0 && !part.fits() { // rows may have long names
			part.Connections = part.Connections[:len(part.Connections)/2]
		}
		if len(part.Connections) == 0 && len(rows) > 0 {
			w.logger.Warn("a connection's row is too long for a message", "id", rows[0].ID)
			rows = rows[1:]
			continue
		}
		rows = rows[len(part.Connections):]
		part.More = len(rows) > 0
		part.Unlisted = !listed
		w.reply(part)
		if !part.More {
			return
		}
	}
}

// page is a page of the connections of all loops, in the order of their ids. listed says
// that there is somebody who knows them.
func (w *Worker) page(q ConnectionQuery) (rows []control.ConnectionInfo, listed bool) {
	w.mu.Lock()
	live := w.reporting()
	w.mu.Unlock()
	for _, r := range live {
		if r.loop.Connections == nil {
			continue
		}
		listed = true
		for _, row := range r.loop.Connections(q) {
			if len(live) > 1 {
				row.Loop = r.loop.Name
			}
			rows = append(rows, row)
		}
	}
	slices.SortStableFunc(rows, func(a, b control.ConnectionInfo) int { return cmp.Compare(a.ID, b.ID) })
	if q.Limit > 0 && len(rows) > q.Limit {
		rows = rows[:q.Limit]
	}
	return rows, listed
}

// fits reports whether a message of a worker can be sent.
func (m message) fits() bool {
	_, err := m.encode(maxPacket)
	return err == nil
}
