package loop

import (
	"time"

	"github.com/jay-go/jay/internal/sys"
	"golang.org/x/sys/unix"
)

// A kernel that is short of memory refuses bytes although it reports the socket
// writable, so waiting for that would spin: the stream tries again later.

// scarcity is a stream that waits for the kernel to have memory.
type scarcity struct {
	wait  time.Duration
	timer *Timer
}

// isFull tells whether an error of sending means that it can be tried again.
func isFull(err error) bool {
	return err == unix.EAGAIN || err == unix.ENOBUFS || err == unix.ENOMEM
}

// isScarce reports whether err, with which a socket took nothing, is for want
// of memory and not of room; then Sent, or a pump, follows in a while. Of room
// there may be some by now, so that EAGAIN alone means nothing the first time.
func (b *epollBackend) isScarce(s *Stream, err error) bool {
	if err == nil || err == unix.EAGAIN && !sys.Writable(int(s.fd)) {
		return false
	}
	sc := b.scarce[s]
	if sc == nil {
		sc = &scarcity{}
		b.scarce[s] = sc
		if err == unix.EAGAIN {
			return false
		}
	}
	if sc.timer == nil {
		sc.wait = min(max(2*sc.wait, firstScarce), maxScarce)
		sc.timer = b.l.AfterFunc(sc.wait, func() {
			sc.timer = nil
			b.retry(s)
		})
	}
	return true
}

// retry has what is waiting tried again.
func (b *epollBackend) retry(s *Stream) {
	if s.send {
		s.send = false
		s.h.Sent(0, nil)
		return
	}
	b.unblock(s)
}

// unscarce forgets that s, which has sent something or is closed, had to wait.
func (b *epollBackend) unscarce(s *Stream) {
	if len(b.scarce) == 0 {
		return
	}
	if sc := b.scarce[s]; sc != nil {
		delete(b.scarce, s)
		if sc.timer != nil {
			sc.timer.Stop()
		}
	}
}
