package fleet

import (
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// A Unix socket whose path somebody has removed, or replaced, is heard by nobody
// who connects. Another is made at the path, and the old one stays until those
// who wait in its backlog have been accepted.

// lostAgain is how long after a try to make a path again the next follows: it
// connects to whoever has the path now.
const lostAgain = 2 * time.Second

func (ev Lost) take(m *Machine) {
	s := m.socket(ev.ID)
	if s == nil || s.Old || s.Ending || m.Phase != PhaseRunning {
		return
	}
	if ev.Why == "" {
		if s.Lost != "" {
			s.Lost, s.TryAt = "", 0
			m.world.Log(slog.LevelInfo, "address is back", "address", s.Addr)
		}
		return
	}
	p := m.programAt(s.ID)
	if p == nil || m.world.Now() < s.TryAt {
		return
	}
	s.TryAt = m.world.Now().add(lostAgain)
	again, err := m.makeAgain(p, s)
	if err != nil {
		lost := fmt.Sprintf("%s: its path was %s; to make it again: %v", s.Addr, ev.Why, err)
		if lost != s.Lost {
			m.world.Log(slog.LevelError, "address is lost", "address", s.Addr, "why", ev.Why, "error", err)
		}
		s.Lost = lost
		return
	}
	again.Key = s.Key
	s.Old, s.Lost, s.TryAt = true, "", 0
	s.Dev, s.Ino = 0, 0
	m.Sockets = append(m.Sockets, again)
	m.world.Log(slog.LevelWarn, "address made again", "address", s.Addr, "why", "its path was "+ev.Why)
	m.reassignAll(s.ID)
}

func (m *Machine) makeAgain(p *Program, s *Socket) (*Socket, error) {
	if s.Given {
		return nil, fmt.Errorf("it is a socket of the service manager: restart its socket unit, and then the service")
	}
	return m.world.Open(&p.Spec, s.Key, false)
}

func (ev Emptied) take(m *Machine) {
	s := m.socket(ev.ID)
	if s == nil || !s.Old || s.Ending {
		return
	}
	s.Ending = true
	m.world.Refuse(s)
	m.reassignAll(s.ID)
}

// programAt finds a program that has a socket, or nil.
func (m *Machine) programAt(socket int) *Program {
	for _, p := range m.fleets() {
		if p.has(socket) {
			return p
		}
	}
	return nil
}

// has reports whether a slot of the program has a socket.
func (p *Program) has(socket int) bool {
	return slices.ContainsFunc(p.Slots, func(sl *Slot) bool { return slices.Contains(sl.Sockets, socket) })
}

// reassignAll gives the programs that have a socket theirs anew.
func (m *Machine) reassignAll(socket int) {
	for _, p := range m.fleets() {
		if !p.has(socket) {
			continue
		}
		if err := m.reassign(p); err != nil {
			m.world.Log(slog.LevelError, "sockets", "program", p.Spec.Name, "error", err)
		}
	}
}

// Problems are what is wrong with the addresses of programs.
func (s *State) Problems(programs ...*Program) (list []string) {
	for _, p := range programs {
		for _, k := range s.Sockets {
			if k.Lost != "" && p.has(k.ID) {
				list = append(list, k.Lost)
			}
		}
	}
	return list
}
