//go:build jaylate

package loop

import (
	"errors"
	"hash/maphash"
	"io"
	"net"
	"os"
	"slices"

	"github.com/jay-go/jay/internal/poison"
)

// lateStream stands between a stream and the backend below, for which it is the
// stream and its handler.
type lateStream struct {
	Stream
	b     *lateBackend
	outer *Stream

	came []lateReceived // and was not handed over
	left bool           // Gone was reported, and is to be told
	out  *lateSend      // what the outer stream's Send is waiting for
}

type lateReceived struct {
	b   []byte
	err error
}

// lateSend is a pending Send or SendFile.
type lateSend struct {
	bufs [][]byte
	sum  uint64
	f    *os.File // nil: none
	off  int64
	size int // of all
	n    int // gone so far

	isOpen bool // the file, at the beginning
}

func isOpen(f *os.File) bool {
	if f == nil {
		return false
	}
	_, err := f.Stat()
	return !errors.Is(err, os.ErrClosed)
}

// lateOf returns nil for a stream of the backend below.
func lateOf(s *Stream) *lateStream {
	ls, _ := s.impl.(*lateStream)
	return ls
}

func (b *lateBackend) addStream(s *Stream, sock Socket) error {
	ls := &lateStream{b: b, outer: s, Stream: Stream{loop: b.l, fd: int32(sock.FD), open: true}}
	ls.h = ls
	ls.slot, ls.gen = b.l.slots.add(&ls.Stream)
	if err := b.backend.addStream(&ls.Stream, sock); err != nil {
		b.l.slots.remove(ls.slot)
		return err
	}
	s.impl, s.fd = ls, ls.fd
	return nil
}

// later is a completion for the outer stream.
func (ls *lateStream) later(run func()) { ls.b.later(ls.outer.slot, ls.outer.gen, run) }

// Receiving

func (b *lateBackend) startRecv(s *Stream) {
	if ls := lateOf(s); ls != nil {
		ls.StartRecv()
		return
	}
	b.backend.startRecv(s)
}

// stopRecv lets what comes in the meantime come.
func (b *lateBackend) stopRecv(s *Stream) {
	ls := lateOf(s)
	if ls == nil {
		b.backend.stopRecv(s)
		return
	}
	ls.later(func() {
		if !s.recv {
			ls.StopRecv()
			ls.tellGone()
		}
	})
}

func (ls *lateStream) Received(b []byte, err error) {
	ls.came = append(ls.came, lateReceived{slices.Clone(b), err})
	ls.later(ls.handOver)
}

// handOver passes on what came first. Its own order a stream keeps.
func (ls *lateStream) handOver() {
	r := ls.came[0]
	ls.came = ls.came[1:]
	if r.err != nil {
		ls.outer.ended(r.err)
		return
	}
	defer func() {
		for i := range r.b {
			r.b[i] = poison.Byte
		}
	}()
	ls.outer.received(r.b)
}

func (ls *lateStream) Gone() {
	ls.left = true
	ls.later(ls.tellGone)
}

func (ls *lateStream) tellGone() {
	if ls.left && !ls.outer.recv {
		ls.left = false
		ls.outer.gone()
	}
}

// Sending

func (b *lateBackend) send(s *Stream, bufs [][]byte) (int, error) {
	ls := lateOf(s)
	if ls == nil {
		return b.backend.send(s, bufs)
	}
	ls.begin(&lateSend{bufs: slices.Clone(bufs), sum: b.sum(bufs), size: sizeOf(bufs)})
	return 0, nil
}

func (b *lateBackend) sendFile(s *Stream, bufs [][]byte, f *os.File, off int64, n int) (int, error) {
	ls := lateOf(s)
	if ls == nil {
		return b.backend.sendFile(s, bufs, f, off, n)
	}
	ls.begin(&lateSend{bufs: slices.Clone(bufs), sum: b.sum(bufs), f: f, off: off, size: sizeOf(bufs) + n})
	return 0, nil
}

func (ls *lateStream) begin(out *lateSend) {
	if ls.out != nil {
		lateFault("late: Send while a Send is pending")
	}
	if out.isOpen = isOpen(out.f); out.size > 0 {
		ls.outer.send, ls.out = true, out
		ls.later(ls.sendPart)
	}
}

func (b *lateBackend) sum(bufs [][]byte) uint64 {
	var h maphash.Hash
	h.SetSeed(b.seed)
	for _, p := range bufs {
		_, _ = h.Write(p)
	}
	return h.Sum64()
}

