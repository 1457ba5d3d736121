package fleet

import (
	"slices"
	"strings"
)

// A milestone is a kind of state that an exploration has to come to, for what it is
// about to be about it.
type milestone string

const (
	unknown       milestone = "a worker drains and does not know of it"
	unheard       milestone = "a worker has taken the order to drain and the machine does not know of it"
	unheardOf     milestone = "a worker accepts from the sockets that it was given and the machine does not know of it"
	deafReplaced  milestone = "a worker that takes no orders leaves"
	deafKilled    milestone = "a worker that takes no orders is killed"
	besideDrain   milestone = "new code starts while workers of two builds drain or serve"
	waitsForDrain milestone = "a reload waits for a generation that drains"
	waitsForSlot  milestone = "a scale waits for a worker of a slot that drains"
	hurried       milestone = "a worker that drains without a limit is hurried"
	exchanged     milestone = "a change waits for the end of an exclusive worker"
	settlesAgain  milestone = "a change settles once more, after an exchange"
	hadBack       milestone = "a worker that drains and a new one accept from a socket that was about to end"
	newPath       milestone = "a socket has taken the path of another, which still has a backlog"
	lostPath      milestone = "a path is lost and cannot be made again"
	failedBind    milestone = "a change has failed for an address that cannot be bound"
)

// note counts the milestones that a situation is.
func (e *explorer) note(s *situation) {
	m := s.Machine
	at := func(name milestone, is bool) {
		if is {
			e.reached[name]++
		}
	}
	for _, w := range m.Workers {
		p := s.World.proc(w.PID)
		drains := w.State == WorkerDraining && !p.Killed
		at(unknown, drains && !p.Drained)
		at(unheard, drains && p.Drained && !w.hasTaken(orderDrain))
		at(unheardOf, !drains && len(p.Orders) == 0 && !w.hasTaken(orderSockets) && slices.Equal(p.Sockets, w.Sockets))
		at(deafReplaced, p.Deaf && w.Leave != "")
		at(deafKilled, p.Deaf && p.Killed && strings.Contains(w.Killed, "orders"))
		at(hurried, drains && w.Deadline != 0 && m.stopTimeout(w) < 0)
	}
	if c := m.Change; c != nil {
		builds := map[int]bool{}
		for _, w := range m.Workers {
			builds[w.Build] = true
		}
		at(besideDrain, c.Stage == changeStarting && c.Command.Kind != CommandScale && len(builds) >= 3)
		waits := slices.ContainsFunc(c.Command.Ops, func(id string) bool { return m.Operation(id).Waits != "" })
		at(exchanged, waits && c.Stage == changeExchanging && len(c.beside()) > 0)
		at(settlesAgain, c.Stage == changeSettling && len(c.Apart) > 0 && len(c.beside()) > 0 && m.allReady(c.Next))
		at(waitsForDrain, waits && c.Stage == changeWaiting && c.Command.Kind == CommandReload)
		at(waitsForSlot, waits && c.Stage == changeWaiting && c.Command.Kind == CommandScale)
	}
	for _, k := range s.World.Sockets {
		at(hadBack, k.Admitted && m.programAt(k.FD) != nil && slices.ContainsFunc(m.Workers, func(w *Worker) bool {
			return w.State == WorkerDraining && slices.Contains(w.Sockets, k.FD)
		}))
	}
	for _, k := range m.Sockets {
		at(newPath, k.Old && !k.Ending)
		at(lostPath, k.Lost != "")
	}
	for _, op := range m.Operations {
		at(failedBind, strings.Contains(op.Error, "address already in use"))
	}
}
