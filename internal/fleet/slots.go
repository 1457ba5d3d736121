package fleet

import (
	"fmt"
	"log/slog"
	"slices"
)

// SlotState says why a slot has no worker.
type SlotState string

const (
	SlotWanted  SlotState = ""        // a worker runs or is to be started
	SlotBackoff SlotState = "backoff" // started again at RetryAt
	SlotFailed  SlotState = "failed"  // given up until reload or scale
)

// Slot is the place of one worker.
type Slot struct {
	Worker      uint32    `json:"worker"`      // 0: none
	Replacement uint32    `json:"replacement"` // starts while Worker has to Leave; 0: none
	State       SlotState `json:"state"`
	Streak      int       `json:"streak"` // starts without a healthy second, in a row
	RetryAt     Instant   `json:"retry_at"`
	Sockets     []int     `json:"sockets"`
}

// fillSlots starts the workers that are wanted and may start now.
func (m *Machine) fillSlots() {
	if m.Phase != PhaseRunning || m.Held {
		return
	}
	now := m.world.Now()
	for _, p := range m.Programs {
		for i, sl := range p.Slots {
			if p.Spec.Exclusive && m.wantsReplacement(sl) {
				m.vacate(p, sl)
			}
			if m.wantsReplacement(sl) && !m.vacant(sl) {
				m.hurryOldest(p.Spec.Name, i)
			}
			if !m.vacant(sl) || m.barred(p) || sl.State == SlotFailed || sl.State == SlotBackoff && now < sl.RetryAt {
				continue
			}
			sl.State = SlotWanted
			err := m.start(p, i, m.Generation)
			m.tellStart(p, i, err)
			if err != nil {
				p.LastExit = "start: " + err.Error()
				sl.Streak = min(sl.Streak, startLimit-2) // no fault of the program's: never give up
				m.backOff(p, sl)
			}
		}
	}
}

// tellStart logs that workers of a program cannot be started, once for each
// reason in turn, and that they can be again.
func (m *Machine) tellStart(p *Program, slot int, err error) {
	reason := ""
	if err != nil {
		reason = err.Error()
	}
	switch {
	case reason == p.Unstartable:
		return
	case err != nil:
		m.world.Log(slog.LevelError, "start worker", "program", p.Spec.Name, "slot", slot, "error", err, "again", "with backoff")
	default:
		m.world.Log(slog.LevelInfo, "workers can be started again", "program", p.Spec.Name)
	}
	p.Unstartable = reason
}

// vacant reports whether a slot wants a process that may start now: it has
// none, or one that has to leave, no replacement yet, and room for one.
func (m *Machine) vacant(sl *Slot) bool {
	w := m.Worker(sl.Worker)
	return w == nil || m.wantsReplacement(sl) && (w.Hung || m.hasRoom(w.Program, w.Slot))
}

// wantsReplacement reports whether a slot has a worker that has to leave, and nobody
// to take its place: a replacement, or a reload that is under way. One that hangs does
// not wait for a reload.
func (m *Machine) wantsReplacement(sl *Slot) bool {
	w, c := m.Worker(sl.Worker), m.Change
	if w == nil || w.Leave == "" || w.Killed != "" || sl.Replacement != 0 {
		return false
	}
	return w.Hung || c == nil || c.Command.Kind == CommandScale || !m.isReloadable(w)
}

// workersOf lists the processes of a slot: its worker and its replacement.
func (m *Machine) workersOf(sl *Slot) []*Worker {
	var list []*Worker
	for _, id := range []uint32{sl.Worker, sl.Replacement} {
		if w := m.Worker(id); w != nil {
			list = append(list, w)
		}
	}
	return list
}

// start makes the worker of a slot, or the replacement of the one that it has.
func (m *Machine) start(p *Program, i, generation int) error {
	sl, now := p.Slots[i], m.world.Now()
	if n := len(m.Workers); n >= MaxProcesses {
		return fmt.Errorf("%d worker processes live, most of which drain; no more are possible", n)
	}
	w := &Worker{
		ID: m.NextIncarnation, Program: p.Spec.Name, Slot: i, Build: p.Build, Generation: generation, State: WorkerStarting,
		Cell: m.freeCell(), Sockets: slices.Clone(sl.Sockets), Started: now, Exclusive: p.Spec.Exclusive,
	}
	m.NextIncarnation++
	if m.NextIncarnation == 0 {
		m.NextIncarnation = 1
	}
	if p.Spec.StartTimeout >= 0 {
		w.Deadline = now.add(p.Spec.StartTimeout)
	}
	pid, err := m.world.Start(w, m.Build(p.Build), m.SocketsOf(p, sl.Sockets))
	if err != nil {
		return err
	}
	w.PID = pid
	if sl.Worker == 0 {
		sl.Worker = w.ID
	} else {
		sl.Replacement = w.ID
	}
	m.Workers = append(m.Workers, w)
	return nil
}

// StartAgain starts the process of a worker once more, which has ended before it could
// do anything. It reports false, and has changed nothing, where the end of the process is
// to be told by [Exited]: the worker was ready, is to go, or cannot be started.
func (m *Machine) StartAgain(w *Worker) bool {
	fleets := m.fleets()
	i := slices.IndexFunc(fleets, func(p *Program) bool { return p.Spec.Name == w.Program && p.Build == w.Build })
	if i < 0 || w.State != WorkerStarting || w.Killed != "" || len(w.Orders) > 0 {
		return false
	}
	pid, err := m.world.Start(w, m.Build(w.Build), m.SocketsOf(fleets[i], w.Sockets))
	if err != nil {
		return false
	}
	w.PID = pid
	return true
}

// SocketsOf are copies of sockets, named as the program names them: the old and
// the new code may write an address in different ways. While everything stops, those
// that are closed already are not among them.
func (m *Machine) SocketsOf(p *Program, ids []int) []*Socket {
	var list []*Socket
	for _, id := range ids {
		if open := m.socket(id); open != nil {
			s := *open
			s.Configured = p.Spec.configured(s.Key)
			list = append(list, &s)
		}
	}
	return list
}

// freeCell is the lowest cell of the board that no live worker has.
func (m *Machine) freeCell() int {
	used := map[int]bool{}
	for _, w := range m.Workers {
		used[w.Cell] = true
	}
	n := 0
	for used[n] {
		n++
	}
	return n
}

// backOff decides when a slot without a healthy worker is tried again. Besides
// the slot's own delay the program as a whole is held to startsInWindow.
func (m *Machine) backOff(p *Program, sl *Slot) {
	sl.Streak++
	if sl.Streak >= startLimit {
		sl.State = SlotFailed
		m.world.Log(slog.LevelError, "program gives up", "program", p.Spec.Name, "starts", sl.Streak, "last_exit", p.LastExit)
		return
	}
	delay := min(backoffFirst<<(sl.Streak-1), backoffMost)
	at := m.world.Now().add(m.world.Jitter(delay))
	limit := max(startsInWindow-len(p.Slots), 1)
	if n := len(p.Retries); n >= limit {
		at = max(at, p.Retries[n-limit].add(startWindow))
		p.Retries = p.Retries[n-limit+1:]
	}
	p.Retries = append(p.Retries, at)
	slices.Sort(p.Retries)
	sl.State, sl.RetryAt = SlotBackoff, at
}
