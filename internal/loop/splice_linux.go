package loop

import (
	"errors"

	"github.com/jay-go/jay/internal/sys"
	"golang.org/x/sys/unix"
)

// splicing is a stream's part in Splice, as the source of one and as the
// destination of another.
type splicing struct {
	to      *Stream         // what this stream feeds
	from    *Stream         // what feeds this stream
	pipe    *sys.SplicePipe // between this stream and to; nil while it is empty
	held    int             // bytes in pipe
	blocked bool            // to takes no more; its EPOLLOUT is awaited
}

func splicingOf(s *Stream) *splicing {
	sp, _ := s.impl.(*splicing)
	if sp == nil {
		sp = &splicing{}
		s.impl = sp
	}
	return sp
}

func (b *epollBackend) splice(s, dst *Stream) error {
	source, target := splicingOf(s), splicingOf(dst)
	if source.to != nil || target.from != nil {
		return errors.ErrUnsupported
	}
	source.to, target.from = dst, s
	b.byLevel(s)
	b.byLevel(dst)
	return nil
}

// byLevel ends what byEdge reports, for a pump never knows whether it has taken
// everything. Where receiving is stopped, the peer's end is still waited for.
func (b *epollBackend) byLevel(s *Stream) {
	if !byEdge(s) {
		return
	}
	mask := s.mask &^ (unix.EPOLLPRI | unix.EPOLLET)
	if mask&unix.EPOLLIN != 0 {
		mask &^= unix.EPOLLRDHUP
	}
	b.want(s, mask)
}

// spliceReady pumps on, or takes the failure of a source that has to wait.
func (b *epollBackend) spliceReady(s *Stream, sp *splicing, ev uint32) {
	switch {
	case sp.blocked && ev&unix.EPOLLERR != 0:
		s.ended(socketError(int(s.fd)))
	case !sp.blocked && ev&^unix.EPOLLOUT != 0:
		if s.mask&unix.EPOLLET != 0 {
			b.want(s, s.mask) // for what the pipe has no room for
		}
		b.pump(s, sp)
	}
}

// pump moves one pipeful from s to its destination, and reports it.
func (b *epollBackend) pump(s *Stream, sp *splicing) {
	in, err := b.fill(s, sp)
	if sp.held == 0 {
		b.setBlocked(s, sp, false)
		if err != nil && err != unix.EAGAIN {
			s.ended(readError(err))
		}
		return
	}
	dst := sp.to
	out, err := sp.pipe.Drain(int(dst.fd), sp.held)
	sp.held -= out
	if sp.held == 0 {
		b.pipes = append(b.pipes, sp.pipe)
		sp.pipe = nil
	}
	wait := err == nil || isFull(err)
	b.setBlocked(s, sp, sp.held > 0 && wait)
	if out > 0 {
		b.unscarce(dst)
	} else if wait && b.isScarce(dst, err) {
		b.want(dst, dst.mask&^unix.EPOLLOUT)
	}
	if !wait {
		dst.h.Sent(0, writeError(err))
		return
	}
	s.h.(SpliceHandler).Spliced(in, out, sp.blocked)
}

// setBlocked has epoll wait for the destination in the place of the source, or
// the other way round.
func (b *epollBackend) setBlocked(s *Stream, sp *splicing, on bool) {
	dst := sp.to
	switch {
	case on:
		b.want(dst, dst.mask|unix.EPOLLOUT)
		if !sp.blocked {
			b.want(s, s.mask&^unix.EPOLLIN)
		}
	case sp.blocked:
		if !dst.send {
			b.want(dst, dst.mask&^unix.EPOLLOUT)
		}
		if s.recv {
			b.want(s, s.mask|unix.EPOLLIN)
		}
	}
	sp.blocked = on
}

// unblock goes on with a splice whose destination takes more.
func (b *epollBackend) unblock(dst *Stream) {
	if sp, _ := dst.impl.(*splicing); sp != nil && sp.from != nil {
		if feed := sp.from.impl.(*splicing); feed.blocked {
			b.pump(sp.from, feed)
		}
	}
}

// fill puts what s has received into the pipe, if that is empty and receiving
// is not stopped. Where there is no pipe to be had, the bytes go the usual way
// from now on.
func (b *epollBackend) fill(s *Stream, sp *splicing) (n int, err error) {
	if sp.held > 0 || !s.recv {
		return 0, nil
	}
	if sp.pipe == nil {
		if sp.pipe, err = b.newPipe(); err != nil {
			b.part(s, sp)
			return 0, nil
		}
	}
	n, err = sp.pipe.Fill(int(s.fd))
	sp.held = n
	if n == 0 {
		b.pipes = append(b.pipes, sp.pipe)
		sp.pipe = nil
	}
	return n, err
}

// newPipe takes a pipe from those at rest. Their number is bounded by that of
// the splices that were under way at one moment.
func (b *epollBackend) newPipe() (*sys.SplicePipe, error) {
	if n := len(b.pipes); n > 0 {
		p := b.pipes[n-1]
		b.pipes = b.pipes[:n-1]
		return p, nil
	}
	return sys.NewSplicePipe()
}

// unsplice: see Stream.Unsplice.
func (b *epollBackend) unsplice(s *Stream) (held []byte, err error) {
	sp, _ := s.impl.(*splicing)
	if sp == nil || sp.to == nil {
		return nil, nil
	}
	if sp.held > 0 {
		held = make([]byte, sp.held)
		err = sp.pipe.Take(held)
	}
	b.part(s, sp)
	return held, err
}

// part ends the splice of s to its destination. What the pipe holds is lost.
func (b *epollBackend) part(s *Stream, sp *splicing) {
	b.setBlocked(s, sp, false)
	sp.to.impl.(*splicing).from = nil
	sp.to, sp.held = nil, 0
	if sp.pipe != nil {
		sp.pipe.Close()
		sp.pipe = nil
	}
}

// endSplice takes s, which is being closed, out of the splices it is in.
func (b *epollBackend) endSplice(s *Stream) {
	sp, _ := s.impl.(*splicing)
	if sp == nil {
		return
	}
	if sp.to != nil {
		b.part(s, sp)
	}
	if sp.from != nil {
		b.part(sp.from, sp.from.impl.(*splicing))
	}
	s.impl = nil
}
