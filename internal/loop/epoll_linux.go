package loop

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jay-go/jay/internal/sys"
	"golang.org/x/sys/unix"
)

// epollBackend is the Linux backend: epoll, edge-triggered for TCP connections,
// and one receive buffer for the whole loop.
type epollBackend struct {
	l      *Loop
	ep     *sys.Epoll
	waker  int
	buf    []byte
	events []sys.Event
	next   int // events[next:ready] are not yet delivered
	ready  int
	pipes  []*sys.SplicePipe // empty, for Splice
	hot    bool              //  the last poll found something: the next one asks before it blocks
	scarce map[*Stream]*scarcity
	file   []byte // what readFile reads into
	copied int64  // how much it has read

	in, outPackets *sys.PacketRing // of all sockets of datagrams
	batch          []Packet        // what in has received
}

// wakerSlot tags the waker's events; it is never a slot of the table.
const wakerSlot = ^uint32(0)

func newEpoll(l *Loop) (backend, error) {
	ep, err := sys.NewEpoll()
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	waker, err := sys.NewWaker()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("eventfd: %w", err), ep.Close())
	}
	b := &epollBackend{l: l, ep: ep, waker: waker,
		buf:    make([]byte, l.cfg.readBudget()),
		events: make([]sys.Event, 256),
		scarce: map[*Stream]*scarcity{},
	}
	if err := ep.Add(waker, unix.EPOLLIN|unix.EPOLLET, wakerSlot, 0); err != nil {
		return nil, errors.Join(fmt.Errorf("epoll_ctl: %w", err), b.close())
	}
	return b, nil
}

func (b *epollBackend) name() string { return "epoll" }

func (b *epollBackend) wake() { _ = sys.Signal(b.waker) }

func (b *epollBackend) close() error {
	for _, p := range b.pipes {
		p.Close()
	}
	return errors.Join(sys.Close(b.waker), b.ep.Close())
}

// poll asks without blocking while the loop is hot, which spares the
// scheduler's bookkeeping around a blocking call.
func (b *epollBackend) poll(timeout time.Duration) error {
	b.next, b.ready = 0, 0
	if b.hot || timeout == 0 {
		n, err := b.ep.Poll(b.events)
		b.ready, b.hot = n, n > 0
		if err != nil || n > 0 || timeout == 0 {
			return err
		}
	}
	n, err := b.ep.Wait(b.events, milliseconds(timeout))
	b.ready, b.hot = n, n > 0
	return err
}

// milliseconds rounds up, so that a wait does not end just before its timer.
func milliseconds(d time.Duration) int {
	if d < 0 {
		return -1
	}
	return int(min((d-1)/time.Millisecond, 1<<30)) + 1
}

func (b *epollBackend) deliver() {
	for b.next < b.ready {
		ev := &b.events[b.next]
		b.next++
		switch owner := b.l.slots.get(uint32(ev.Fd), uint32(ev.Pad)).(type) {
		case *Stream:
			b.streamReady(owner, ev.Events)
		case *Listener:
			b.accept(owner)
		case *Packets:
			b.packetsReady(owner, ev.Events)
		case *Watch:
			if got := eventsOf(ev.Events, owner.want); got != 0 { // it may want less by now
				owner.fn(got)
			}
		default:
			continue // the waker, or a registration that is gone
		}
		b.l.lap()
	}
}

// Listeners

func (b *epollBackend) addListener(ln *Listener, sock ListenSocket) error {
	if sock.FD < 0 {
		return errors.New("the epoll backend takes raw descriptors, not net.Listener")
	}
	// accept4 is called so that it would hold up the whole process.
	return os.NewSyscallError("fcntl", sys.SetNonblock(sock.FD))
}

func (b *epollBackend) startAccept(ln *Listener) {
	if err := b.ep.Add(ln.fd, unix.EPOLLIN, ln.slot, ln.gen); err != nil {
		ln.on = false
		ln.h.AcceptFailed(fmt.Errorf("epoll_ctl: %w", err))
	}
}

func (b *epollBackend) stopAccept(ln *Listener) { _ = b.ep.Del(ln.fd) }

func (b *epollBackend) accepting(*Listener) bool { return false }

func (b *epollBackend) closeListener(ln *Listener, on bool) {
	if on {
		_ = b.ep.Del(ln.fd)
	}
	ln.closed()
}

// accept takes connections until the budget is spent, the queue is empty or
// the handler pauses.
func (b *epollBackend) accept(ln *Listener) {
	for k := b.l.cfg.acceptBudget(); k > 0 && ln.on; k-- {
		fd, peer, err := sys.Accept(ln.fd)
		switch err {
		case nil:
			ln.h.Accepted(Socket{FD: fd, Peer: peer})
		case unix.EAGAIN:
			return
		case unix.ECONNABORTED:
			ln.h.AcceptFailed(os.NewSyscallError("accept4", err))
		default: // the next try would fail alike
			ln.h.AcceptFailed(os.NewSyscallError("accept4", err))
			return
		}
	}
}

// Watches

func (b *epollBackend) addWatch(w *Watch) error {
	err := b.ep.Add(w.fd, maskOf(w.want), w.slot, w.gen)
	switch err {
	case unix.EPERM:
		return errAlwaysReady
	case unix.EEXIST:
		return errors.New("it is registered already; change that Watch with Set, or watch a dup")
	}
	return os.NewSyscallError("epoll_ctl", err)
}

func (b *epollBackend) setWatch(w *Watch) error {
	return os.NewSyscallError("epoll_ctl", b.ep.Mod(w.fd, maskOf(w.want), w.slot, w.gen))
}

func (b *epollBackend) removeWatch(w *Watch) { _ = b.ep.Del(w.fd) }

func maskOf(want Events) (m uint32) {
	if want&Readable != 0 {
		m |= unix.EPOLLIN
	}
	if want&Writable != 0 {
		m |= unix.EPOLLOUT
	}
	return m
}

func eventsOf(m uint32, want Events) (e Events) {
	if m&unix.EPOLLIN != 0 {
		e |= Readable
	}
	if m&unix.EPOLLOUT != 0 {
		e |= Writable
	}
	if m&(unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		e |= HangUp
	}
	return e & (want | HangUp)
}
