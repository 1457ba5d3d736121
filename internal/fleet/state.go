package fleet

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jay-go/jay/control"
)

// Instant is a time of the system's monotonic clock in nanoseconds: it means
// the same before and after an upgrade. Zero is "never".
type Instant int64

func (t Instant) add(d time.Duration) Instant { return t + Instant(d) }

// StateVersion changes when an older build could no longer continue from the
// state of a newer one, or the other way round.
const StateVersion = 4

// State is everything that a machine knows: plain data, which an upgrade encodes as
// JSON and the next master goes on from. It is there to be read; only the machine
// changes it.
type State struct {
	Version         int                  `json:"version"`
	Phase           Phase                `json:"phase"`
	Generation      int                  `json:"generation"` // of the last completed start, reload or upgrade
	Builds          []*Build             `json:"builds"`
	Programs        []*Program           `json:"programs"`
	Workers         []*Worker            `json:"workers"` // in the order of their starts
	Sockets         []*Socket            `json:"sockets"`
	Operations      []*control.Operation `json:"operations"`
	Queue           []*queued            `json:"queue"`
	Change          *change              `json:"change"`
	Restarting      *restarting          `json:"restarting"` // a restart that asks its file; nil where there is none
	Trial           *trial               `json:"trial"`      // nil where there is none
	Restart         bool                 `json:"restart"`    // exec the file of RestartBuild when stopped
	RestartBuild    int                  `json:"restart_build"`
	Held            bool                 `json:"held"`        // workers are drained and not started again
	LastChange      Instant              `json:"last_change"` // when the last reload or upgrade began
	NextBuild       int                  `json:"next_build"`
	NextOperation   int                  `json:"next_operation"`
	NextIncarnation uint32               `json:"next_incarnation"`
}

// Phase is the life of the whole service.
type Phase string

const (
	PhaseRunning  Phase = "running"  // workers are kept alive; changes are accepted
	PhaseStopping Phase = "stopping" // every worker drains; nothing is started
	PhaseStopped  Phase = "stopped"  // no worker is left; the master may go
)

// Worker finds a worker; nil: it has been reaped, or never was. 0 is none.
func (s *State) Worker(id uint32) *Worker {
	if len(s.Workers) == 0 {
		return nil
	}
	first := s.Workers[0].ID // they are in the order of their starts, and so of their IDs, which wrap
	i, ok := slices.BinarySearchFunc(s.Workers, id-first, func(w *Worker, age uint32) int { return cmp.Compare(w.ID-first, age) })
	if !ok {
		return nil
	}
	return s.Workers[i]
}

// Build finds a build that something refers to, or nil.
func (s *State) Build(id int) *Build {
	for _, b := range s.Builds {
		if b.ID == id {
			return b
		}
	}
	return nil
}

func (s *State) socket(id int) *Socket {
	for _, k := range s.Sockets {
		if k.ID == id {
			return k
		}
	}
	return nil
}

// Operation finds an operation that is not forgotten yet, or nil.
func (s *State) Operation(id string) *control.Operation {
	for _, op := range s.Operations {
		if op.ID == id {
			return op
		}
	}
	return nil
}

// Program finds a program of the fleet that counts, or nil.
func (s *State) Program(name string) *Program { return findProgram(s.Programs, name) }

func findProgram(list []*Program, name string) *Program {
	i := slices.IndexFunc(list, func(p *Program) bool { return p.Spec.Name == name })
	if i < 0 {
		return nil
	}
	return list[i]
}

// next is the new fleet of the change in progress, nil where there is none.
func (s *State) next() []*Program {
	if s.Change == nil {
		return nil
	}
	return s.Change.Next
}

// fleets are the programs of both.
func (s *State) fleets() []*Program { return append(slices.Clone(s.Programs), s.next()...) }

// slotOf finds the slot that a worker fills or is the replacement of, and whether that
// is in the new fleet; nil for one that drains.
func (s *State) slotOf(id uint32) (p *Program, sl *Slot, isNext bool) {
	for i, fleet := range [][]*Program{s.Programs, s.next()} {
		for _, p := range fleet {
			for _, sl := range p.Slots {
				if sl.Worker == id || sl.Replacement == id {
					return p, sl, i == 1
				}
			}
		}
	}
	return nil, nil, false
}

// Ready counts the slots of a program whose worker serves.
func (s *State) Ready(p *Program) int {
	n := 0
	for _, sl := range p.Slots {
		if s.Worker(sl.Worker).serves() {
			n++
		}
	}
	return n
}

// AllReady reports whether every slot has a worker that serves.
func (s *State) AllReady() bool { return s.allReady(s.Programs) }

func (s *State) allReady(fleet []*Program) bool {
	for _, p := range fleet {
		if s.Ready(p) < len(p.Slots) {
			return false
		}
	}
	return true
}

// WantedWorkers counts the slots of the fleet that is, or is about to be, the
// one that counts.
func (s *State) WantedWorkers() int {
	n := 0
	for _, p := range s.next() {
		n += len(p.Slots)
	}
	for _, p := range s.Programs {
		if len(s.next()) == 0 || slices.Contains(s.Change.Kept, p.Spec.Name) {
			n += len(p.Slots)
		}
	}
	return n
}

// Reloading reports whether a reload or an upgrade is in progress.
func (s *State) Reloading() bool { return s.Change != nil && s.Change.Command.Kind != CommandScale }

// UpgradeBuild is what an upgrade in progress executes, once its file is known; nil
// where there is none.
func (s *State) UpgradeBuild() *Build {
	if s.Change == nil {
		return nil
	}
	return s.Build(s.Change.Build)
}

// CheckUpgrade says what would keep a machine from going on with the upgrade that is
// in progress in a state.
func (s *State) CheckUpgrade() error {
	if s.Change == nil {
		return errors.New("no upgrade is in progress in it")
	}
	for _, w := range s.Workers {
		if err := s.has(w.Build, w.Sockets); err != nil {
			return fmt.Errorf("worker %d: %w", w.ID, err)
		}
	}
	for _, p := range s.Programs {
		for i, sl := range p.Slots {
			if err := s.has(p.Build, sl.Sockets); err != nil {
				return fmt.Errorf("slot %s/%d: %w", p.Spec.Name, i, err)
			}
			for _, id := range []uint32{sl.Worker, sl.Replacement} {
				if id != 0 && s.Worker(id) == nil {
					return fmt.Errorf("slot %s/%d: worker %d is not in it", p.Spec.Name, i, id)
				}
			}
		}
	}
	return nil
}

// has looks for a build and for sockets.
func (s *State) has(build int, sockets []int) error {
	if s.Build(build) == nil {
		return fmt.Errorf("build %d is not in it", build)
	}
	for _, id := range sockets {
		if s.socket(id) == nil {
			return fmt.Errorf("socket %d is not in it", id)
		}
	}
	return nil
}

// Postpone moves everything that is due at a time by d: nothing has happened for
// so long.
func (s *State) Postpone(d time.Duration) {
	later := func(t *Instant) {
		if *t != 0 {
			*t = t.add(d)
		}
	}
	for _, w := range s.Workers {
		later(&w.Deadline)
		later(&w.RepeatAt)
		later(&w.LetGo)
	}
	for _, p := range s.fleets() {
		for _, sl := range p.Slots {
			later(&sl.RetryAt)
		}
	}
	for _, c := range s.Queue {
		later(&c.NotBefore)
	}
	if s.Change != nil {
		later(&s.Change.Until)
	}
}
