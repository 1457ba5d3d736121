package fleet

import (
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// At most MaxGenerations generations live, and as many processes of one slot, so
// that what drains without a limit does not pile up. Where one more is to
// start, the oldest that only drains is in its way, and is hurried: nobody else.

// makeRoom reports what a new generation has to wait for, and hurries that; "" is
// nothing.
func (m *Machine) makeRoom() string {
	if builds := m.drainingBuilds(); len(builds) > MaxGenerations-2 {
		oldest := builds[0]
		generation := 0
		for _, w := range m.Workers {
			if w.Build == oldest && m.isReloadable(w) {
				generation = w.Generation
				m.hurry(w, "a new generation waits for it")
			}
		}
		return fmt.Sprintf("generation %d drains, and %d more live", generation, MaxGenerations-1)
	}
	for _, p := range m.Programs {
		for i := range p.Slots {
			if p.Spec.NotReloadable {
				break
			}
			if !m.hasRoom(p.Spec.Name, i) {
				m.hurryOldest(p.Spec.Name, i)
				return fmt.Sprintf("%d workers %s/%d live", MaxGenerations, p.Spec.Name, i)
			}
		}
	}
	return ""
}

// drainingBuilds are those of generations that only drain, oldest first.
// Workers that stay through reloads are not counted, nor those that have left.
func (m *Machine) drainingBuilds() []int {
	var builds []int
	for _, w := range m.Workers {
		if w.State == WorkerDraining && m.isReloadable(w) && !slices.Contains(builds, w.Build) {
			builds = append(builds, w.Build)
		}
	}
	builds = slices.DeleteFunc(builds, func(id int) bool {
		return slices.ContainsFunc(m.Programs, func(p *Program) bool { return p.Build == id && !p.Spec.NotReloadable })
	})
	slices.Sort(builds)
	return builds
}

func (m *Machine) isReloadable(w *Worker) bool {
	p := findProgram(m.Programs, w.Program)
	return p == nil || !p.Spec.NotReloadable
}

// hasRoom reports whether one more process of a slot may start beside those
// that serve or drain.
func (m *Machine) hasRoom(program string, slot int) bool {
	n := 0
	for _, w := range m.Workers {
		if w.Program == program && w.Slot == slot {
			n++
		}
	}
	return n < MaxGenerations
}

// hurryOldest hurries the process of a slot that has drained longest.
func (m *Machine) hurryOldest(program string, slot int) {
	for _, w := range m.Workers { // in the order of their starts
		if w.Program == program && w.Slot == slot && w.State == WorkerDraining {
			m.hurry(w, "another worker of its slot waits for it")
			return
		}
	}
}

// hurry bounds the drain of a worker that has no limit of its own.
func (m *Machine) hurry(w *Worker, why string) {
	if w.State != WorkerDraining || w.Deadline != 0 || w.Killed != "" {
		return
	}
	w.Deadline = m.world.Now().add(forcedDrain + killGrace)
	m.world.Log(slog.LevelWarn, "hurry worker", "program", w.Program, "slot", w.Slot, "pid", w.PID, "generation", w.Generation,
		"why", why, "within", forcedDrain.Round(time.Second))
	m.orderDrain(w, false)
}
