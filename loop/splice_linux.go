package loop

import (
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
	splicingOf(s).to = dst
	splicingOf(dst).from = s
	return nil
}

// spliceReady takes the part of an event that concerns splicing and returns the
// rest.
func (b *epollBackend) spliceReady(s *Stream, ev uint32) uint32 {
	sp := s.impl.(*splicing)
	if from := sp.from; from != nil && ev&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		if feed := from.impl.(*splicing); feed.blocked {
			feed.blocked = false
			if !s.send {
				b.want(s, s.mask&^unix.EPOLLOUT)
			}
			if from.recv {
				b.want(from, from.mask|unix.EPOLLIN)
			}
			b.pump(from, feed)
		}
	}
	if s.open && s.recv && sp.to != nil && ev&^unix.EPOLLOUT != 0 {
		if !sp.blocked {
			b.pump(s, sp)
		}
		return 0
	}
	return ev
}

// pump moves one pipeful from s to its destination, and reports it.
func (b *epollBackend) pump(s *Stream, sp *splicing) {
	in, err := b.fill(s, sp)
	if sp.held == 0 {
		if err != nil && err != unix.EAGAIN {
			s.failed(readError(err))
		}
		return
	}
	dst := sp.to
	out, err := sp.pipe.Drain(int(dst.fd), sp.held)
	sp.held -= out
	if sp.held > 0 && (err == nil || err == unix.EAGAIN) {
		sp.blocked = true
		b.want(dst, dst.mask|unix.EPOLLOUT)
		b.want(s, s.mask&^unix.EPOLLIN)
		err = nil
	}
	if sp.held == 0 {
		b.pipes = append(b.pipes, sp.pipe)
		sp.pipe = nil
	}
	if err != nil {
		dst.h.Sent(0, writeError(err))
		return
	}
	s.h.(SpliceHandler).Spliced(in, out, sp.blocked)
}

// fill puts what s has received into the pipe, if that is empty. Where there is
// no pipe to be had, the bytes go the usual way from now on.
func (b *epollBackend) fill(s *Stream, sp *splicing) (n int, err error) {
	if sp.held > 0 {
		return 0, nil
	}
	if sp.pipe == nil {
		if sp.pipe, err = b.newPipe(); err != nil {
			sp.to.impl.(*splicing).from = nil
			sp.to = nil
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

// endSplice takes s, which is being closed, out of the splices it is in.
func (b *epollBackend) endSplice(s *Stream) {
	sp, _ := s.impl.(*splicing)
	if sp == nil {
		return
	}
	s.impl = nil
	if sp.pipe != nil {
		sp.pipe.Close()
	}
	if sp.to != nil && sp.to.impl != nil {
		sp.to.impl.(*splicing).from = nil
	}
	if from := sp.from; from != nil && from.impl != nil {
		feed := from.impl.(*splicing)
		feed.to, feed.blocked, feed.held = nil, false, 0
		if feed.pipe != nil {
			feed.pipe.Close()
			feed.pipe = nil
		}
		if from.recv {
			b.want(from, from.mask|unix.EPOLLIN)
		}
	}
}
