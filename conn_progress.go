package jay

import (
	"time"

	"github.com/jay-go/jay/internal/loop"
)

// Whether a peer is alive is judged by its progress: by what it has acknowledged,
// since the kernel takes more only when much of its buffer is free, and while
// lingering by what it sends, too. Nothing is asked of the kernel before a wait
// begins.

const (
	// looks is how often the peer's progress is looked at in the time that it
	// has.
	looks = 4

	// minCloseRate is the least progress that keeps a Close waiting, in bytes a
	// second: a peer that takes or sends a few bytes at a time cannot hold it
	// open.
	minCloseRate = 1 << 10

	// lingerLimit bounds the lingering for a peer that goes on sending, in units
	// of CloseTimeout.
	lingerLimit = 60

	// drainLinger takes the place of CloseTimeout in the lingering while the
	// worker drains: a peer that keeps silent must not hold up the stop.
	drainLinger = time.Second
)

// Acknowledged returns how many of the bytes written here the peer has
// acknowledged, or of a Unix socket read, as far as the system tells; where it
// does not, how many the system has taken. It may be some bytes less. It costs a
// system call.
func (c *Conn) Acknowledged() uint64 {
	c.mine()
	n, _ := c.stream.Unacked() // 0 if that is not known
	return uint64(max(int64(c.bytesOut)-int64(n), 0))
}

// progress is a measure of what the peer has done, of which differences count.
func (c *Conn) progress() uint32 {
	n, _ := c.stream.Unacked()
	p := uint32(c.bytesOut) - uint32(n)
	if c.state == stateLingering {
		p += uint32(c.bytesIn)
	}
	return p
}

// patience is how long the peer may make no progress.
func (c *Conn) patience() time.Duration {
	switch d := c.times.close; {
	case c.live():
		return c.times.write
	case c.state == stateLingering && c.worker.drain != nil && (d == none || d > drainLinger):
		return drainLinger
	default:
		return d
	}
}

// setStall begins the wait for the peer's progress.
func (c *Conn) setStall() {
	if c.stalled = c.worker.tickIn(c.patience()); c.stalled == 0 {
		return
	}
	c.acked = c.progress()
	c.arm()
}

// lookAt returns the tick at which the peer's progress is looked at next, 0 for
// never.
func (c *Conn) lookAt() uint32 {
	if c.stalled == 0 {
		return 0
	}
	step := max(uint32(c.patience()/loop.Tick/looks), 1)
	return min(c.worker.loop.TickNow()+step, c.stalled)
}

// look gives the peer its time anew if it has made enough progress.
func (c *Conn) look() {
	least, d := int32(1), c.patience()
	if !c.live() {
		least = max(int32(min(minCloseRate*d.Seconds(), 1<<30)), 1)
	}
	p := c.progress()
	if int32(p-c.acked) < least {
		return
	}
	c.acked = p
	c.stalled = c.worker.tickIn(d)
}

// stall ends a connection whose peer has made no progress.
func (c *Conn) stall() {
	switch {
	case c.live():
		c.abortOverdue(ErrWriteStall)
	case c.state == stateFlushing:
		c.abortOverdue(ErrCloseTimeout)
	default:
		c.leave(ErrCloseTimeout)
	}
}

// leave ends the lingering. All was sent, but if the peer has not acknowledged it
// that is not known to arrive: err says so, while the kernel goes on sending.
func (c *Conn) leave(err error) {
	if n, known := c.stream.Unacked(); !known || n <= 1 { // of which FIN is one
		err = nil
	}
	c.end(err)
}

// takesStill reports whether the peer, which is idle otherwise, or that of the
// Pipe's other end, is taking what the kernel has of the output.
func (c *Conn) takesStill() bool {
	p, ok := c.handler.(*pipeEnd)
	return c.takes() || ok && p.to.takes()
}

func (c *Conn) takes() bool {
	if n, known := c.stream.Unacked(); !known || n <= 0 {
		return false
	}
	was := c.acked
	c.acked = c.progress()
	return c.acked != was
}
