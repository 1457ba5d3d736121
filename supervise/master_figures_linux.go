package supervise

import (
	"log/slog"
	"maps"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/fleet"
	"github.com/jay-go/jay/internal/logs"
)

// takeFigures takes what a worker says of its loops, of its own figures and of its
// health, which comes in parts.
func (m *master) takeFigures(p *proc, msg message) {
	if p.takeStats(msg) {
		m.takeHealth(p, msg.Health)
	}
	m.figures[p.w.Program] = p.stats
}

// takeStats keeps the figures of a message, and reports whether it was the last of
// its parts.
func (p *proc) takeStats(msg message) (whole bool) {
	p.stats, p.heap, p.logDropped = statsOr(*msg.Stats, p.stats), msg.Heap, msg.LogDropped // what is not told yet, or no more, stays
	return p.gather(msg)
}

// gather puts the parts together and reports whether this was the last.
func (p *proc) gather(msg message) (whole bool) {
	if msg.Seq != p.told.Seq { // of the one before the rest has not come
		p.told = message{Seq: msg.Seq}
	}
	p.told.Loops = append(p.told.Loops, msg.Loops...)
	for _, v := range msg.Metrics {
		if checkMetric(v.Kind, v.Name, v.Help) == nil {
			p.told.Metrics = append(p.told.Metrics, v)
		}
	}
	p.told.Loops = p.told.Loops[:min(len(p.told.Loops), maxLoops)] // it may have gone mad
	p.told.Metrics = p.told.Metrics[:min(len(p.told.Metrics), maxMetrics)]
	if msg.More {
		return false
	}
	p.loops, p.metrics = p.told.Loops, p.told.Metrics
	p.told = message{}
	return true
}

// resume has the figures that an earlier master knew.
func (p *proc) resume(last message) {
	if last.Stats != nil {
		p.stats = *last.Stats
	}
	p.loops, p.metrics = last.Loops, last.Metrics
	p.health, p.healthTold = last.Health, last.Health
}

// healthSpacing is how far apart lines of the log about one worker's health are.
const healthSpacing = time.Second

// takeHealth takes what of a worker is not healthy. The log has it by and by,
// however often it changes.
func (m *master) takeHealth(p *proc, ailments map[string]string) {
	p.health = nil
	for _, part := range namesOf(ailments)[:min(len(ailments), maxAilments)] {
		if p.health == nil {
			p.health = map[string]string{}
		}
		p.health[logs.Printable(part, maxPart)] = logs.Printable(ailments[part], maxAilment)
	}
	m.tellState()
	if maps.Equal(p.health, p.healthTold) || time.Since(p.healthAt) < healthSpacing {
		return
	}
	for part, why := range p.health {
		if p.healthTold[part] != why {
			m.tellHealth(p, "worker is not healthy", "part", part, "why", why)
		}
	}
	if len(p.health) == 0 {
		m.tellHealth(p, "worker is healthy again")
	}
	p.healthTold, p.healthAt = p.health, time.Now()
}

func (m *master) tellHealth(p *proc, text string, args ...any) {
	all := append([]any{"program", p.w.Program, "slot", p.w.Slot, "pid", p.w.PID}, args...)
	level := slog.LevelInfo
	if len(p.health) > 0 {
		level = slog.LevelWarn
	}
	m.Log(level, text, all...)
}

// ailing are the reasons why workers in service are not healthy.
func (m *master) ailing() (list []string) {
	for _, program := range m.machine.Programs {
		for _, sl := range program.Slots {
			p := m.procs[sl.Worker]
			if p == nil || p.w.State != fleet.WorkerReady {
				continue
			}
			list = append(list, ailments(p.w.Program, p.w.Slot, p.w.PID, p.health)...)
		}
	}
	return list
}

// serving reports whether everybody is served, and as they should be.
func (m *master) serving() bool {
	return m.machine.AllReady() && len(m.machine.Problems(m.machine.Programs...)) == 0 && len(m.ailing()) == 0
}

// retire keeps what a worker has counted that has ended.
func (m *master) retire(p *proc) {
	if m.totals[p.w.Program] == nil {
		m.totals[p.w.Program] = &totals{}
	}
	m.totals[p.w.Program].add(p.w.Slot, p.stats, p.metrics)
}

// total is what all workers of a program have counted, those that live too.
func (m *master) total(program string) *totals {
	t := m.totals[program].clone()
	for _, p := range m.procs {
		if p.w.Program == program {
			t.add(p.w.Slot, p.stats, p.metrics)
		}
	}
	return t
}

// addTotals adds what a program's workers have counted to its row, and returns it.
func (m *master) addTotals(row *control.ProgramStatus) *totals {
	t := m.total(row.Name)
	row.Totals = control.Totals{Stats: t.Stats, Metrics: t.sums()}
	return t
}

// valuesOf are figures by name.
func valuesOf(list []metricValue) map[string]float64 {
	if len(list) == 0 {
		return nil
	}
	values := map[string]float64{}
	for _, v := range list {
		values[v.Name] = v.Value
	}
	return values
}
