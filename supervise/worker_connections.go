package supervise

// connectionsInMessage is how many rows one message has at most.
const connectionsInMessage = 100

// answerConnections sends a page of the worker's connections in parts.
func (w *Worker) answerConnections(seq uint64, q *ConnectionQuery) {
	w.mu.Lock()
	fn := w.connections
	w.mu.Unlock()
	var rows []ConnectionInfo
	if fn != nil && q != nil {
		rows = fn(*q)
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
		w.reply(part)
		if !part.More {
			return
		}
	}
}

// fits reports whether a message of a worker can be sent.
func (m message) fits() bool {
	_, err := m.encode(maxPacket)
	return err == nil
}
