package supervise

import (
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// fillSlots starts the workers that are wanted and may start now.
func (m *machine) fillSlots() {
	if m.Phase != phaseRunning || m.Held {
		return
	}
	now := m.world.now()
	for _, p := range m.Programs {
		for i, sl := range p.Slots {
			if p.Spec.Exclusive && m.wantsHeir(sl) {
				m.vacate(p, sl)
			}
			if m.wantsHeir(sl) && !m.vacant(sl) {
				m.hurryOldest(p.Spec.Name, i)
			}
			if !m.vacant(sl) || m.barred(p) || sl.State == slotFailed || sl.State == slotBackoff && now < sl.RetryAt {
				continue
			}
			sl.State = slotWanted
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
func (m *machine) tellStart(p *program, slot int, err error) {
	reason := ""
	if err != nil {
		reason = err.Error()
	}
	switch {
	case reason == p.Unstartable:
		return
	case err != nil:
		m.world.log(slog.LevelError, "start worker", "program", p.Spec.Name, "slot", slot, "error", err, "again", "with backoff")
	default:
		m.world.log(slog.LevelInfo, "workers can be started again", "program", p.Spec.Name)
	}
	p.Unstartable = reason
}

// vacant reports whether a slot wants a process that may start now: it has
// none, or one that has to leave, no heir yet, and room for one.
func (m *machine) vacant(sl *slot) bool {
	w := m.worker(sl.Worker)
	return w == nil || m.wantsHeir(sl) && (w.Hung || m.hasRoom(w.Program, w.Slot))
}

// wantsHeir reports whether a slot has a worker that has to leave, and nobody
// to take its place: an heir, or a reload that is under way. One that hangs does
// not wait for a reload.
func (m *machine) wantsHeir(sl *slot) bool {
	w, c := m.worker(sl.Worker), m.Change
	if w == nil || w.Leave == "" || w.Killed != "" || sl.Heir != 0 {
		return false
	}
	return w.Hung || c == nil || c.Command.Kind == commandScale || !m.isReloadable(w)
}

// workersOf lists the processes of a slot: its worker and its heir.
func (m *machine) workersOf(sl *slot) []*worker {
	var list []*worker
	for _, id := range []uint32{sl.Worker, sl.Heir} {
		if w := m.worker(id); w != nil {
			list = append(list, w)
		}
	}
	return list
}

// start makes the worker of a slot, or the heir of the one that it has.
func (m *machine) start(p *program, i, generation int) error {
	sl, now := p.Slots[i], m.world.now()
	if n := len(m.Workers); n >= boardCells {
		return fmt.Errorf("%d worker processes live, most of which drain; no more are possible", n)
	}
	w := &worker{
		ID: m.NextIncarnation, Program: p.Spec.Name, Slot: i, Build: p.Build, Generation: generation, State: workerStarting,
		Cell: m.freeCell(), Sockets: slices.Clone(sl.Sockets), Started: now, Exclusive: p.Spec.Exclusive,
	}
	m.NextIncarnation++
	if m.NextIncarnation == 0 {
		m.NextIncarnation = 1
	}
	if p.Spec.StartTimeout >= 0 {
		w.Deadline = now.add(p.Spec.StartTimeout)
	}
	pid, err := m.world.start(w, m.build(p.Build), m.socketsOf(p, sl.Sockets))
	if err != nil {
		return err
	}
	w.PID = pid
	if sl.Worker == 0 {
		sl.Worker = w.ID
	} else {
		sl.Heir = w.ID
	}
	m.Workers = append(m.Workers, w)
	return nil
}

// socketsOf are copies of sockets, named as the program names them: the old and
// the new code may write an address in different ways. While everything stops, those
// that are closed already are not among them.
func (m *machine) socketsOf(p *program, ids []int) []*socket {
	var list []*socket
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
func (m *machine) freeCell() int {
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

func (m *machine) onReady(ev evReady) {
	w := m.worker(ev.ID)
	if w == nil || w.State != workerStarting {
		return
	}
	w.State, w.Deadline = workerReady, 0
	m.world.log(slog.LevelInfo, "worker ready", "program", w.Program, "slot", w.Slot, "pid", w.PID, "generation", w.Generation,
		"after", time.Duration(m.world.now()-w.Started).Round(time.Millisecond))
	if p, sl, _ := m.slotOf(w.ID); sl != nil && sl.Heir == w.ID {
		m.succeed(p, sl)
	}
}

func (m *machine) onExited(ev evExited) {
	i := slices.IndexFunc(m.Workers, func(w *worker) bool { return w.PID == ev.PID })
	if i < 0 {
		return
	}
	w := m.Workers[i]
	m.Workers = slices.Delete(m.Workers, i, i+1)
	cause := ev.Cause
	if w.Killed != "" {
		cause = fmt.Sprintf("%s: %s", w.Killed, ev.Cause)
	}
	planned := w.State == workerDraining && w.Killed == ""
	m.report(w, cause, planned, ev.Lines)
	p, sl, isNext := m.slotOf(w.ID)
	if sl == nil {
		return
	}
	isHeir := sl.Heir == w.ID
	if isHeir {
		sl.Heir = 0
	} else {
		sl.Worker, sl.Heir = sl.Heir, 0
	}
	if isNext {
		m.failChange(fmt.Errorf("new worker %s/%d: %s", w.Program, w.Slot, cause))
		return
	}
	if m.Phase != phaseRunning || m.Held {
		return
	}
	if !w.Hung { // that was counted when it was found
		p.Restarts++
		p.LastExit = cause
	}
	switch {
	case !isHeir && sl.Worker != 0: // the heir is under way
	case w.State == workerStarting || time.Duration(m.world.now()-w.Started) < healthyTime:
		m.backOff(p, sl)
	case sl.State == slotWanted: // otherwise it is the heirs that do not start
		sl.Streak = 0
	}
	if !isHeir {
		m.scaleLost(w, cause)
	}
}

// report tells the log and the hook how a worker ended.
func (m *machine) report(w *worker, cause string, planned bool, lines []string) {
	level := slog.LevelError
	if planned {
		level = slog.LevelInfo
	}
	m.world.log(level, "worker exit", "program", w.Program, "slot", w.Slot, "pid", w.PID, "generation", w.Generation,
		"cause", cause, "state", string(w.State))
	m.world.exited(WorkerExit{
		Program: w.Program, Slot: w.Slot, PID: w.PID, Generation: w.Generation, Cause: cause, Planned: planned, LastLines: lines,
	})
}

// backOff decides when a slot without a healthy worker is tried again. Besides
// the slot's own delay the program as a whole is held to startsInWindow.
func (m *machine) backOff(p *program, sl *slot) {
	sl.Streak++
	if sl.Streak >= startLimit {
		sl.State = slotFailed
		m.world.log(slog.LevelError, "program gives up", "program", p.Spec.Name, "starts", sl.Streak, "last_exit", p.LastExit)
		return
	}
	delay := min(backoffFirst<<(sl.Streak-1), backoffMost)
	at := m.world.now().add(m.world.jitter(delay))
	limit := max(startsInWindow-len(p.Slots), 1)
	if n := len(p.Retries); n >= limit {
		at = max(at, p.Retries[n-limit].add(startWindow))
		p.Retries = p.Retries[n-limit+1:]
	}
	p.Retries = append(p.Retries, at)
	slices.Sort(p.Retries)
	sl.State, sl.RetryAt = slotBackoff, at
}
