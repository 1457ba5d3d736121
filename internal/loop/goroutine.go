package loop

import (
	"cmp"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jay-go/jay/internal/poison"
	"github.com/jay-go/jay/internal/sys"
)

// goroutineBackend is the portable backend: each stream and listener has
// goroutines that block in package net and hand their results to the loop. It
// is for development on systems without a backend of their own.
type goroutineBackend struct {
	l    *Loop
	bell chan struct{} // capacity 1: something to look at
	wg   sync.WaitGroup

	mu    sync.Mutex
	queue []arrival // guarded by mu

	batch  []arrival            // loop only
	next   int                  // loop only
	ending map[*goListener]bool // loop only: closed, but what is under way was not handed over
}

// arrival is one result of a helper goroutine for the owner of a slot. It is
// run again for what one callback has left of it: see again.
type arrival struct {
	slot, gen uint32
	run       func()
}

func newGoroutine(l *Loop) (backend, error) {
	return &goroutineBackend{l: l, bell: make(chan struct{}, 1), ending: map[*goListener]bool{}}, nil
}

func (b *goroutineBackend) name() string { return "goroutine" }

func (b *goroutineBackend) wake() {
	select {
	case b.bell <- struct{}{}:
	default:
	}
}

// close waits for the helper goroutines, whose sockets are closed by now.
func (b *goroutineBackend) close() error {
	b.wg.Wait()
	for g := range b.ending {
		if g.conn != nil {
			_ = g.conn.Close()
		}
	}
	return nil
}

func (b *goroutineBackend) arrive(a arrival) {
	b.mu.Lock()
	b.queue = append(b.queue, a)
	b.mu.Unlock()
	b.wake()
}

func (b *goroutineBackend) poll(timeout time.Duration) error {
	if b.refill() {
		return nil
	}
	switch {
	case timeout < 0:
		<-b.bell
	case timeout > 0:
		t := time.NewTimer(timeout)
		select {
		case <-b.bell:
		case <-t.C:
		}
		t.Stop()
	}
	b.refill()
	return nil
}

func (b *goroutineBackend) refill() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.batch)
	b.batch, b.queue, b.next = b.queue, b.batch[:0], 0
	return len(b.batch) > 0
}

func (b *goroutineBackend) deliver() {
	for b.next < len(b.batch) {
		a := b.batch[b.next]
		b.next++
		if b.l.slots.get(a.slot, a.gen) != nil {
			a.run()
			b.l.lap()
		}
	}
}

// again has the present arrival run once more, if its owner is still there.
// An arrival calls it before its callback, so that what comes behind a callback
// also comes when that panics or closes its source.
func (b *goroutineBackend) again() { b.next-- }

// goStream is what a stream has here beside its fields. Its reader goroutine
// reads one chunk, then waits until the loop has taken it; while the loop does
// not want it, the reader looks after the peer.
type goStream struct {
	conn     net.Conn
	steps    chan step     // what the reader does next; closed: it must end
	exited   chan struct{} // closed by the reader
	detached atomic.Bool

	// Loop only.
	held     bool // the loop owes the reader a step: receiving was off
	watching bool // the reader was told to watch
	finished bool // the peer's FIN was seen behind the chunk

	// Written by the reader before it hands over, then by the loop.
	chunk []byte
	err   error
}

// step is what a reader does next. At most two are under way: a watch and what
// ends it.
type step uint8

const (
	stepRead   step = iota
	stepWatch       // look after the peer, until the read deadline is past
	stepReadOn      // read; the deadline was for the watch
)

func (b *goroutineBackend) addStream(s *Stream, sock Socket) error {
	conn := sock.Conn
	if conn == nil {
		var err error
		if conn, err = connOf(sock.FD); err != nil {
			return err
		}
	}
	g := &goStream{conn: conn, steps: make(chan step, 2), exited: make(chan struct{})}
	s.impl, s.fd = g, -1
	slot, gen := s.slot, s.gen
	b.wg.Go(func() { b.read(s, g, slot, gen) })
	return nil
}

