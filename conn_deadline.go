package jay

import "time"

// SetDeadline gives the connection until d from now: then the handler's
// Deadline method is called, or the connection fails with [ErrDeadline]. Zero
// or less takes the deadline back. While one is set the idle timeout rests.
// It is cheap enough for every message, and up to loop.Tick late.
func (c *Conn) SetDeadline(d time.Duration) {
	if d <= 0 {
		c.proto = 0
		c.touch()
		return
	}
	c.proto = c.worker.tickIn(d)
	c.arm()
}

// touch notes that bytes came or went.
func (c *Conn) touch() { c.active = c.worker.loop.TickNow() }

// arm sees to it that the wheel fires no later than the earliest deadline. It
// may fire earlier: expire then arms it again, which is cheaper than moving
// the entry with every message.
func (c *Conn) arm() {
	next := c.nextDeadline()
	if next == 0 || c.state == stateClosed {
		return
	}
	if at, set := c.wheel.At(); set && at <= next {
		return
	}
	c.worker.loop.SetDeadline(&c.wheel, next, (*events)(c))
}

func (c *Conn) nextDeadline() (next uint32) {
	for _, at := range [...]uint32{c.proto, c.stalled, c.closing, c.idleAt()} {
		if at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	return next
}

// idleAt returns the tick at which the connection counts as idle, 0 for never.
func (c *Conn) idleAt() uint32 {
	idle := c.worker.idleTicks
	if idle == 0 || c.proto != 0 || c.holds > 0 || c.state != stateOpen {
		return 0
	}
	return c.active + idle
}

// Expire is the wheel's call.
func (e *events) Expire() {
	c := (*Conn)(e)
	c.worker.enter(c)
	c.expire(c.worker.loop.TickNow())
	c.arm()
	c.worker.leave()
}

func (c *Conn) expire(now uint32) {
	passed := func(at uint32) bool { return at != 0 && at <= now }
	switch {
	case passed(c.closing):
		c.end(nil) // all was sent; the peer has had its time
	case passed(c.stalled) && c.state == stateFlushing:
		c.abort(ErrCloseTimeout)
	case passed(c.stalled):
		c.abort(ErrWriteStall)
	case passed(c.proto):
		c.proto = 0
		c.touch()
		if h, ok := c.handler.(DeadlineHandler); ok && c.state == stateOpen {
			h.Deadline(c)
		} else {
			c.closeFor(ErrDeadline)
		}
	case passed(c.idleAt()):
		c.closeFor(ErrIdle)
	}
}

// closeFor closes in order for a reason that Handler.Close is told.
func (c *Conn) closeFor(err error) {
	if c.err == nil && c.state == stateOpen {
		c.err = err
	}
	c.Close()
}
