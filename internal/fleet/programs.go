package fleet

import (
	"fmt"

	"github.com/jay-go/jay/internal/addr"
)

// Build is one open program file.
type Build struct {
	ID      int    `json:"id"`
	File    int    `json:"file"` // the world's handle
	Version string `json:"version"`
	Same    bool   `json:"same"` // the file is that of the build before it
}

// Program is a program of a fleet, with its slots.
type Program struct {
	Spec     Spec      `json:"spec"`
	Build    int       `json:"build"`    // what its slots start
	Declared int       `json:"declared"` // count as the file says; Spec.Count may be scaled
	Slots    []*Slot   `json:"slots"`
	Restarts int       `json:"restarts"`
	LastExit string    `json:"last_exit"`
	Retries  []Instant `json:"retries"` // when unhealthy slots were, or will be, started again

	Unstartable string `json:"unstartable,omitempty"` // why the last start made no process; "": it did
}

// addBuild records an open program file.
func (m *Machine) addBuild(ev Described) *Build {
	b := &Build{ID: m.NextBuild, File: ev.File, Version: ev.Version, Same: ev.Same}
	m.NextBuild++
	m.Builds = append(m.Builds, b)
	return b
}

// newFleet makes the programs of a build, with their sockets open, without
// workers. Sockets that exist already are used. Programs that keep their
// workers are not in the fleet but in kept. After an error nothing refers to
// the sockets that were opened.
func (m *Machine) newFleet(b *Build, specs []Spec) (fleet []*Program, kept []string, err error) {
	var sum size
	for _, spec := range specs {
		p := &Program{Spec: spec, Build: b.ID, Declared: spec.Count}
		if old := findProgram(m.Programs, spec.Name); old != nil {
			if old.Declared == spec.Count && !spec.Exclusive {
				p.Spec.Count = old.Spec.Count // as scaled
			}
		}
		if err := sum.add(&p.Spec, p.Spec.Count); err != nil {
			return nil, nil, err
		}
		if old := findProgram(m.Programs, spec.Name); old != nil {
			if old.Spec.NotReloadable && spec.NotReloadable {
				kept = append(kept, spec.Name)
				continue
			}
		}
		for range p.Spec.Count {
			p.Slots = append(p.Slots, &Slot{})
		}
		if err := m.assignSockets(p); err != nil {
			return nil, nil, fmt.Errorf("program %s: %w", spec.Name, err)
		}
		fleet = append(fleet, p)
	}
	return fleet, kept, nil
}

// assignSockets gives every slot its sockets: the shared one, or one of its
// own. Those of slots that no longer exist go to the slots that do, so that
// nobody who waits in their backlogs is lost.
func (m *Machine) assignSockets(p *Program) error {
	for _, sl := range p.Slots {
		sl.Sockets = nil
	}
	seen := map[string]int{}
	for _, text := range p.Spec.Listen {
		a, err := addr.Parse(text)
		if err != nil {
			return err
		}
		key := SocketKey{Addr: a.String(), Nth: seen[a.String()]}
		seen[key.Addr]++
		if a.Scheme != addr.Unix && a.Port == 0 {
			key.Program = p.Spec.Name
		}
		if err := m.assignAddress(p, key, text, p.Spec.perSlot(a)); err != nil {
			return err
		}
	}
	return nil
}

func (m *Machine) assignAddress(p *Program, key SocketKey, text string, perSlot bool) error {
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

// A ListenError says which address could not be opened.
type ListenError struct {
	Addr string // as the program writes it
	Err  error
}

func (e *ListenError) Error() string { return fmt.Sprintf("listen %s: %v", e.Addr, e.Err) }
func (e *ListenError) Unwrap() error { return e.Err }

// obtain finds an open socket or opens it.
func (m *Machine) obtain(p *Program, key SocketKey, text string, perSlot bool) (*Socket, error) {
	if s := m.open(key); s != nil {
		if perSlot && key.Slot == 0 && !s.Given {
			if err := m.world.Share(s.ID); err != nil {
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
	s, err := m.world.Open(&p.Spec, at, perSlot)
	if err != nil {
		return nil, &ListenError{text, err}
	}
	s.Key = key
	m.Sockets = append(m.Sockets, s)
	return s, nil
}
