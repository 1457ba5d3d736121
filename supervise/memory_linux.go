package supervise

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/jay-go/jay/internal/cgroup"
	"github.com/jay-go/jay/internal/sys"
)

// memoryPlanHere is the plan of this process, whose control groups are those
// below root.
func memoryPlanHere(root string, option int64) memoryPlan {
	var limit int64
	var dir string
	if groups, err := cgroup.MemoryOf(root, "self"); err == nil {
		limit, dir = groups.Limit()
	}
	return planMemory(os.Getenv("GOMEMLIMIT"), option, limit, dir)
}

// shield keeps the kernel from killing the master for lack of memory, where that
// may be: a worker that has taken too much was chosen a moment ago, and the
// master would be next while that worker's memory is still being freed.
type shield struct {
	Up    bool `json:"up"`
	Score int  `json:"score"` // that of the processes that the master starts, and its own before
}

// raise does it, unless an earlier master of the service has.
func (s *shield) raise() {
	score, err := sys.OOMScore()
	if s.Up || err != nil || score <= sys.OOMNever {
		return
	}
	if sys.SetOOMScore(os.Getpid(), sys.OOMNever) == nil { // takes CAP_SYS_RESOURCE
		s.Up, s.Score = true, score
	}
}

// exclude takes a process that the master has started out of it.
func (s *shield) exclude(pid int) error {
	if !s.Up {
		return nil
	}
	return sys.SetOOMScore(pid, s.Score)
}

// followMemory keeps the counts of kills, of the workers' groups and our own. Where
// a worker is, the kernel says only under a lock of all control groups, so the
// owner does not ask itself.
func (m *master) followMemory() {
	if m.group != nil {
		m.kills.look(m.group, time.Now())
	}
	if m.locating {
		return
	}
	m.locating = true
	var places []place
	for id, p := range m.procs {
		places = append(places, place{worker: id, pid: p.w.PID, groups: p.groups, memory: p.memory})
	}
	go func() {
		for i := range places {
			places[i].find()
		}
		m.events <- func() { m.located(places) }
	}()
}

// located takes where the workers are, and looks for those that have come meanwhile.
func (m *master) located(places []place) {
	m.locating = false
	seen := map[uint32]bool{}
	for _, pl := range places {
		seen[pl.worker] = true
		p := m.procs[pl.worker]
		if p == nil {
			continue // and its number may be another's, or was when it was looked at
		}
		p.groups, p.memory = pl.groups, pl.memory
		if p.memory != nil {
			m.kills.look(p.memory, time.Now())
		}
	}
	for id := range m.procs {
		if !seen[id] {
			m.followMemory()
			return
		}
	}
}

// tellMemory says in the log what the workers' limits are.
func (m *master) tellMemory() {
	n := m.machine.WantedWorkers()
	switch each := m.memory.each(n); {
	case m.memory.user != "":
		m.logger.Info("memory limit: GOMEMLIMIT of the environment stays as it is", "gomemlimit", m.memory.user)
	case each == 0:
	case m.memory.share(n) < leastMemory:
		m.logger.Warn("memory limit: too little for so many workers", "limit", m.memory.total, "from", m.memory.from, "workers", n, "gomemlimit", each)
	default:
		m.logger.Info("memory limit", "limit", m.memory.total, "from", m.memory.from, "workers", n, "gomemlimit", each)
	}
}

// memoryKills knows which kills for lack of memory have been told of, by group.
// It belongs to the owner.
type memoryKills map[string]*groupKills

// groupKills counts the kills in one group. Every one of a worker is told of
// once; those of other processes are forgotten after a while.
type groupKills struct {
	told   int64     // kills that are no worker's that is still to be reaped
	seen   int64     // kills at the time
	seenAt time.Time // of seen
}

// killForgotten is how long a worker that was killed may take to be reaped.
const killForgotten = 5 * time.Second

// look follows a group from now on. It is to be called again and again.
func (k memoryKills) look(groups *cgroup.Memory, now time.Time) {
	g := k[groups.Dir()]
	if g != nil && now.Sub(g.seenAt) < killForgotten {
		return
	}
	n, err := groups.Kills()
	switch {
	case err != nil:
	case g == nil:
		k[groups.Dir()] = &groupKills{told: n, seen: n, seenAt: now}
	default:
		g.told = max(g.told, g.seen)
		g.seen, g.seenAt = n, now
	}
}

// verdict tells whether a process of the group was killed for lack of memory,
// where its status says that SIGKILL has ended it. groups may be nil: not known.
func (k memoryKills) verdict(status syscall.WaitStatus, groups *cgroup.Memory) killVerdict {
	switch {
	case !status.Signaled() || status.Signal() != syscall.SIGKILL:
		return killedBySomebody
	case groups == nil:
		return killedPerhaps
	}
	n, err := groups.Kills()
	g := k[groups.Dir()]
	switch {
	case err != nil || g == nil:
		return killedPerhaps
	case n <= g.told:
		return killedBySomebody
	}
	g.told++
	return killedForMemory
}

// place is where a worker is: its control groups, which may be others than before.
type place struct {
	worker uint32
	pid    int
	groups string         // as the kernel lists them
	memory *cgroup.Memory // those that account its memory; nil: not known
}

// find looks again. Those of a process that exits are where it was.
func (p *place) find() {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", p.pid))
	if err != nil || string(text) == p.groups || exiting(p.pid) {
		return
	}
	groups, err := cgroup.MemoryOf("/", strconv.Itoa(p.pid))
	if exiting(p.pid) { // it has left its groups meanwhile, perhaps
		return
	}
	p.groups, p.memory = string(text), nil
	if err == nil {
		p.memory = &groups
	}
}

// exiting reports a process that is ending or has ended.
func exiting(pid int) bool {
	const flagExiting = 0x4 // PF_EXITING
	f := procStat(pid)
	if len(f) < 7 {
		return true
	}
	flags, err := strconv.ParseUint(string(f[6]), 10, 64)
	return err != nil || flags&flagExiting != 0
}
