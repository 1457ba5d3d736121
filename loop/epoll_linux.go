package loop

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/jay-go/jay/internal/poison"
	"github.com/jay-go/jay/internal/sys"
	"golang.org/x/sys/unix"
)

// epollBackend is the Linux backend: level-triggered epoll, one receive
// buffer for the whole loop.
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

// Streams

func (b *epollBackend) addStream(s *Stream, sock Socket) error {
	fd := sock.FD
	if sock.Conn != nil {
		var err error
		if fd, err = descriptorOf(sock.Conn); err != nil {
			return err
		}
		s.fd = int32(fd)
	}
	s.mask = unix.EPOLLIN // ahead of StartRecv, which then costs nothing
	err := b.ep.Add(fd, s.mask, s.slot, s.gen)
	if sock.Conn != nil {
		if err != nil {
			return errors.Join(err, sys.Close(fd))
		}
		_ = sock.Conn.Close() // its descriptor lives on in fd
	}
	return err
}

// descriptorOf returns a copy of a connection's descriptor. It does not use
// the File method, which puts the open file into blocking mode.
func descriptorOf(conn net.Conn) (fd int, err error) {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return -1, fmt.Errorf("%T has no descriptor", conn)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return -1, err
	}
	ctl := raw.Control(func(orig uintptr) { fd, err = sys.DupFD(int(orig)) })
	return fd, errors.Join(ctl, err)
}

// startRecv tells epoll only if a stop went that far.
func (b *epollBackend) startRecv(s *Stream) {
	b.want(s, s.mask&^unix.EPOLLRDHUP|unix.EPOLLIN)
}

// stopRecv does nothing yet: streamReady stops for real when bytes arrive
// that nobody wants, which between two requests they do not.
func (b *epollBackend) stopRecv(*Stream) {}

// want tells epoll what a stream waits for. An edge is waited for anew with
// every call, and reported again if it is there.
func (b *epollBackend) want(s *Stream, mask uint32) {
	if mask == s.mask && mask&unix.EPOLLET == 0 {
		return
	}
	s.mask = mask
	_ = b.ep.Mod(int(s.fd), mask, s.slot, s.gen)
}

// hungUp are the conditions that epoll reports asked or not.
const hungUp = unix.EPOLLHUP | unix.EPOLLERR

// streamReady acts on what epoll has seen of a stream. HUP and ERR stay, and
// cannot be masked: a stream that has hung up is told of edges from then on.
func (b *epollBackend) streamReady(s *Stream, ev uint32) {
	slot, gen := s.slot, s.gen
	if ev&hungUp != 0 && s.mask&unix.EPOLLET == 0 {
		b.want(s, s.mask|unix.EPOLLET)
	}
	if ev&(unix.EPOLLOUT|hungUp) != 0 {
		if s.send {
			s.send = false
			b.want(s, s.mask&^unix.EPOLLOUT)
			s.h.Sent(0, nil)
		} else if s.impl != nil {
			b.unblock(s)
		}
		if !s.open || s.slot != slot || s.gen != gen {
			return
		}
	}
	sp, _ := s.impl.(*splicing)
	switch {
	case s.recv && sp != nil && sp.to != nil:
		b.spliceReady(s, sp, ev)
	case s.recv:
		if ev&^unix.EPOLLOUT != 0 {
			b.receive(s)
		}
	case ev&unix.EPOLLERR != 0:
		s.ended(socketError(int(s.fd)))
	default:
		b.unwanted(s, ev)
	}
}

// unwanted takes note of what arrives while nothing is received, and waits for
// it no longer. Behind bytes that nobody wants only the peer's end is news.
func (b *epollBackend) unwanted(s *Stream, ev uint32) {
	gone := ev&(unix.EPOLLRDHUP|unix.EPOLLHUP) != 0
	mask := s.mask &^ (ev & (unix.EPOLLIN | unix.EPOLLRDHUP))
	if ev&unix.EPOLLIN != 0 && !gone && !s.over() {
		mask |= unix.EPOLLRDHUP
	}
	if mask != s.mask {
		b.want(s, mask)
	}
	if gone {
		s.gone()
	}
}

// receive reads once. What it leaves is reported again: where epoll has to be
// told so, ahead of a callback that may not return.
func (b *epollBackend) receive(s *Stream) {
	n, err := sys.Read(int(s.fd), b.buf)
	switch err {
	case nil:
		if s.mask&unix.EPOLLET != 0 {
			b.want(s, s.mask)
		}
		s.h.Received(b.buf[:n], nil)
		b.buf = poison.Renew(b.buf, n)
	case unix.EAGAIN:
	default:
		s.ended(readError(err))
	}
}

func (b *epollBackend) send(s *Stream, bufs [][]byte) (n int, err error) {
	total := 0
	for _, p := range bufs {
		total += len(p)
	}
	if len(bufs) == 1 {
		n, err = sys.Write(int(s.fd), bufs[0])
	} else {
		n, err = sys.Writev(int(s.fd), bufs)
	}
	if err != nil && !isFull(err) {
		return n, writeError(err)
	}
	if n > 0 {
		b.unscarce(s)
	}
	if n < total {
		s.send = true
		if n > 0 || !b.isScarce(s, err) {
			b.want(s, s.mask|unix.EPOLLOUT)
		}
	}
	return n, nil
}

func (b *epollBackend) closeWrite(s *Stream) error { return sys.CloseWrite(int(s.fd)) }

func (b *epollBackend) localAddr(s *Stream) net.Addr {
	a, _ := sys.LocalAddr(int(s.fd))
	return a
}

func (b *epollBackend) remoteAddr(s *Stream) net.Addr {
	a, _ := sys.PeerAddr(int(s.fd))
	return a
}

func (b *epollBackend) setUnsentMark(s *Stream, n int) { sys.SetUnsentMark(int(s.fd), n) }

func (b *epollBackend) unacked(s *Stream) (int, bool) { return sys.Unacked(int(s.fd)) }

func (b *epollBackend) unread(s *Stream) (int, bool) { return sys.Unread(int(s.fd)) }

func (b *epollBackend) closeStream(s *Stream, reset bool) {
	s.send = false // the kernel has copied what it took
	if reset {
		_ = sys.Reset(int(s.fd))
	}
	b.endSplice(s)
	b.unscarce(s)
	_ = sys.CloseSocket(int(s.fd))
}

func (b *epollBackend) detachStream(s *Stream) (net.Conn, error) {
	_ = b.ep.Del(int(s.fd))
	c, err := connOf(int(s.fd))
	if err != nil {
		if again := b.ep.Add(int(s.fd), s.mask, s.slot, s.gen); again != nil {
			b.lost(s, again)
		}
	}
	return c, err
}

// lost fails, in the next turn, a stream that epoll does not take back.
func (b *epollBackend) lost(s *Stream, err error) {
	slot, gen := s.slot, s.gen
	_ = b.l.PostAnyway(func() { // once for each stream
		if b.l.slots.get(slot, gen) != nil {
			s.ended(os.NewSyscallError("epoll_ctl", err))
		}
	})
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
