package supervise

import (
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/jay-go/jay/internal/bytejson"
	"github.com/jay-go/jay/internal/fleet"
	"github.com/jay-go/jay/internal/sys"
)

// savedMaster is what goes through an exec: the machine's state and the
// descriptors, which keep their numbers.
type savedMaster struct {
	Version int           `json:"version"`
	Fresh   bool          `json:"fresh"` // a restart: only Lock and the operations go on
	State   fleet.State   `json:"state"`
	Procs   []savedProc   `json:"procs"`
	Board   int           `json:"board"`
	Lock    int           `json:"lock"`
	Control int           `json:"control"`
	Socket  sys.FileID    `json:"socket"` // the file of Control
	Daemon  bool          `json:"daemon"`
	NoHup   bool          `json:"no_hup"`
	RunDir  string        `json:"run_dir"`
	Started time.Time     `json:"started"`
	Began   fleet.Instant `json:"began"`
	Log     []string      `json:"log"` // the last lines, for the logs command

	LogDropped int64 `json:"log_dropped"` // lines that are in no log
	LogUntold  int64 `json:"log_untold"`  // of these, those that it does not tell of

	Activated []activated `json:"activated"`
	Hosts     hostBook    `json:"hosts"`
	Shield    shield      `json:"shield"`

	Totals map[string]*totals `json:"totals,omitempty"`
}

type savedProc struct {
	Worker uint32 `json:"worker"`

	StartedAt   time.Time `json:"started_at"`
	MemoryLimit int64     `json:"memory_limit"`

	Ctl        int    `json:"ctl"`
	Out        int    `json:"out"`
	Err        int    `json:"err"`
	OutPartial []byte `json:"out_partial"`
	ErrPartial []byte `json:"err_partial"`
	Outbox     []part `json:"outbox"`

	Figures message `json:"figures"` // its last, for they must not be less afterwards
}

// save collects the state. The readers must not run while it is used to go on
// from; for a rehearsal it may be a moment old.
func (m *master) save(fresh bool) savedMaster {
	s := savedMaster{
		Version: fleet.StateVersion, Fresh: fresh, State: m.machine.State, Board: m.boardFD, Daemon: m.daemon, NoHup: m.terminal.nohup, RunDir: m.dir.path, Started: m.started, Began: m.began,
		Control: -1, Activated: m.activated, Hosts: m.hosts, Shield: m.shield,
	}
	onFD(m.dir.lock, func(fd int) error { s.Lock = fd; return nil })
	for _, line := range m.sink.Last(200) {
		s.Log = append(s.Log, string(line))
	}
	if fresh {
		return s
	}
	s.Totals = m.totals
	s.Control, s.Socket = m.control.fd, m.dir.socket
	for id, p := range m.procs {
		s.Procs = append(s.Procs, savedProc{Worker: id, StartedAt: p.startedAt, MemoryLimit: p.memoryLimit, Ctl: p.ctl.FD(), Out: p.out.FD, Err: p.err.FD, Outbox: p.outbox,
			Figures: message{Stats: &p.stats, Loops: p.loops, Metrics: p.metrics, Health: p.health}})
	}
	return s
}

// writeState gives a memfd with a state.
func writeState(s savedMaster) (int, error) {
	b, err := bytejson.Encode(s)
	if err != nil {
		return -1, fmt.Errorf("state: %w", err)
	}
	fd, err := sys.Memfd("jay-state")
	if err != nil {
		return -1, err
	}
	if err := sys.WriteAt(fd, b, stateHeader); err != nil {
		sys.Close(fd)
		return -1, fmt.Errorf("state: %w", err)
	}
	return fd, nil
}

// readState decodes a state, which is behind the words of the signals that are held, and checks that this build can continue from it.
// The descriptor stays open.
func readState(fd int) (savedMaster, error) {
	var s savedMaster
	b, err := io.ReadAll(io.NewSectionReader(memfd(fd), stateHeader, 1<<30))
	if err != nil {
		return s, fmt.Errorf("state: %w", err)
	}
	if err := bytejson.Decode(b, &s); err != nil {
		return s, fmt.Errorf("state: %w", err)
	}
	if s.Version != fleet.StateVersion {
		return s, fmt.Errorf("state: version %d, this build continues version %d", s.Version, fleet.StateVersion)
	}
	return s, nil
}

// memfd reads a descriptor that others own.
type memfd int

func (fd memfd) ReadAt(b []byte, off int64) (int, error) {
	n, err := syscall.Pread(int(fd), b, off)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return max(n, 0), err
}

// descriptors are those that go through an exec with the state.
func (s *savedMaster) descriptors() []int {
	fds := []int{s.Lock}
	for _, a := range s.Activated {
		fds = append(fds, a.FD)
	}
	if s.Fresh {
		return fds
	}
	fds = append(fds, s.Control, s.Board)
	for _, k := range s.State.Sockets {
		fds = append(fds, k.ID)
	}
	for _, b := range s.State.Builds {
		fds = append(fds, b.File)
	}
	for _, p := range s.Procs {
		fds = append(fds, p.Ctl, p.Out, p.Err)
		for _, c := range p.Outbox {
			fds = append(fds, c.FDs...)
		}
	}
	return fds
}

