package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/jay-go/jay/internal/logs"
	"github.com/jay-go/jay/internal/sys"
)

// Times of a worker whose master has died: within 2 s it is gone.
const (
	orphanDrain  = time.Second             // for the program
	orphanClose  = 500 * time.Millisecond  // then nobody new is let in
	orphanExit   = 1800 * time.Millisecond // then it exits whatever the program does
	reportedExit = 1
)

// runWorker is the whole life of a worker process. It returns the exit code.
func runWorker(o *Options, c *config, b bootInfo) int {
	if o.CoreDumps {
		debug.SetTraceback("crash")
	}
	p := findOwn(c.programs, b.Worker.Program)
	if p == nil {
		fmt.Fprintf(os.Stderr, "worker %s/%d: this file has no program of that name; programs must not depend on what the master alone sees\n",
			b.Worker.Program, b.Worker.Slot)
		return reportedExit
	}
	if err := checkIdentity(b.Worker.Identity); err != nil {
		fmt.Fprintf(os.Stderr, "worker %s/%d: it does not run as it should: %v\n", b.Worker.Program, b.Worker.Slot, err)
		return reportedExit
	}
	w, link, err := newWorker(b, c)
	if err != nil {
		fmt.Fprintf(os.Stderr, "worker %s/%d: %v\n", b.Worker.Program, b.Worker.Slot, err)
		return reportedExit
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	link.program, link.cancel = p, cancel
	go link.listen()
	defer func() { await(lastLines, w.lines.Close()) }()
	err = w.live(ctx, p)
	if err != nil && ctx.Err() == nil {
		fmt.Fprintf(os.Stderr, "worker %s/%d: %v\n", w.Name(), w.Slot(), err)
		return reportedExit
	}
	return 0
}

// live runs the program between its hooks.
func (w *Worker) live(ctx context.Context, p *Program) error {
	if p.OnWorkerStart != nil {
		if err := p.OnWorkerStart(w); err != nil {
			return fmt.Errorf("OnWorkerStart: %w", err)
		}
	}
	err := p.Run(ctx, w)
	w.cell.setReady(false)
	if p.OnWorkerStop != nil {
		p.OnWorkerStop(w)
	}
	w.answerStats(0) // nobody has asked, and nobody will
	if err != nil {
		return fmt.Errorf("program ended: %w", err)
	}
	return nil
}

func findOwn(programs []Program, name string) *Program {
	for i := range programs {
		if programs[i].name() == name {
			return &programs[i]
		}
	}
	return nil
}

// newWorker takes over what the process has inherited.
func newWorker(b bootInfo, c *config) (*Worker, *workerLink, error) {
	board, err := openCell(b.Board, b.Worker.Cell)
	if err != nil {
		return nil, nil, err
	}
	if err := sys.SetNonblock(b.Ctl); err != nil {
		return nil, nil, err
	}
	lines := newWorkerLog(b.Log, c.logFormat)
	w := &Worker{role: *b.Worker, logger: slog.New(logs.NewHandler(lines, c.logFormat, c.logLevel)), lines: lines}
	w.cell = board.cell(b.Worker.Cell, b.Worker.Program)
	for _, s := range b.Worker.Sockets {
		w.sockets = append(w.sockets, Socket{Addr: s.Addr, Configured: s.Configured, h: newHandle(s.FD)})
		w.ids = append(w.ids, s.ID)
	}
	link := &workerLink{w: w, conn: sys.NewPacketConn(b.Ctl)}
	w.master = link
	return w, link, nil
}

// lastLines is how long a worker's end waits for its last lines.
const lastLines = 500 * time.Millisecond

// newWorkerLog writes to standard error by a descriptor that does not block:
// the loop must not stand still when the master does. A line is written at once
// where there is room, so that what a worker logged before it died is known.
func newWorkerLog(fd int, format string) *logs.Queue {
	if fd == 0 { // a master of an earlier build
		return logs.NewQueue(os.Stderr.Write, nil, logs.Note(format))
	}
	write := func(b []byte) (n int, err error) {
		for {
			m, err := sys.WriteNow(fd, b[n:])
			if n += m; n == len(b) || err != nil {
				return n, err
			}
			if err := sys.AwaitWritable(fd); err != nil {
				return n, err
			}
		}
	}
	return logs.NewQueue(write, func(b []byte) (int, error) { return sys.WriteNow(fd, b) }, logs.Note(format))
}

// workerLink is a worker's end of the control pair. listen owns it, but for
// send, which any goroutine may call.
type workerLink struct {
	w       *Worker
	conn    *sys.PacketConn
	program *Program
	cancel  context.CancelCauseFunc
	told    *Drain // the last that the master wanted
}

func (l *workerLink) send(m message) error {
	b, err := m.encode(maxPacket)
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		err := l.conn.Send(b)
		if !errors.Is(err, sys.ErrFull) || time.Now().After(deadline) {
			return err
		}
	}
}

