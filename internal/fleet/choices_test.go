package fleet

import (
	"errors"
	"fmt"
)

// choice is an event that may come next.
type choice struct {
	name string
	do   func(*situation)
	// may is whose ready workers may become fewer by it; "*" is everybody's.
	may string
}

// choiceList collects choices. Processes and sockets are by index in them, as they
// are carried out on a copy.
type choiceList []choice

func (l *choiceList) add(name, may string, do func(*situation)) {
	*l = append(*l, choice{name, do, may})
}

// choices are the events that may come next.
func (e *explorer) choices(s *situation) (list choiceList) {
	m := s.Machine
	if m.Phase == PhaseStopped {
		return nil
	}
	if m.ExecDue() {
		list.add("exec succeeds", "", func(s *situation) { s.exec(e.next...) })
		list.add("exec fails", "", func(s *situation) { s.Machine.Step(ExecFailed{errors.New("exec format error")}) })
		return list
	}
	for i, p := range s.World.Procs {
		if e.ends(&list, s, i); p.Killed {
			continue // nothing else can come of it
		}
		e.orders(&list, s, i)
		e.works(&list, s, i)
	}
	e.sockets(&list, s)
	e.files(&list, s)
	if at := m.NextDeadline(); at != 0 {
		list.add("time passes", "*", func(s *situation) { s.tick() })
	}
	if s.budget.waits > 0 {
		list.add("a second passes", "*", func(s *situation) { s.budget.waits--; s.World.Clock += Instant(healthyTime); s.Machine.Step(Tick{}) })
	}
	if s.budget.fails > 0 && s.World.FailStart == 0 {
		list.add("the next fork fails", "", func(s *situation) { s.budget.fails--; s.World.FailStart = 1 })
	}
	if s.budget.binds > 0 && s.World.FailOpen == 0 {
		list.add("the next bind fails", "", func(s *situation) { s.budget.binds--; s.World.FailOpen = 1 })
	}
	if s.budget.admits > 0 {
		list.add("a socket that is about to end cannot be had back", "", func(s *situation) { s.budget.admits--; s.World.NoAdmit = true })
	}
	if s.budget.commands > 0 {
		e.commands(&list, s)
	}
	return list
}

// ends are the ways in which a process ends.
func (e *explorer) ends(list *choiceList, s *situation, i int) {
	p := s.World.Procs[i]
	program := s.Machine.Worker(p.ID).Program
	switch {
	case p.ends():
		list.add(fmt.Sprintf("%s exits (pid %d)", program, p.PID), program, func(s *situation) { s.Machine.Step(s.World.reap(s.World.Procs[i])) })
	case s.budget.crashes > 0:
		list.add(fmt.Sprintf("%s crashes (pid %d)", program, p.PID), program, func(s *situation) {
			s.budget.crashes--
			s.Machine.Step(s.World.reap(s.World.Procs[i]))
		})
	}
}

// orders are what may become of the orders for a process: each may be lost on its
// way, or known to be undelivered, or taken, of which the machine may not hear. A deaf
// process takes none, ever.
func (e *explorer) orders(list *choiceList, s *situation, i int) {
	p := s.World.Procs[i]
	program := s.Machine.Worker(p.ID).Program
	if s.budget.deaf > 0 && !p.Deaf {
		list.add(fmt.Sprintf("%s goes deaf (pid %d)", program, p.PID), "", func(s *situation) { s.budget.deaf--; s.World.Procs[i].Deaf = true })
	}
	if p.hasOrders() {
		list.add(fmt.Sprintf("%s takes its orders (pid %d)", program, p.PID), "", func(s *situation) { s.takeOrders(s.World.Procs[i]) })
	}
	if len(p.Orders) == 0 || s.budget.losses == 0 {
		return
	}
	list.add(fmt.Sprintf("an order for %s is lost (pid %d)", program, p.PID), "", func(s *situation) { s.loseOrder(i) })
	list.add(fmt.Sprintf("an order for %s is not delivered (pid %d)", program, p.PID), "", func(s *situation) {
		s.Machine.Step(Undelivered{p.ID, s.loseOrder(i), "no room"})
	})
	if p.hasOrders() {
		list.add(fmt.Sprintf("%s takes its orders, and nobody hears of it (pid %d)", program, p.PID), "", func(s *situation) {
			s.budget.losses--
			s.World.Procs[i].takeAll()
		})
	}
}

// loseOrder takes the first order away that a process has not seen.
func (s *situation) loseOrder(i int) int {
	s.budget.losses--
	p := s.World.Procs[i]
	lost := p.Orders[0]
	p.Orders = p.Orders[1:]
	return lost.N
}