// sendPart sends all, or a part, of a Send.
func (ls *lateStream) sendPart() {
	if !ls.open {
		ls.complete(net.ErrClosed)
		return
	}
	out, part := ls.out, [][]byte{}
	k := ls.part(out.size)
	for _, p := range out.bufs {
		if p = p[:min(k, len(p))]; len(p) > 0 {
			part = append(part, p)
		}
		k -= len(p)
	}
	n, err := 0, error(nil)
	if k > 0 {
		n, err = ls.SendFile(part, out.f, out.off, k)
	} else {
		n, err = ls.Send(part)
	}
	out.n = n
	if err != nil || !ls.Sending() {
		ls.completeLater(err)
	}
}

// part is how many of n bytes are sent: half the time all.
func (ls *lateStream) part(n int) int {
	if r := ls.b.rand; r.IntN(2) == 0 {
		return 1 + r.IntN(n)
	}
	return n
}

// Sent is of a part for which the socket had no room, or of a Splice that failed.
func (ls *lateStream) Sent(n int, err error) {
	if ls.out != nil {
		ls.out.n += n
		ls.completeLater(err)
		return
	}
	ls.later(func() {
		if ls.outer.open {
			ls.outer.h.Sent(n, err)
		}
	})
}

func (ls *lateStream) completeLater(err error) {
	ls.later(func() { ls.complete(err) })
}

func (ls *lateStream) complete(err error) {
	out := ls.out
	ls.out = nil
	if ls.b.sum(out.bufs) != out.sum {
		lateFault("late: the bytes of a pending Send have changed")
	}
	if out.isOpen != isOpen(out.f) {
		lateFault("late: the file of a pending SendFile was closed")
	}
	ls.outer.sent(out.n, err)
}

// The rest is done at once.

func (b *lateBackend) closeStream(s *Stream, reset bool) {
	ls := lateOf(s)
	if ls == nil {
		b.backend.closeStream(s, reset)
		return
	}
	blocked := ls.Sending()
	ls.Close(reset)
	if blocked && !ls.Sending() {
		ls.completeLater(net.ErrClosed)
	}
}

func (b *lateBackend) detachStream(s *Stream) (net.Conn, error) {
	ls := lateOf(s)
	if ls == nil {
		return b.backend.detachStream(s)
	}
	c, err := ls.Detach()
	if err != nil {
		return nil, err
	}
	var held []byte
	for _, r := range ls.came {
		held = append(held, r.b...)
		if r.err != nil && r.err != io.EOF {
			return nil, errors.Join(r.err, c.Close())
		}
	}
	if len(held) == 0 {
		return c, nil
	}
	return &prefixedConn{Conn: c, prefix: held}, nil
}

// splice waits until both ways are empty.
func (b *lateBackend) splice(s, dst *Stream) error {
	from, to := lateOf(s), lateOf(dst)
	switch {
	case from == nil:
		return b.backend.splice(s, dst)
	case len(from.came) > 0 || to.out != nil:
		return errors.ErrUnsupported
	}
	return from.Splice(&to.Stream)
}

func (ls *lateStream) Spliced(in, out int, blocked bool) {
	ls.outer.h.(SpliceHandler).Spliced(in, out, blocked)
}

func (b *lateBackend) unsplice(s *Stream) ([]byte, error) {
	if ls := lateOf(s); ls != nil {
		return ls.Unsplice()
	}
	return b.backend.unsplice(s)
}

// below is the stream that the backend below knows.
func below(s *Stream) *Stream {
	if ls := lateOf(s); ls != nil {
		return &ls.Stream
	}
	return s
}

func (b *lateBackend) unacked(s *Stream) (n int, known bool) {
	n, known = b.backend.unacked(below(s))
	if ls := lateOf(s); ls != nil && ls.out != nil {
		n -= ls.out.n // the kernel has taken it, and nobody was told
	}
	return n, known
}

// unread is not known: bytes may be under way.
func (b *lateBackend) unread(*Stream) (n int, known bool) { return 0, false }

func (b *lateBackend) closeWrite(s *Stream) error     { return b.backend.closeWrite(below(s)) }
func (b *lateBackend) localAddr(s *Stream) net.Addr   { return b.backend.localAddr(below(s)) }
func (b *lateBackend) remoteAddr(s *Stream) net.Addr  { return b.backend.remoteAddr(below(s)) }
func (b *lateBackend) setUnsentMark(s *Stream, n int) { b.backend.setUnsentMark(below(s), n) }
