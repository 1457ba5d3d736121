package supervise

import (
	"slices"
	"time"
)

// evUnlistened: a worker that drains accepts from none of its sockets any more.
type evUnlistened struct{ ID uint32 }

// letGoTime is how long a worker that drains may take to accept what waits in
// the queues of its sockets.
const letGoTime = time.Second

func (m *machine) onUnlistened(ev evUnlistened) {
	if w := m.worker(ev.ID); w != nil && w.State == workerDraining {
		w.Sockets = nil
	}
}

// letGo takes the sockets from workers that should be done with them.
func (m *machine) letGo() {
	now := m.world.now()
	for _, w := range m.Workers {
		if w.Killed != "" || w.LetGo != 0 && now >= w.LetGo {
			w.Sockets = nil
		}
		if len(w.Sockets) == 0 {
			w.LetGo = 0
		}
	}
}

// slotSockets are the sockets that have a worker, or will have one.
func (m *machine) slotSockets() map[int]bool {
	ids := map[int]bool{}
	if m.Phase != phaseRunning {
		return ids
	}
	for _, fleet := range [][]*program{m.Programs, m.next()} {
		for _, p := range fleet {
			for _, sl := range p.Slots {
				for _, id := range sl.Sockets {
					ids[id] = true
				}
			}
		}
	}
	return ids
}

// endSockets lets nobody new into the sockets that nobody will accept from when
// leaving have gone: who waits there is theirs to serve, who comes is refused.
// It is called before they are told to drain.
func (m *machine) endSockets(leaving []*worker) {
	accepts := m.slotSockets()
	for _, w := range m.Workers {
		if w.State != workerDraining && w.Killed == "" && !slices.Contains(leaving, w) {
			for _, id := range w.Sockets {
				accepts[id] = true
			}
		}
	}
	for _, s := range m.Sockets {
		if !s.Ending && !accepts[s.ID] {
			s.Ending = true
			m.world.refuse(s)
		}
	}
}

// closeSockets closes those that nobody accepts from. That refuses whoever
// comes, whatever other process still has a descriptor of it.
func (m *machine) closeSockets() {
	m.letGo()
	m.endSockets(nil)
	used := m.slotSockets()
	for _, w := range m.Workers {
		for _, id := range w.Sockets {
			used[id] = true
		}
	}
	m.Sockets = keep(m.Sockets, func(s *socket) bool { return used[s.ID] }, m.world.close)
}

// open finds the socket of a key that is open and stays so; nil where there is
// none. One that is about to end, but has not ended, goes on.
func (m *machine) open(key socketKey) *socket {
	i := slices.IndexFunc(m.Sockets, func(s *socket) bool { return s.Key == key && !s.Old })
	if i < 0 {
		return nil
	}
	s := m.Sockets[i]
	if s.Ending && m.world.admit(s) {
		s.Ending = false
	}
	if s.Ending {
		return nil
	}
	return s
}

// endingOf are those of a worker's sockets that are about to end.
func (m *machine) endingOf(w *worker) []int {
	return slices.DeleteFunc(slices.Clone(w.Sockets), func(id int) bool {
		s := m.socket(id)
		return s == nil || !s.Ending
	})
}