// listen carries out what the master says, to the end of the process.
func (l *workerLink) listen() {
	buf := make([]byte, maxPacket)
	var parts assembly
	for {
		n, fds, err := l.conn.Receive(buf)
		if err != nil && !errors.Is(err, sys.ErrTruncated) && !errors.Is(err, sys.ErrNoDescriptors) {
			l.masterGone()
			return
		}
		if !parts.add(buf[:n], fds, err, maxMessage) {
			continue
		}
		m, fds, err := parts.take()
		if err != nil {
			l.w.logger.Error("message of the master", "error", err)
			continue
		}
		l.obey(m, fds)
	}
}

func (l *workerLink) obey(m message, fds []int) {
	if m.Kind != msgSockets {
		closeAll(fds...)
	}
	var err error
	switch m.Kind {
	case msgDrain:
		l.onDrain(m)
	case msgReload:
		if l.program.OnReload != nil {
			go l.program.OnReload(l.w)
		}
	case msgSockets:
		err = l.w.setSockets(m.Sockets, fds)
	case msgAskStats:
		l.w.answerStats(m.Seq)
	case msgAskConnections:
		go l.w.answerConnections(m.Seq, m.Query)
	}
	if m.Order == 0 {
		return
	}
	result := message{Kind: msgTaken, Order: m.Order}
	if err != nil {
		result.Kind, result.Why = msgUntaken, err.Error()
	}
	l.w.tell(result)
}

// drain ends the worker's context, or overtakes the drain that did.
func (l *workerLink) drain(d *Drain) {
	if !l.w.draining.CompareAndSwap(false, true) {
		l.w.overtake(d)
		return
	}
	go func() {
		l.w.settle(d, settleFor(d))
		l.cancel(d)
	}()
}

func (l *workerLink) onDrain(m message) {
	if m.Dump {
		l.w.dump()
	}
	d := &Drain{Reason: m.Reason, ending: l.w.handles(m.Ending)}
	if m.Timeout >= 0 {
		d.Deadline = time.Now().Add(m.Timeout)
	}
	if l.told != nil && !d.overtakes(l.told) {
		return // the order was repeated
	}
	first := l.told == nil
	l.told = d
	l.w.cell.setReady(false)
	if first && (m.Reason == DrainReload || m.Reason == DrainReplace) && l.program.OnReload != nil {
		go func() {
			l.program.OnReload(l.w)
			if !l.w.draining.Load() { // a stop may have come meanwhile
				l.drain(d)
			}
		}()
		return
	}
	l.drain(d)
}

// masterGone tells the program that it has a second. A new master may be waiting
// for the addresses, so the sockets are closed sooner than that, and
// leaveWithMaster does not wait for a program that does not obey.
func (l *workerLink) masterGone() {
	time.AfterFunc(orphanClose, func() {
		for _, s := range l.w.Sockets() {
			s.Close()
		}
	})
	l.drain(&Drain{Reason: DrainMasterGone, Deadline: time.Now().Add(orphanDrain)})
}