// works is what else a process may do, or say.
func (e *explorer) works(list *choiceList, s *situation, i int) {
	p := s.World.Procs[i]
	w := s.Machine.Worker(p.ID)
	if p.Drained && !p.Hung && len(w.Sockets) > 0 && e.drops {
		list.add(fmt.Sprintf("%s accepts no more (pid %d)", w.Program, p.PID), "", func(s *situation) { s.Machine.Step(Unlistened{p.ID}) })
	}
	if w.Hung {
		list.add(fmt.Sprintf("%s goes on (pid %d)", w.Program, p.PID), "*", func(s *situation) {
			s.World.Procs[i].Hung = false
			s.Machine.Step(Recovered{p.ID})
		})
	} else if s.budget.hangs > 0 && !p.Hung {
		list.add(fmt.Sprintf("%s hangs (pid %d)", w.Program, p.PID), w.Program, func(s *situation) {
			s.budget.hangs--
			s.World.Procs[i].Hung = true
			s.Machine.Step(Replace{ID: p.ID, Why: "blocked", Hung: true})
		})
	}
	if s.budget.recycles > 0 && p.Ready {
		list.add(fmt.Sprintf("%s has served its time (pid %d)", w.Program, p.PID), "", func(s *situation) {
			s.budget.recycles--
			s.Machine.Step(Replace{ID: p.ID, Why: "100 requests"})
		})
	}
	if !p.Ready && !p.Hung {
		list.add(fmt.Sprintf("%s is ready (pid %d)", w.Program, p.PID), "*", func(s *situation) {
			s.World.Procs[i].Ready = true
			s.Machine.Step(Ready{p.ID})
		})
	}
}

// sockets are what may become of sockets: one loses its path, which may be free or
// taken, or its backlog is empty.
func (e *explorer) sockets(list *choiceList, s *situation) {
	for i, open := range s.World.Sockets {
		k := s.Machine.socket(open.FD)
		if k.Old && !k.Ending {
			list.add(fmt.Sprintf("nobody waits in socket %d", open.FD), "", func(s *situation) { s.Machine.Step(Emptied{open.FD}) })
		}
		if k.Old || k.Ending {
			continue
		}
		if k.Lost != "" {
			list.add(fmt.Sprintf("the path of socket %d is back", open.FD), "", func(s *situation) { s.Machine.Step(Lost{ID: open.FD}) })
		}
		if s.budget.paths > 0 {
			list.add(fmt.Sprintf("the path of socket %d is removed", open.FD), "", func(s *situation) {
				s.budget.paths--
				s.World.Sockets[i].Removed = true
				s.Machine.Step(Lost{ID: open.FD, Why: "removed"})
			})
			list.add(fmt.Sprintf("the path of socket %d is another's", open.FD), "", func(s *situation) {
				s.budget.paths--
				s.Machine.Step(Lost{ID: open.FD, Why: "replaced"})
			})
		}
	}
}

// files are what may come of program files.
func (e *explorer) files(list *choiceList, s *situation) {
	m := s.Machine
	if len(s.World.Describes) > 0 {
		list.add("described", "", func(s *situation) { s.described(nil, e.next...) })
		if s.budget.backs > 0 {
			list.add("described as at first", "", func(s *situation) { s.budget.backs--; s.described(nil, e.first...) })
		}
		list.add("description fails", "", func(s *situation) { s.described(errors.New("exit 1")) })
	}
	if m.Trial != nil {
		list.add("the trial is over", "", func(s *situation) { s.Machine.Step(TrialOver{}) })
		list.add("the trial fails", "*", func(s *situation) { s.Machine.Step(GoBack{}) })
	}
	if s.budget.commands > 0 && m.Phase == PhaseRunning && s.budget.only == "" {
		list.add("back to the file before", "*", func(s *situation) { s.budget.commands--; s.Machine.Step(GoBack{}) })
	}
}

// commands are what may be asked for.
func (e *explorer) commands(list *choiceList, s *situation) {
	m := s.Machine
	events := []Command{{Kind: CommandReload}, {Kind: CommandUpgrade}, {Kind: CommandStop}, {Kind: CommandRestart}, {Kind: CommandHold}}
	if m.Phase == PhaseStopping {
		events = append(events, Command{Kind: CommandStop, Now: true})
	}
	for _, n := range []int{1, 2, 3} {
		if n != len(m.Programs[0].Slots) {
			events = append(events, Command{Kind: CommandScale, Program: m.Programs[0].Spec.Name, Count: n})
		}
	}
	for _, ev := range events {
		if s.budget.only != "" && ev.Kind != s.budget.only {
			continue
		}
		list.add(fmt.Sprintf("%s %d", ev.Kind, ev.Count), "*", func(s *situation) { s.budget.commands--; s.command(ev) })
	}
}
