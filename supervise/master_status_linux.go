package supervise

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/fleet"
	"github.com/jay-go/jay/internal/sys"
)

// answerLimit is how long the workers have to answer a question. One that does
// not is shown with its last figures.
const answerLimit = 100 * time.Millisecond

// maxUnanswered questions wait in a worker's socket; one that does not read
// gets no more.
const maxUnanswered = 3

// query is a question that several workers were asked.
type query struct {
	seq      uint64
	waiting  map[uint32]bool // by worker
	unlisted map[uint32]bool // workers that cannot tell
	got      map[uint32][]control.ConnectionInfo
	finish   func(*query) // called once, by the owner
}

// sample is what rates are computed from.
type sample struct {
	at       time.Time
	requests int64
	cpu      time.Duration
	rps      float64
	percent  float64
}

// ask sends a question to workers; finish is called when all have answered, or
// when the time is over.
func (m *master) ask(msg message, to func(*fleet.Worker) bool, finish func(*query)) {
	m.sequence++
	q := &query{seq: m.sequence, waiting: map[uint32]bool{}, unlisted: map[uint32]bool{}, got: map[uint32][]control.ConnectionInfo{}, finish: finish}
	msg.Seq = q.seq
	for id, p := range m.procs {
		if !to(p.w) {
			continue
		}
		q.waiting[id] = true
		if p.unanswered < maxUnanswered {
			p.unanswered++
			m.send(p.w, msg, nil)
		}
	}
	m.queries = append(m.queries, q)
	m.after(answerLimit, func() { m.endQuery(q) })
	if len(q.waiting) == 0 {
		m.endQuery(q)
	}
}

func (m *master) endQuery(q *query) {
	if i := slices.Index(m.queries, q); i >= 0 {
		m.queries = slices.Delete(m.queries, i, i+1)
		q.finish(q)
	}
}

// onAnswer takes a worker's answer, or a part of it.
func (m *master) onAnswer(p *proc, msg message) {
	p.heard = time.Now()
	if msg.Stats != nil {
		m.takeFigures(p, msg)
	}
	if !msg.More {
		p.unanswered = 0
	}
	for _, q := range m.queries {
		if q.seq != msg.Seq {
			continue
		}
		q.got[p.w.ID] = append(q.got[p.w.ID], msg.Connections...)
		if msg.Unlisted {
			q.unlisted[p.w.ID] = true
		}
		if !msg.More {
			m.answered(q, p.w.ID)
		}
		return
	}
}

func (m *master) answered(q *query, id uint32) {
	delete(q.waiting, id)
	if len(q.waiting) == 0 {
		m.endQuery(q)
	}
}

// forget stops waiting for a worker that has exited.
func (m *master) forget(id uint32) {
	for _, q := range slices.Clone(m.queries) {
		if q.waiting[id] {
			m.answered(q, id)
		}
	}
}

// everySecond keeps the rates and the figures fresh.
func (m *master) everySecond() {
	m.ask(message{Kind: msgAskStats}, func(*fleet.Worker) bool { return true }, func(*query) {
		for _, p := range m.procs {
			p.measure()
		}
	})
	m.followMemory()
	m.after(time.Second, m.everySecond)
}

// status gives the service as it is now to reply, within answerLimit.
func (m *master) status(reply func(snapshot)) {
	m.ask(message{Kind: msgAskStats}, func(*fleet.Worker) bool { return true }, func(q *query) { reply(m.snapshot(q)) })
}

// snapshot is the service's status, and what the metrics have besides.
type snapshot struct {
	control.Status
	totals map[string]*totals    // by program
	added  map[int][]metricValue // by the worker's pid
}

func (m *master) snapshot(q *query) snapshot {
	s := snapshot{totals: map[string]*totals{}, added: map[int][]metricValue{}}
	s.Status = control.Status{
		Version: m.c.version, Path: m.path, PID: os.Getpid(), Started: m.started.Round(time.Millisecond),
		UptimeSeconds: seconds(time.Duration(m.Now() - m.began)), Generation: m.machine.Generation,
		State: m.stateName(), Loop: m.c.loop, MemoryLimitBytes: m.memory.total,
		Programs: []control.ProgramStatus{}, Workers: []control.WorkerStatus{}, Operations: m.running(),
	}
	s.LogDropped, s.LogError = m.sink.Counted()
	for _, p := range m.machine.Programs {
		row := control.ProgramStatus{
			Name: p.Spec.Name, Addresses: []string{}, Protocol: p.Spec.Protocol, Want: len(p.Slots), Ready: m.machine.Ready(p),
			Restarts: p.Restarts, LastExit: p.LastExit, Limits: limitsOf(&p.Spec, m.c.watchdogLimit()),
			Exclusive: p.Spec.Exclusive,
		}
		row.Problems = append([]string{}, m.machine.Problems(p)...)
		m.addSockets(&row, p)
		s.totals[row.Name] = m.addTotals(&row)
		s.Programs = append(s.Programs, row)
		for i, sl := range p.Slots {
			if sl.Worker == 0 && sl.State != fleet.SlotWanted {
				s.Workers = append(s.Workers, control.WorkerStatus{
					Program: p.Spec.Name, Slot: i, Generation: m.machine.Generation, State: string(sl.State), Started: m.started,
					Stats: statsAtStart(m.figures[p.Spec.Name]),
				})
			}
		}
	}
	for _, w := range m.machine.Workers {
		if p := m.procs[w.ID]; p != nil {
			s.Workers = append(s.Workers, p.row(q.waiting[w.ID], m.age(w)))
			s.added[w.PID] = p.metrics
		}
	}
	declared := map[string]int{} // what is not there only drains, and comes last
	for i, p := range m.machine.Programs {
		declared[p.Spec.Name] = i - len(m.machine.Programs)
	}
	slices.SortFunc(s.Workers, func(a, b control.WorkerStatus) int {
		return compare(declared[a.Program]-declared[b.Program], compareStrings(a.Program, b.Program), a.Slot-b.Slot, b.Generation-a.Generation, a.PID-b.PID)
	})
	return s
}

