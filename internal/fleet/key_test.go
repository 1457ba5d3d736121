package fleet

import (
	"crypto/sha256"
	"fmt"
	"slices"
)

// key stands for the state with everything taken out that does not matter for what
// comes: absolute times, and the numbers of processes, builds and operations.
func (s *situation) key() [sha256.Size]byte {
	c := s.fakeService.copy()
	m, w := c.Machine, c.World
	k := &keyMaker{clock: w.Clock, names: map[string]map[int]int{"worker": {}, "build": {}, "fd": {}}}
	for _, p := range m.fleets() {
		k.program(p)
	}
	for _, worker := range m.Workers {
		k.worker(worker, w.proc(worker.PID), m.Generation)
	}
	k.changes(&m.State)
	for _, socket := range m.Sockets {
		k.relative(&socket.TryAt)
		socket.ID = k.name("fd", socket.ID)
	}
	for i := range w.Sockets {
		w.Sockets[i].FD = k.name("fd", w.Sockets[i].FD)
	}
	m.Builds, w.Files = nil, nil
	m.Operations, m.NextBuild, m.NextOperation, m.NextIncarnation = nil, 0, 0, 0
	k.relative(&m.LastChange)
	m.Generation = 0
	w.Describes = slices.Clone(w.Describes)
	for i := range w.Describes {
		w.Describes[i].Token = 0
	}
	w.Clock, w.NextPID, w.NextFD = 0, 0, 0
	b := append(encodingOf(&m.State), encodingOf(w)...)
	return sha256.Sum256(fmt.Append(b, s.budget))
}

// keyMaker takes out of a state what does not matter.
type keyMaker struct {
	clock Instant
	names map[string]map[int]int // by kind, in the order in which they are met
}

// name is what a number is called.
func (k *keyMaker) name(kind string, n int) int {
	if n == 0 {
		return 0
	}
	if _, ok := k.names[kind][n]; !ok {
		k.names[kind][n] = len(k.names[kind]) + 1
	}
	return k.names[kind][n]
}

// relative makes a time one that is so far from now; all that have long passed are one.
func (k *keyMaker) relative(t *Instant) {
	if *t != 0 {
		*t = max(*t-k.clock, -Instant(healthyTime)) + 2*Instant(healthyTime)
	}
}

func (k *keyMaker) program(p *Program) {
	p.Build = k.name("build", p.Build)
	for i := range p.Retries {
		k.relative(&p.Retries[i])
	}
	p.LastExit, p.Restarts = "", 0
	for _, sl := range p.Slots {
		sl.Worker, sl.Replacement = uint32(k.name("worker", int(sl.Worker))), uint32(k.name("worker", int(sl.Replacement)))
		k.relative(&sl.RetryAt)
		for i := range sl.Sockets {
			sl.Sockets[i] = k.name("fd", sl.Sockets[i])
		}
	}
}

func (k *keyMaker) worker(w *Worker, p *fakeProc, generation int) {
	w.ID, w.Build = uint32(k.name("worker", int(w.ID))), k.name("build", w.Build)
	p.PID, p.ID = int(w.ID), w.ID
	w.PID, w.Cell, w.Generation = p.PID, 0, w.Generation-generation
	k.relative(&w.Started)
	k.relative(&w.Deadline)
	for i := range w.Sockets {
		w.Sockets[i] = k.name("fd", w.Sockets[i])
	}
	k.relative(&w.RepeatAt)
	k.relative(&w.LetGo)
	w.Ordered = 0
	for i := range w.Orders {
		w.Orders[i].N = 0
	}
	for i := range p.Orders {
		p.Orders[i].N, p.Orders[i].Sockets, p.Orders[i].Added, p.Orders[i].Drain.Limit = 0, nil, nil, 0
	}
	p.Sockets = nil
}

func (k *keyMaker) changes(s *State) {
	if s.Change != nil {
		s.Change.Build = k.name("build", s.Change.Build)
		k.relative(&s.Change.Until)
		s.Change.Command.Ops = nil
	}
	for _, q := range s.Queue {
		q.Ops = nil
		k.relative(&q.NotBefore)
	}
	if s.Restarting != nil {
		s.Restarting.Token, s.Restarting.Ops = 0, nil
	}
	if s.Trial != nil {
		s.Trial.Ops = nil
	}
	s.RestartBuild = k.name("build", s.RestartBuild)
}
