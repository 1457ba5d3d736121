package supervise

import (
	"errors"
	"fmt"
	"slices"
)

// setSockets makes the worker's sockets those of the list; FD is an index in fds
// for those that come with it. An error says that some are missing.
func (w *Worker) setSockets(list []socketRole, fds []int) error {
	w.mu.Lock()
	var sockets []Socket
	var ids []int
	used := map[int]bool{} // of fds
	for _, r := range list {
		i := slices.Index(w.ids, r.ID)
		switch {
		case i >= 0:
			sockets = append(sockets, w.sockets[i])
		case r.FD >= 0 && r.FD < len(fds):
			used[r.FD] = true
			sockets = append(sockets, Socket{Addr: r.Addr, Configured: r.Configured, h: newHandle(fds[r.FD])})
		default:
			continue
		}
		ids = append(ids, r.ID)
	}
	for i, id := range w.ids {
		if !slices.Contains(ids, id) {
			w.taken = append(w.taken, w.sockets[i])
		}
	}
	w.sockets, w.ids, w.missed = sockets, ids, true
	followed := w.followLocked()
	w.mu.Unlock()
	for i, fd := range fds {
		if !used[i] {
			closeAll(fd)
		}
	}
	if !followed {
		return errors.New(notFollowing)
	}
	if n := len(list) - len(ids); n > 0 {
		return fmt.Errorf("%d of %d sockets have not arrived", n, len(list))
	}
	return nil
}

// handles are those of the sockets that the master calls so.
func (w *Worker) handles(ids []int) []*handle {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []*handle
	for _, id := range ids {
		if i := slices.Index(w.ids, id); i >= 0 {
			list = append(list, w.sockets[i].h)
		}
	}
	return list
}
