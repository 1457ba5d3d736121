package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/jay-go/jay/internal/addr"
	"github.com/jay-go/jay/internal/fleet"
	"github.com/jay-go/jay/internal/logs"
	"github.com/jay-go/jay/internal/sys"
)

// The master is the world of its machine: its exported methods are that, and
// nothing else.
var _ fleet.World = (*master)(nil)

func (m *master) Now() fleet.Instant { return fleet.Instant(sys.Monotonic()) }

func (m *master) Jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}

func (m *master) Start(w *fleet.Worker, b *fleet.Build, sockets []*fleet.Socket) (int, error) {
	pid, err := m.startProcess(w, b, sockets)
	return pid, scarce(err)
}

// scarce says of an error of starting a process what there is too little of. It
// is the same for every call that comes to that.
func scarce(err error) error {
	switch {
	case isErrno(err, syscall.EAGAIN):
		return fmt.Errorf("%w: there are too many processes (ulimit -u, pids.max of the control group, kernel.threads-max)", syscall.EAGAIN)
	case isErrno(err, syscall.ENOMEM):
		return fmt.Errorf("fork: %w", syscall.ENOMEM)
	case isErrno(err, syscall.EMFILE):
		return fmt.Errorf("%w: the master has used up its own (RLIMIT_NOFILE)", syscall.EMFILE)
	case isErrno(err, syscall.ENFILE):
		return fmt.Errorf("%w: the machine has no more (fs.file-max)", syscall.ENFILE)
	}
	return err
}

// startProcess runs the build's file as a worker. The numbers of its
// descriptors are the indices in files.
func (m *master) startProcess(w *fleet.Worker, b *fleet.Build, sockets []*fleet.Socket) (int, error) {
	ctl, ctlChild, err := sys.PacketPair()
	if err != nil {
		return 0, err
	}
	outR, outW, err := sys.Pipe()
	if err != nil {
		closeAll(ctl, ctlChild)
		return 0, err
	}
	errR, errW, err := sys.Pipe()
	if err != nil {
		closeAll(ctl, ctlChild, outR, outW)
		return 0, err
	}
	defer closeAll(ctlChild, outW, errW)
	logW, err := sys.ReopenPipe(errW)
	if err != nil {
		closeAll(ctl, outR, errR)
		return 0, err
	}
	defer sys.Close(logW)
	m.board.assign(w.Cell, w.Program)
	info := bootInfo{Role: roleWorker, Ctl: 3, Board: 4, Log: 5, WorkerFD: 6}
	role := workerRole{
		Program: w.Program, Slot: w.Slot, Generation: w.Generation, Incarnation: w.ID, Loop: m.c.loop, Cell: w.Cell,
		Watchdog: m.c.watchdogLimit(), Warning: m.c.blockWarning(), Identity: identityOf(m.cred),
	}
	files := []int{m.null, outW, errW, ctlChild, m.boardFD, logW, -1}
	// In the order of their numbers none has to make room for another on its way,
	// so that a start takes no descriptors beyond those that are open.
	ids := socketIDs(sockets)
	slices.Sort(ids)
	for _, r := range roles(sockets) {
		i, _ := slices.BinarySearch(ids, r.ID)
		r.FD = len(files) + i
		role.Sockets = append(role.Sockets, r)
	}
	files = append(files, ids...)
	if w.Exclusive {
		hold, err := m.dir.hold(w.Program)
		if err != nil {
			closeAll(ctl, outR, errR)
			return 0, err
		}
		defer sys.Close(hold)
		info.Hold, files = len(files), append(files, hold)
	}
	limit := m.memory.each(m.machine.WantedWorkers())
	role.MemoryLimit = limit
	roleFD, err := writeRole(role)
	if err != nil {
		closeAll(ctl, outR, errR)
		return 0, err
	}
	defer sys.Close(roleFD)
	files[info.WorkerFD] = roleFD
	pid, err := m.spawn(b.File, files, info, withMemoryLimit(os.Environ(), limit))
	if err != nil {
		closeAll(ctl, outR, errR)
		return 0, err
	}
	p := m.adopt(w, pid, ctl, outR, errR, nil, nil)
	p.startedAt, p.memoryLimit = time.Now(), limit
	return pid, nil
}