// limitsOf are what a program's workers are held to, and what it holds its
// clients to.
func limitsOf(s *fleet.Spec, watchdog time.Duration) map[string]float64 {
	all := map[string]float64{}
	maps.Copy(all, s.Limits)
	for name, d := range map[string]time.Duration{
		"start_timeout_s": s.StartTimeout, "stop_timeout_s": s.StopTimeout, "watchdog_s": watchdog,
	} {
		if d >= 0 {
			all[name] = d.Seconds()
		}
	}
	for name, n := range map[string]float64{
		"max_requests": float64(s.MaxRequests), "max_age_s": s.MaxAge.Seconds(), "max_rss_bytes": float64(s.MaxRSS),
	} {
		if n > 0 {
			all[name] = n
		}
	}
	return all
}

// serviceStates are all that stateName returns.
func serviceStates() []string { return []string{"running", "degraded", "reloading", "stopping"} }

// stateName is the service's state in one word.
func (m *master) stateName() string {
	switch {
	case m.machine.Phase != fleet.PhaseRunning:
		return "stopping"
	case m.machine.Change != nil && m.machine.Change.Command.Kind != fleet.CommandScale:
		return "reloading"
	case !m.serving():
		return "degraded"
	}
	return "running"
}

// addSockets adds what is known of a program's sockets to its row.
func (m *master) addSockets(row *control.ProgramStatus, p *fleet.Program) {
	var seen []int
	for _, sl := range p.Slots {
		for _, s := range m.machine.SocketsOf(p, sl.Sockets) {
			if slices.Contains(seen, s.ID) {
				continue
			}
			seen = append(seen, s.ID)
			if !slices.Contains(row.Addresses, s.Addr) {
				row.Addresses = append(row.Addresses, s.Addr)
			}
			waiting, room := sys.AcceptQueue(s.ID)
			row.Queued += waiting
			row.Backlog += room
		}
	}
}

// row is the worker's row in status; late says that it has not answered in time.
func (p *proc) row(late bool, age time.Duration) control.WorkerStatus {
	w := p.w
	p.measure()
	row := control.WorkerStatus{
		Program: w.Program, Slot: w.Slot, PID: w.PID, Generation: w.Generation, State: string(w.State),
		Started: p.startedAt.Round(time.Millisecond), AgeSeconds: seconds(age), RSSBytes: rss(w.PID),
		HeapBytes: p.heap, MemoryLimitBytes: p.memoryLimit, LogDropped: p.logDropped, CPUPercent: round(p.sample.percent), Stats: p.stats, Loops: p.loops,
		Metrics: valuesOf(p.metrics), Unhealthy: p.health,
	}
	if p.stats.Requests != nil {
		row.RequestsPerSecond = new(round(p.sample.rps))
	}
	if w.Hung || late && (w.State != fleet.WorkerStarting) && (stopped(w.PID) || time.Since(p.heard) > 1500*time.Millisecond) {
		row.State = "silent"
	}
	return row
}

// measure takes a sample when the last is old enough to compare with.
func (p *proc) measure() {
	now := time.Now()
	elapsed := now.Sub(p.sample.at)
	if elapsed < 500*time.Millisecond {
		return
	}
	cpu := cpuTime(p.w.PID)
	if !p.sample.at.IsZero() {
		p.sample.rps = float64(max(requestsOf(p.stats)-p.sample.requests, 0)) / elapsed.Seconds()
		p.sample.percent = 100 * max(cpu-p.sample.cpu, 0).Seconds() / elapsed.Seconds()
	}
	p.sample.at, p.sample.requests, p.sample.cpu = now, requestsOf(p.stats), cpu
}

// procStat are the fields of /proc/PID/stat after the name; nil where the
// process is gone. Field 0 is the state.
func procStat(pid int) [][]byte {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
}

// stopped reports a process that SIGSTOP, or a debugger, holds.
func stopped(pid int) bool {
	f := procStat(pid)
	return len(f) > 0 && (f[0][0] == 'T' || f[0][0] == 't')
}

func cpuTime(pid int) time.Duration {
	f := procStat(pid)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(string(f[11]), 10, 64)
	system, _ := strconv.ParseInt(string(f[12]), 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100
}

func rss(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	if f := bytes.Fields(b); len(f) > 1 {
		n, _ := strconv.ParseInt(string(f[1]), 10, 64)
		return n * int64(os.Getpagesize())
	}
	return 0
}

func seconds(d time.Duration) float64 { return round(d.Seconds()) }

func round(f float64) float64 { return float64(int64(f*100+0.5)) / 100 }

// compare returns the first that is not zero.
func compare(results ...int) int {
	for _, r := range results {
		if r != 0 {
			return r
		}
	}
	return 0
}

func compareStrings(a, b string) int { return bytes.Compare([]byte(a), []byte(b)) }
