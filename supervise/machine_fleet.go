package supervise

import (
	"fmt"

	"github.com/jay-go/jay/internal/addr"
)

// addBuild records an open program file.
func (m *machine) addBuild(ev evDescribed) *build {
	b := &build{ID: m.NextBuild, File: ev.File, Version: ev.Version, Same: ev.Same}
	m.NextBuild++
	m.Builds = append(m.Builds, b)
	return b
}

// newFleet makes the programs of a build, with their sockets open, without
// workers. Sockets that exist already are used. Programs that keep their
// workers are not in the fleet but in kept. After an error nothing refers to
// the sockets that were opened.
func (m *machine) newFleet(b *build, specs []programSpec) (fleet []*program, kept []string, err error) {
	total, sockets := 0, 0
	for _, spec := range specs {
		p := &program{Spec: spec, Build: b.ID, Declared: spec.Count}
		if old := findProgram(m.Programs, spec.Name); old != nil {
			if old.Declared == spec.Count && !spec.Exclusive {
				p.Spec.Count = old.Spec.Count // as scaled
			}
		}
		if total += p.Spec.Count; total > maxWorkers {
			return nil, nil, fmt.Errorf("program %s: %d workers in all, at most %d are possible", spec.Name, total, maxWorkers)
		}
		if sockets += socketsOf(spec.Listen, spec.ReusePort, p.Spec.Count); sockets > maxSockets {
			return nil, nil, tooMany(spec.Name, sockets)
		}
		if old := findProgram(m.Programs, spec.Name); old != nil {
			if old.Spec.NotReloadable && spec.NotReloadable {
				kept = append(kept, spec.Name)
				continue
			}
		}
		for range p.Spec.Count {
			p.Slots = append(p.Slots, &slot{})
		}
		if err := m.assignSockets(p); err != nil {
			return nil, nil, fmt.Errorf("program %s: %w", spec.Name, err)
		}
		fleet = append(fleet, p)
	}
	return fleet, kept, nil
}

// configured is how the program writes the address of a socket.
func (s *programSpec) configured(key socketKey) string {
	if i := s.place(key); i >= 0 {
		return s.Listen[i]
	}
	return key.Addr
}

// place is which of the program's addresses a socket is for, or -1.
func (s *programSpec) place(key socketKey) int {
	seen := 0
	for i, text := range s.Listen {
		a, err := addr.Parse(text)
		if err != nil || a.String() != key.Addr {
			continue
		}
		if seen == key.Nth {
			return i
		}
		seen++
	}
	return -1
}

// assignSockets gives every slot its sockets: the shared one, or one of its
// own. Those of slots that no longer exist go to the slots that do, so that
// nobody who waits in their queues is lost.
func (m *machine) assignSockets(p *program) error {
	for _, sl := range p.Slots {
		sl.Sockets = nil
	}
	seen := map[string]int{}
	for _, text := range p.Spec.Listen {
		a, err := addr.Parse(text)
		if err != nil {
			return err
		}
		key := socketKey{Addr: a.String(), Nth: seen[a.String()]}
		seen[key.Addr]++
		if a.Scheme != addr.Unix && a.Port == 0 {
			key.Program = p.Spec.Name
		}
		if err := m.assignAddress(p, key, text, perSlot(a, p.Spec.ReusePort)); err != nil {
			return err
		}
	}
	return nil
}

func (m *machine) assignAddress(p *program, key socketKey, text string, perSlot bool) error {
	first, err := m.obtain(p, key, text, perSlot)
	if err != nil {
		return err
	}
	perSlot = perSlot && !first.Given // who gave it may be the only one who can bind there
	for i, sl := range p.Slots {
		s := first
		if perSlot && i > 0 {
			slotKey := key
			slotKey.Slot = i
			if s, err = m.obtain(p, slotKey, text, true); err != nil {
				return err
			}
		}
		sl.Sockets = append(sl.Sockets, s.ID)
	}
	own := len(p.Slots)
	if !perSlot {
		own = 1
	}
	for _, s := range m.Sockets {
		k := s.Key
		k.Slot = 0
		if k == key && s.Old && !s.Ending {
			for _, sl := range p.Slots {
				sl.Sockets = append(sl.Sockets, s.ID)
			}
		} else if k == key && s.Key.Slot >= own && m.open(s.Key) == s {
			sl := p.Slots[s.Key.Slot%len(p.Slots)]
			sl.Sockets = append(sl.Sockets, s.ID)
		}
	}
	return nil
}

// listenError says which address could not be opened.
type listenError struct {
	addr string
	err  error
}

func (e *listenError) Error() string { return fmt.Sprintf("listen %s: %v", e.addr, e.err) }
func (e *listenError) Unwrap() error { return e.err }

// obtain finds an open socket or opens it.
func (m *machine) obtain(p *program, key socketKey, text string, perSlot bool) (*socket, error) {
	if s := m.open(key); s != nil {
		if perSlot && key.Slot == 0 && !s.Given {
			if err := m.world.share(s.ID); err != nil {
				return nil, fmt.Errorf("listen %s: %w", text, err)
			}
		}
		return s, nil
	}
	at := key
	if key.Slot > 0 { // bind where slot 0 is, which matters for port 0
		first := key
		first.Slot = 0
		if s := m.open(first); s != nil {
			at.Addr = s.Addr
		}
	}
	s, err := m.world.open(&p.Spec, at, perSlot)
	if err != nil {
		return nil, &listenError{text, err}
	}
	s.Key = key
	m.Sockets = append(m.Sockets, s)
	return s, nil
}
