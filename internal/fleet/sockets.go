package fleet

import (
	"slices"
	"time"
)

// Socket is one bound socket that the master holds.
type Socket struct {
	ID         int       `json:"id"` // the world's handle
	Key        SocketKey `json:"key"`
	Addr       string    `json:"addr"`            // as bound
	Given      bool      `json:"given,omitempty"` // by the service manager
	Configured string    `json:"-"`               // as its program writes it; only in what SocketsOf returns

	Ending bool    `json:"ending,omitempty"` // nobody new comes into its backlog
	Old    bool    `json:"old,omitempty"`    // another has its path; it is here for its backlog
	Lost   string  `json:"lost,omitempty"`   // its path is not its own, and why it cannot be made again
	TryAt  Instant `json:"try_at,omitempty"` // when that is tried again

	// The file of a Unix socket, noted by the world. Zero: the path is not its own.
	Dev uint64 `json:"dev,omitempty"`
	Ino uint64 `json:"ino,omitempty"`
}

// SocketKey says which sockets are the same across reloads. Slot is 0 for the
// socket that all workers share, so that a program may change its mode.
type SocketKey struct {
	Addr    string `json:"addr"`    // canonical
	Program string `json:"program"` // set where port 0 makes the address no name
	Nth     int    `json:"nth"`     // among equal addresses of that program
	Slot    int    `json:"slot"`
}

// letGoTime is how long a worker that drains may take to accept what waits in
// the backlogs of its sockets.
const letGoTime = time.Second

func (ev Unlistened) take(m *Machine) {
	if w := m.Worker(ev.ID); w != nil && w.State == WorkerDraining {
		w.Sockets = nil
	}
}

// letGo takes the sockets from workers that should be done with them.
func (m *Machine) letGo() {
	now := m.world.Now()
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
func (m *Machine) slotSockets() map[int]bool {
	ids := map[int]bool{}
	if m.Phase != PhaseRunning {
		return ids
	}
	for _, p := range m.fleets() {
		for _, sl := range p.Slots {
			for _, id := range sl.Sockets {
				ids[id] = true
			}
		}
	}
	return ids
}

// endSockets lets nobody new into the sockets that nobody will accept from when
// leaving have gone: who waits there is theirs to serve, who comes is refused.
// It is called before they are told to drain.
func (m *Machine) endSockets(leaving []*Worker) {
	accepts := m.slotSockets()
	for _, w := range m.Workers {
		if w.State != WorkerDraining && w.Killed == "" && !slices.Contains(leaving, w) {
			for _, id := range w.Sockets {
				accepts[id] = true
			}
		}
	}
	for _, s := range m.Sockets {
		if !s.Ending && !accepts[s.ID] {
			s.Ending = true
			m.world.Refuse(s)
		}
	}
}

// closeSockets closes those that nobody accepts from. That refuses whoever
// comes, whatever other process still has a descriptor of it.
func (m *Machine) closeSockets() {
	m.letGo()
	m.endSockets(nil)
	used := m.slotSockets()
	for _, w := range m.Workers {
		for _, id := range w.Sockets {
			used[id] = true
		}
	}
	m.Sockets = keep(m.Sockets, func(s *Socket) bool { return used[s.ID] }, m.world.Close)
}

// open finds the socket of a key that is open and stays so; nil where there is
// none. One that is about to end, but has not ended, goes on.
func (m *Machine) open(key SocketKey) *Socket {
	i := slices.IndexFunc(m.Sockets, func(s *Socket) bool { return s.Key == key && !s.Old })
	if i < 0 {
		return nil
	}
	s := m.Sockets[i]
	if s.Ending && m.world.Admit(s) {
		s.Ending = false
	}
	if s.Ending {
		return nil
	}
	return s
}

// endingOf are those of a worker's sockets that are about to end.
func (m *Machine) endingOf(w *Worker) []int {
	return slices.DeleteFunc(slices.Clone(w.Sockets), func(id int) bool {
		s := m.socket(id)
		return s == nil || !s.Ending
	})
}