// read is the reader goroutine; it ends when the stream is closed or detached.
func (b *goroutineBackend) read(s *Stream, g *goStream, slot, gen uint32) {
	defer close(g.exited)
	buf := make([]byte, b.l.cfg.readBudget())
	for n, again := 0, true; again; {
		var err error
		buf = poison.Renew(buf, n)
		n, err = g.conn.Read(buf)
		g.chunk, g.err = buf[:n], err
		b.arrive(arrival{slot, gen, func() { b.received(s, g) }})
		again = g.rest(err == io.EOF, func(failure error) {
			b.arrive(arrival{slot, gen, func() { b.peerEnded(s, g, failure) }})
		})
	}
}

// rest waits, on the reader goroutine, until the next chunk is wanted, or
// returns false. report is called once the peer has finished, unless that is
// known, and if the connection fails.
func (g *goStream) rest(finished bool, report func(failure error)) bool {
	for what := range g.steps {
		switch what {
		case stepRead:
			return true
		case stepReadOn:
			_ = g.conn.SetReadDeadline(time.Time{})
			if g.detached.Load() { // it may have set the deadline before
				_ = g.conn.SetReadDeadline(past)
			}
			return true
		}
		for failure := error(nil); failure == nil; {
			var now bool
			if now, failure = awaitPeer(g.conn, finished); failure == nil && now == finished {
				break // the watch is over
			}
			finished = true
			report(failure)
		}
	}
	return false
}

// past is a deadline that ends whatever waits.
var past = time.Unix(1, 0)

// received takes the reader's chunk, then its error, as far as receiving is
// wanted; startRecv takes the rest.
func (b *goroutineBackend) received(s *Stream, g *goStream) {
	if !s.open { // and a Send is still to be completed
		return
	}
	if p := g.chunk; s.recv && len(p) > 0 {
		g.chunk = nil
		b.again()
		s.h.Received(p, nil)
		poison.Fill(p)
		return
	}
	switch err := g.err; {
	case !s.recv && (err == nil || err == io.EOF):
		g.held = true
		g.watch()
		if err == io.EOF || g.finished {
			s.gone()
		}
	case err == nil:
		g.readOn()
	default:
		if err == io.EOF {
			g.watch()
		}
		s.ended(err)
	}
}

// peerEnded takes what a reader has seen of the peer beyond its chunk.
func (b *goroutineBackend) peerEnded(s *Stream, g *goStream, failure error) {
	if failure != nil {
		s.ended(failure)
		return
	}
	g.finished = true
	s.gone()
}

// watch has the reader look after the peer; readOn has it read.
func (g *goStream) watch() {
	if !g.watching {
		g.watching = true
		g.steps <- stepWatch
	}
}

func (g *goStream) readOn() {
	if !g.watching {
		g.steps <- stepRead
		return
	}
	g.watching = false
	_ = g.conn.SetReadDeadline(past)
	g.steps <- stepReadOn
}

func (b *goroutineBackend) startRecv(s *Stream) {
	if g := s.impl.(*goStream); g.held {
		g.held = false
		b.arrive(arrival{s.slot, s.gen, func() { b.received(s, g) }})
	}
}

func (b *goroutineBackend) stopRecv(*Stream) {}

// mostSent is what one Write is given: the owner hears of progress only when
// all of that is gone, and takes a long silence for a peer that has stalled.
const mostSent = 64 << 10

// send writes on a goroutine of its own; the loop hears of it through Sent.
func (b *goroutineBackend) send(s *Stream, bufs [][]byte) (int, error) {
	return b.sendFile(s, bufs, nil, 0, 0)
}

// sendFile reads, beside the loop, as much of the file as fits behind bufs.
func (b *goroutineBackend) sendFile(s *Stream, bufs [][]byte, f *os.File, off int64, n int) (int, error) {
	s.send = true
	g, slot, gen := s.impl.(*goStream), s.slot, s.gen
	var rest net.Buffers
	room := mostSent
	for ; room > 0 && len(bufs) > 0; bufs = bufs[1:] {
		p := bufs[0][:min(room, len(bufs[0]))]
		rest = append(rest, p)
		room -= len(p)
	}
	n = min(n, room)
	b.wg.Go(func() {
		var failure error
		if n > 0 {
			var piece []byte
			piece, failure = readPiece(f, off, n)
			rest = append(rest, piece)
		}
		k, err := g.write(&rest)
		b.arrive(arrival{slot, gen, func() { s.sent(int(k), cmp.Or(err, failure)) }})
	})
	return 0, nil
}

