package supervise

import (
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// A Unix socket whose path somebody has removed, or replaced, is heard by nobody
// who connects. Another is made at the path, and the old one stays until those
// who wait in its queue have been accepted.
type (
	// evLost: the path of a Unix socket is not its own. Why is "" when it is again.
	evLost struct {
		ID  int
		Why string
	}
	// evEmptied: nobody waits any more in the queue of a socket that has lost its path.
	evEmptied struct{ ID int }
)

// lostAgain is how long after a try to make a path again the next follows: it
// connects to whoever has the path now.
const lostAgain = 2 * time.Second

func (m *machine) onLost(ev evLost) {
	s := m.socket(ev.ID)
	if s == nil || s.Old || s.Ending || m.Phase != phaseRunning {
		return
	}
	if ev.Why == "" {
		if s.Lost != "" {
			s.Lost, s.TryAt = "", 0
			m.world.log(slog.LevelInfo, "address is back", "address", s.Addr)
		}
		return
	}
	p := m.programAt(s.ID)
	if p == nil || m.world.now() < s.TryAt {
		return
	}
	s.TryAt = m.world.now().add(lostAgain)
	again, err := m.makeAgain(p, s)
	if err != nil {
		lost := fmt.Sprintf("%s: its path was %s; to make it again: %v", s.Addr, ev.Why, err)
		if lost != s.Lost {
			m.world.log(slog.LevelError, "address is lost", "address", s.Addr, "why", ev.Why, "error", err)
		}
		s.Lost = lost
		return
	}
	again.Key = s.Key
	s.Old, s.Lost, s.TryAt = true, "", 0
	s.Dev, s.Ino = 0, 0
	m.Sockets = append(m.Sockets, again)
	m.world.log(slog.LevelWarn, "address made again", "address", s.Addr, "why", "its path was "+ev.Why)
	m.reassignAll(s.ID)
}

func (m *machine) makeAgain(p *program, s *socket) (*socket, error) {
	if s.Given {
		return nil, fmt.Errorf("it is a socket of the service manager: restart its socket unit, and then the service")
	}
	return m.world.open(&p.Spec, s.Key, false)
}

func (m *machine) onEmptied(ev evEmptied) {
	s := m.socket(ev.ID)
	if s == nil || !s.Old || s.Ending {
		return
	}
	s.Ending = true
	m.world.refuse(s)
	m.reassignAll(s.ID)
}

// fleets are all programs whose slots count.
func (m *machine) fleets() []*program { return append(slices.Clone(m.Programs), m.next()...) }

func (m *machine) programAt(socket int) *program {
	for _, p := range m.fleets() {
		if p.has(socket) {
			return p
		}
	}
	return nil
}

func (p *program) has(socket int) bool {
	return slices.ContainsFunc(p.Slots, func(sl *slot) bool { return slices.Contains(sl.Sockets, socket) })
}

// reassignAll gives the programs that have a socket theirs anew.
func (m *machine) reassignAll(socket int) {
	for _, p := range m.fleets() {
		if !p.has(socket) {
			continue
		}
		if err := m.reassign(p); err != nil {
			m.world.log(slog.LevelError, "sockets", "program", p.Spec.Name, "error", err)
		}
	}
}

// problems are what is wrong with a program's addresses.
func (m *machine) problems(p *program) (list []string) {
	for _, s := range m.Sockets {
		if s.Lost != "" && p.has(s.ID) {
			list = append(list, s.Lost)
		}
	}
	return list
}

// lost are those of all programs.
func (m *machine) lost() (list []string) {
	for _, p := range m.Programs {
		list = append(list, m.problems(p)...)
	}
	return list
}