// socketIDs are the descriptors of sockets, in their order.
func socketIDs(sockets []*fleet.Socket) (ids []int) {
	for _, s := range sockets {
		ids = append(ids, s.ID)
	}
	return ids
}

// spawn executes an open program file with our arguments. It is the last of the
// descriptors that the process inherits, which closes it: whatever numbers the
// others have here or there, none takes its place before it is executed.
func (m *master) spawn(file int, files []int, info bootInfo, env []string) (int, error) {
	info.Self = len(files)
	p := sys.Process{
		Path: fdPath(info.Self), Argv: os.Args, Env: withoutManager(info.with(env)), Files: append(files, file), Credential: m.cred,
	}
	restore := m.terminal.ignoreStops()
	pid, err := m.starter.Start(&p)
	restore()
	if err == nil {
		if err := m.shield.exclude(pid); err != nil {
			m.logger.Error("a process would never be killed for lack of memory", "worker_pid", pid, "error", err)
		}
	}
	return pid, err
}

// adopt begins to listen to a worker's process.
func (m *master) adopt(w *fleet.Worker, pid, ctl, out, err int, outPartial, errPartial []byte) *proc {
	p := &proc{w: w, ctl: sys.NewPacketConn(ctl), heard: time.Now(), early: rand.Float64(), memory: m.group, stats: statsAtStart(m.figures[w.Program])}
	output := func(stream string) func(string) {
		return func(line string) {
			m.sink.Write(logs.OutputLine(m.c.logFormat, w.Program, w.Slot, pid, stream, line))
		}
	}
	p.out = logs.NewCapture(out, outPartial, output("stdout"))
	p.err = logs.NewCapture(err, errPartial, output("stderr"))
	m.procs[w.ID] = p
	m.followMemory()
	m.listenTo(w.ID, p)
	return p
}

// listenTo forwards a worker's messages until its end, or a pause.
func (m *master) listenTo(id uint32, p *proc) {
	reading := make(chan struct{})
	p.reading = reading
	m.readers.Go(func() {
		defer close(reading)
		buf := make([]byte, maxPacket)
		for {
			n, fds, err := p.ctl.Receive(buf)
			ev, ok := received(id, buf[:n], fds, err)
			if !ok {
				return
			}
			m.events <- ev
		}
	})
}

// received makes an event of what was received of a worker. It reports false when
// nothing more is to be: the worker is gone, or its socket closed by us, or paused.
func received(id uint32, b []byte, fds []int, err error) (ev messageEvent, ok bool) {
	closeAll(fds...) // nothing that a worker says carries any
	if err != nil && !errors.Is(err, sys.ErrTruncated) && !errors.Is(err, sys.ErrNoDescriptors) {
		return ev, false
	}
	var msg message
	if err == nil {
		msg, err = decodeMessage(b)
	}
	return messageEvent{id: id, m: msg, err: err}, true
}

// hearOut hears what a worker that has ended has said and nobody has heard yet:
// what it had counted comes last.
func (m *master) hearOut(p *proc) {
	p.ctl.SetReceiveDeadline(time.Unix(1, 0))
	m.collect(p.reading)
	var said []messageEvent
	m.local = slices.DeleteFunc(m.local, func(ev any) bool {
		last, ok := ev.(messageEvent)
		if ok = ok && last.id == p.w.ID; ok {
			said = append(said, last)
		}
		return ok
	})
	buf := make([]byte, maxPacket)
	for {
		n, fds, err := p.ctl.ReceiveNow(buf)
		ev, ok := received(p.w.ID, buf[:n], fds, err)
		if !ok {
			break
		}
		said = append(said, ev)
	}
	for _, ev := range said {
		m.onMessage(ev)
	}
}