// quiet lets hooks return and the control server answer what it has been asked, while the owner
// goes on as ever, and then upgrades: no command meets a closed door.
func (m *master) quiet() {
	m.quieting = true
	go func() {
		m.awaitHooks(hooksLimit)
		m.control.close(controlQuiet)
		m.awaitHooks(controlQuiet) // those that have come meanwhile
		m.flush()
		m.events <- m.upgrade
	}()
}

// controlQuiet bounds how long a slow client of the control API holds up an upgrade.
const controlQuiet = 500 * time.Millisecond

// reopenControl serves the control socket again after it was closed: at once, or
// as soon as there are descriptors for it.
func (m *master) reopenControl() {
	if m.quieting || !m.control.closed() {
		return
	}
	control, err := newControlServer(m, m.control.fd)
	if err == nil {
		m.control, m.deaf = control, false
		return
	}
	if !m.deaf {
		m.logger.Error("control API: not served until this passes", "error", err)
	}
	m.deaf = true
	m.after(m.c.watchPeriod(), m.reopenControl)
}

// upgrade replaces this process's program by the file that has just been
// checked. It returns only when that failed, or is no longer wanted; then
// everything goes on.
func (m *master) upgrade() {
	if m.buries.Load() > 0 { // the new master would not know of them
		m.after(burialLimit/10, m.upgrade)
		return
	}
	m.quieting = false
	defer m.reopenControl()
	if !m.machine.ExecDue() { // a stop, or a restart, has come meanwhile
		return
	}
	b := m.machine.UpgradeBuild()
	m.logger.Info("upgrade: exec", "path", m.path)
	m.freeze()
	s := m.save(false)
	for i := range s.Procs {
		p := m.procs[s.Procs[i].Worker]
		s.Procs[i].OutPartial, s.Procs[i].ErrPartial = p.out.Partial, p.err.Partial
	}
	back, err := openSelf()
	if err == nil {
		err = m.execState(fdPath(b.File), s, bootInfo{Back: back})
		sys.Close(back)
	}
	m.logger.Error("upgrade: exec", "error", err)
	m.thaw()
	m.step(fleet.ExecFailed{Err: fmt.Errorf("new file %s: %w", m.path, err)})
}

// freeze stops everything that reads from workers. What they had read is
// handled; what was not read stays in the kernel for whoever continues.
func (m *master) freeze() {
	for _, p := range m.procs {
		p.ctl.SetReceiveDeadline(time.Unix(1, 0))
	}
	stopped := make(chan struct{})
	go func() { m.readers.Wait(); close(stopped) }()
	m.collect(stopped)
	m.keepNews()
	for _, p := range m.procs {
		p.out.Pause()
		p.err.Pause()
	}
}

// keepNews keeps what workers have said and nobody has handled yet, for a master
// that continues.
func (m *master) keepNews() {
	told := map[*proc]message{}
	for _, p := range m.procs {
		told[p] = p.told
	}
	for i := 0; i < len(m.local); i++ { // only what workers said
		if ev, ok := m.local[i].(messageEvent); ok && m.procs[ev.id] != nil && ev.err == nil {
			if news := newsOf(ev.id, ev.m); news != nil {
				m.machine.Take(news) // what follows from it is the new master's
			} else if ev.m.Stats != nil {
				m.procs[ev.id].takeStats(ev.m) // may be the last that it tells
			}
		}
	}
	for p, parts := range told { // this master may have to go on, and take it all once more
		p.told = parts
	}
}

// thaw undoes freeze.
func (m *master) thaw() {
	for id, p := range m.procs {
		p.ctl.SetReceiveDeadline(time.Time{})
		m.listenTo(id, p)
		p.out.Resume()
		p.err.Resume()
	}
}

// flushAgain is how long an exec waits for the few lines that were logged since
// flush. It is short, for the owner stands still.
const flushAgain = 50 * time.Millisecond

// execState executes a file in place, with the state and all descriptors in it.
// Where the new master cannot continue it executes the file info.Back, if there is one.
func (m *master) execState(path string, s savedMaster, info bootInfo) error {
	s.LogDropped, s.LogUntold = m.sink.Leave(flushAgain)
	fd, err := writeState(s)
	if err != nil {
		return err
	}
	defer sys.Close(fd)
	if m.terminal.hangup { // the next master looks again
		m.terminal.hangup = false
		m.signals.add(syscall.SIGHUP, 1)
	}
	info.Role, info.Path, info.State = roleMaster, m.path, fd
	info.Stops = m.terminal.stops()
	restore := m.terminal.ignoreStops() // in the witness, and here until the next master has begun
	err = m.signals.exec(path, info, os.Environ(), s.descriptors())
	restore()
	return err
}
