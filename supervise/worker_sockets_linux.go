package supervise

import "slices"

// setSockets makes the worker's sockets those of the list. fds are the
// descriptors of those that it does not have yet, in order.
func (w *Worker) setSockets(list []socketRole, fds []int) {
	w.mu.Lock()
	var sockets []Socket
	var ids []int
	for _, r := range list {
		i := slices.Index(w.ids, r.ID)
		switch {
		case i >= 0:
			sockets = append(sockets, w.sockets[i])
		case len(fds) > 0:
			sockets = append(sockets, Socket{Addr: r.Addr, Configured: r.Configured, h: newHandle(fds[0])})
			fds = fds[1:]
		default:
			continue // its descriptor did not arrive
		}
		ids = append(ids, r.ID)
	}
	var gone []Socket
	for i, id := range w.ids {
		if !slices.Contains(ids, id) {
			gone = append(gone, w.sockets[i])
		}
	}
	w.sockets, w.ids = sockets, ids
	changed := w.onSockets
	w.mu.Unlock()
	closeAll(fds...)
	go func() {
		if changed != nil {
			changed()
		}
		for _, s := range gone {
			s.Close()
		}
	}()
}