// collect takes events as they come until done is closed, and handles none.
func (m *master) collect(done <-chan struct{}) {
	for waiting := true; waiting; {
		select {
		case ev := <-m.events:
			m.local = append(m.local, ev)
		case <-done:
			waiting = false
		}
	}
	for range len(m.events) {
		m.local = append(m.local, <-m.events)
	}
}

func (m *master) Kill(w *fleet.Worker) {
	if err := sys.KillGroup(w.PID, syscall.SIGKILL); err != nil {
		m.logger.Error("kill worker", "worker_pid", w.PID, "error", err)
	}
}

func (m *master) Drain(w *fleet.Worker, order int, d fleet.Drain) {
	m.send(w, message{Kind: msgDrain, Order: order, Reason: reasonOf(d.Reason), Timeout: d.Limit, Dump: d.Dump, Ending: d.Ending}, nil)
}

// reasonOf is a reason as a worker is told it.
func reasonOf(r fleet.Reason) DrainReason {
	switch r {
	case fleet.ReasonStop:
		return DrainStop
	case fleet.ReasonReload:
		return DrainReload
	case fleet.ReasonScale:
		return DrainScale
	case fleet.ReasonReplace:
		return DrainReplace
	}
	panic("supervise: no reason is called " + string(r))
}

func (m *master) Reload(w *fleet.Worker, order int) {
	m.send(w, message{Kind: msgReload, Order: order}, nil)
}

func (m *master) GiveSockets(w *fleet.Worker, order int, all, added []*fleet.Socket) {
	list, carried := roles(all), socketIDs(added)
	for i := range list {
		list[i].FD = slices.Index(carried, list[i].ID)
	}
	m.send(w, message{Kind: msgSockets, Order: order, Sockets: list}, added)
}

// roles name sockets to a worker; none of them has a descriptor yet.
func roles(sockets []*fleet.Socket) []socketRole {
	var list []socketRole
	for _, s := range sockets {
		list = append(list, socketRole{ID: s.ID, FD: -1, Addr: s.Addr, Configured: s.Configured})
	}
	return list
}

// send gives a message to a worker, with duplicates of sockets. The machine
// hears of an order that cannot be delivered.
func (m *master) send(w *fleet.Worker, msg message, sockets []*fleet.Socket) {
	p := m.procs[w.ID]
	if p == nil {
		return
	}
	err := m.sendTo(p, msg, sockets)
	if err == nil || isErrno(err, syscall.EPIPE) || isErrno(err, syscall.ECONNRESET) { // those exit just now
		return
	}
	if msg.Order != 0 {
		m.local = append(m.local, fleet.Undelivered{ID: w.ID, Order: msg.Order, Why: err.Error()})
		return
	}
	m.logger.Warn("message to worker", "kind", string(msg.Kind), "program", w.Program, "slot", w.Slot, "worker_pid", w.PID, "error", err)
}

// sendTo gives a message to the kernel, with duplicates of sockets.
func (m *master) sendTo(p *proc, msg message, sockets []*fleet.Socket) error {
	b, err := msg.encode(maxMessage)
	if err != nil {
		return err
	}
	return m.sendParts(p, b, socketIDs(sockets))
}

