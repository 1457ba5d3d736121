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
	names := map[string]map[int]int{"worker": {}, "build": {}, "fd": {}}
	name := func(kind string, n int) int {
		if n == 0 {
			return 0
		}
		if _, ok := names[kind][n]; !ok {
			names[kind][n] = len(names[kind]) + 1
		}
		return names[kind][n]
	}
	relative := func(t *Instant) {
		if *t != 0 {
			*t = max(*t-w.Clock, -Instant(healthyTime)) + 2*Instant(healthyTime)
		}
	}
	for _, fleet := range [][]*Program{m.Programs, m.next()} {
		for _, p := range fleet {
			p.Build = name("build", p.Build)
			for i := range p.Retries {
				relative(&p.Retries[i])
			}
			p.LastExit, p.Restarts = "", 0
			for _, sl := range p.Slots {
				sl.Worker, sl.Replacement = uint32(name("worker", int(sl.Worker))), uint32(name("worker", int(sl.Replacement)))
				relative(&sl.RetryAt)
				for i := range sl.Sockets {
					sl.Sockets[i] = name("fd", sl.Sockets[i])
				}
			}
		}
	}
	for _, k := range m.Workers {
		p := w.proc(k.PID)
		k.ID, k.Build = uint32(name("worker", int(k.ID))), name("build", k.Build)
		p.PID, p.ID = int(k.ID), k.ID
		k.PID, k.Cell, k.Generation = p.PID, 0, k.Generation-m.Generation
		relative(&k.Started)
		relative(&k.Deadline)
		for i := range k.Sockets {
			k.Sockets[i] = name("fd", k.Sockets[i])
		}
		relative(&k.RepeatAt)
		relative(&k.LetGo)
		k.Ordered = 0
		for i := range k.Orders {
			k.Orders[i].N = 0
		}
		for i := range p.Orders {
			p.Orders[i].N, p.Orders[i].Sockets, p.Orders[i].Added, p.Orders[i].Drain.Limit = 0, nil, nil, 0
		}
		p.Sockets = nil
	}
	if m.Change != nil {
		m.Change.Build = name("build", m.Change.Build)
		relative(&m.Change.Until)
		m.Change.Command.Ops = nil
	}
	for _, q := range m.Queue {
		q.Ops = nil
		relative(&q.NotBefore)
	}
	if m.Restarting != nil {
		m.Restarting.Token, m.Restarting.Ops = 0, nil
	}
	if m.Trial != nil {
		m.Trial.Ops = nil
	}
	m.RestartBuild = name("build", m.RestartBuild)
	m.Sockets, m.Builds, w.Sockets, w.Files = nil, nil, nil, nil
	m.Operations, m.NextBuild, m.NextOperation, m.NextIncarnation = nil, 0, 0, 0
	relative(&m.LastChange)
	m.Generation = 0
	w.Describes = slices.Clone(w.Describes)
	for i := range w.Describes {
		w.Describes[i].Token = 0
	}
	w.Clock, w.NextPID, w.NextFD = 0, 0, 0
	b := append(encodingOf(&m.State), encodingOf(w)...)
	return sha256.Sum256(fmt.Append(b, s.budget))
}