func readPiece(f *os.File, off int64, n int) ([]byte, error) {
	piece := make([]byte, n)
	n, err := ReadFileAt(f, piece, off)
	return piece[:n], err
}

// A kernel that is short of memory refuses bytes; they are tried again later.
const (
	firstScarce = 5 * time.Millisecond
	maxScarce   = time.Second
)

// write writes rest on a goroutine of its own.
func (g *goStream) write(rest *net.Buffers) (n int64, err error) {
	for wait := firstScarce; ; wait = min(2*wait, maxScarce) {
		k, err := rest.WriteTo(g.conn)
		if n += k; !errors.Is(err, syscall.ENOBUFS) && !errors.Is(err, syscall.ENOMEM) {
			return n, err
		}
		if k > 0 {
			wait = firstScarce
		}
		select {
		case <-time.After(wait):
		case <-g.exited:
			return n, net.ErrClosed
		}
	}
}

func (b *goroutineBackend) closeWrite(s *Stream) error {
	return closeWrite(s.impl.(*goStream).conn)
}

func (b *goroutineBackend) localAddr(s *Stream) net.Addr {
	return plainAddr(s.impl.(*goStream).conn.LocalAddr())
}

func (b *goroutineBackend) remoteAddr(s *Stream) net.Addr {
	return plainAddr(s.impl.(*goStream).conn.RemoteAddr())
}

// plainAddr gives an address of package net the form that Stream.LocalAddr
// promises.
func plainAddr(a net.Addr) net.Addr {
	switch a := a.(type) {
	case *net.TCPAddr:
		p := a.AddrPort()
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(p.Addr().Unmap(), p.Port()))
	case *net.UnixAddr:
		if a.Name == "@" {
			return &net.UnixAddr{Net: a.Net}
		}
	}
	return a
}

func (b *goroutineBackend) setUnsentMark(s *Stream, n int) {
	control(s.impl.(*goStream).conn, func(fd int) { sys.SetUnsentMark(fd, n) })
}

func (b *goroutineBackend) unacked(s *Stream) (n int, known bool) {
	control(s.impl.(*goStream).conn, func(fd int) { n, known = sys.Unacked(fd) })
	return n, known
}

// unread is not known: a reader reads ahead.
func (b *goroutineBackend) unread(*Stream) (n int, known bool) { return 0, false }

func (b *goroutineBackend) splice(_, _ *Stream) error        { return errors.ErrUnsupported }
func (b *goroutineBackend) unsplice(*Stream) ([]byte, error) { return nil, nil }

func closeWrite(c net.Conn) error {
	if h, ok := c.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return errors.ErrUnsupported
}

func (b *goroutineBackend) closeStream(s *Stream, reset bool) {
	g := s.impl.(*goStream)
	if c, ok := g.conn.(*net.TCPConn); ok && reset {
		_ = c.SetLinger(0)
	}
	_ = g.conn.Close()
	close(g.steps)
}

// detachStream interrupts the reader and gives what it had read ahead along
// with the connection.
func (b *goroutineBackend) detachStream(s *Stream) (net.Conn, error) {
	g := s.impl.(*goStream)
	g.detached.Store(true)
	if err := g.conn.SetReadDeadline(past); err != nil {
		g.detached.Store(false)
		return nil, err
	}
	close(g.steps)
	<-g.exited
	_ = g.conn.SetReadDeadline(time.Time{}) // what fails here fails the first Read, too
	if len(g.chunk) == 0 {
		return g.conn, nil
	}
	return &prefixedConn{Conn: g.conn, prefix: g.chunk}, nil
}

// prefixedConn reads what was read ahead before the connection itself.
type prefixedConn struct {
	net.Conn
	prefix []byte
}

func (c *prefixedConn) Read(p []byte) (int, error) {
	if len(c.prefix) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.prefix)
	c.prefix = c.prefix[n:]
	return n, nil
}

// CloseWrite passes on, as callers look for it by type.
func (c *prefixedConn) CloseWrite() error { return closeWrite(c.Conn) }