func (m *master) Open(spec *fleet.Spec, key fleet.SocketKey, reusePort bool) (*fleet.Socket, error) {
	a, err := addr.Parse(key.Addr)
	if err != nil {
		return nil, err
	}
	if at := spec.Place(key); key.Slot == 0 && at >= 0 {
		if s, ok := m.activatedFor(spec, at); ok {
			given, err := s.open(a, spec.Backlog)
			if err == nil {
				file := m.fileOf(given)
				given.Dev, given.Ino = file.Dev, file.Ino
			}
			return given, err
		}
	}
	at, err := m.hosts.literal(a)
	if err != nil {
		return nil, err
	}
	network, address := at.Network()
	o := sys.ListenOptions{Backlog: spec.Backlog, ReusePort: reusePort, Mode: 0o660, UID: -1, GID: -1}
	if network == "unix" {
		if err := sys.UnlinkStale(address); err != nil {
			return nil, err
		}
		if m.cred != nil {
			o.UID, o.GID = int(m.cred.Uid), int(m.cred.Gid)
		}
	}
	fd, err := sys.ListenSocket(network, address, o)
	if err != nil {
		return nil, err
	}
	bound, err := sys.BoundAddr(fd)
	if err != nil {
		sys.Close(fd)
		return nil, err
	}
	s := &fleet.Socket{ID: fd, Addr: boundName(a, bound)}
	file := m.fileOf(s)
	s.Dev, s.Ino = file.Dev, file.Ino
	return s, nil
}

func (m *master) Share(id int) error { return sys.SetReusePort(id) }

func (m *master) SetBacklog(s *fleet.Socket, backlog int) {
	if a, err := addr.Parse(s.Addr); err != nil || a.Datagram() {
		return
	}
	if err := sys.SetBacklog(s.ID, backlog); err != nil {
		m.logger.Warn("change the queue", "address", s.Addr, "error", err)
	}
}

func (m *master) Refuse(s *fleet.Socket) {
	if s.Given {
		return // it stays the service manager's
	}
	m.removePath(s) // another socket may be made there
	if err := sys.RefuseNew(s.ID); err != nil {
		m.logger.Warn("end a socket", "address", s.Addr, "error", err)
	}
}

func (m *master) Admit(s *fleet.Socket) bool { return s.Given || sys.AdmitNew(s.ID) == nil }

func (m *master) Close(s *fleet.Socket) {
	m.removePath(s)
	if s.Given {
		if m.machine != nil && m.machine.Phase == fleet.PhaseRunning {
			m.logger.Warn("socket of the service manager that no program serves", "address", s.Addr)
		}
	} else if err := sys.EndListening(s.ID); err != nil {
		m.logger.Warn("end a socket", "address", s.Addr, "error", err)
	}
	sys.Close(s.ID)
}

// fileOf is the file at the path of a Unix socket; zero for others.
func (m *master) fileOf(s *fleet.Socket) sys.FileID {
	if a, err := addr.Parse(s.Addr); err == nil && a.Scheme == addr.Unix {
		return sys.FileAt(a.Path)
	}
	return sys.FileID{}
}

// removePath removes the path of a Unix socket that is our own.
func (m *master) removePath(s *fleet.Socket) {
	a, err := addr.Parse(s.Addr)
	if err != nil || a.Scheme != addr.Unix || s.Given {
		return
	}
	if err := sys.RemoveFile(a.Path, sys.FileID{Dev: s.Dev, Ino: s.Ino}); err != nil {
		m.logger.Warn("remove socket", "address", s.Addr, "error", err)
	}
	s.Dev, s.Ino = 0, 0
}

func (m *master) CloseBuild(b *fleet.Build) { sys.Close(b.File) }

func (m *master) Log(level slog.Level, text string, args ...any) {
	m.happen(text, args)
	for i := range args { // pid is ours already
		if args[i] == "pid" {
			args[i] = "worker_pid"
		}
	}
	m.logger.Log(context.Background(), level, text, args...)
}

func (m *master) Exited(e fleet.Exit) {
	if fn := m.o.OnWorkerExit; fn != nil {
		m.hook(func() { fn(WorkerExit(e)) })
	}
}

func (m *master) Reloaded() {
	if m.o.OnMasterReload != nil {
		m.hook(m.o.OnMasterReload)
	}
}

func closeAll(fds ...int) {
	for _, fd := range fds {
		sys.Close(fd)
	}
}

func isErrno(err error, errno syscall.Errno) bool { return errors.Is(err, errno) }

func isLive(err error) bool { return errors.Is(err, sys.ErrLive) }
