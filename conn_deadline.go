package jay

import (
	"time"

	"github.com/jay-go/jay/internal/loop"
)

// timeouts are the deadlines of a connection. All connections of an endpoint share
// one until they change theirs.
type timeouts struct {
	first, idle, life uint32 // in ticks after an event that is remembered in ticks; 0: none
	write, close      time.Duration

	// Where readIdle is set the connection has timeouts of its own, for heard is
	// the tick of the loop when bytes last came, or could come again.
	readIdle, heard uint32
}

// ticks converts a timeout that is counted from a remembered tick. That tick
// was rounded down, so one is added: never early, at most a tick late.
func ticks(d time.Duration) uint32 {
	if d == none {
		return 0
	}
	return uint32((d+loop.Tick-1)/loop.Tick) + 1
}

// own makes the connection's timeouts its own, to be changed.
func (c *Conn) own() *timeouts {
	if c.times == &c.via.times {
		own := c.via.times
		c.times = &own
	}
	return c.times
}

// SetIdleTimeout, SetReadIdleTimeout, SetFirstByteTimeout, SetLifetime, SetWriteTimeout and
// SetCloseTimeout change for this connection what ConnConfig set for
// all: zero or less means none.
func (c *Conn) SetIdleTimeout(d time.Duration) {
	c.mine()
	c.own().idle = ticks(max(d, none))
	c.armAnew()
}

// SetReadIdleTimeout: see SetIdleTimeout. It counts from now.
func (c *Conn) SetReadIdleTimeout(d time.Duration) {
	c.mine()
	c.own().readIdle = ticks(max(d, none))
	c.hear()
	c.armAnew()
}

// SetFirstByteTimeout: see SetIdleTimeout. It counts from the accepting.
func (c *Conn) SetFirstByteTimeout(d time.Duration) {
	c.mine()
	c.own().first = ticks(max(d, none))
	c.arm()
}

// SetLifetime: see SetIdleTimeout. It counts from the accepting.
func (c *Conn) SetLifetime(d time.Duration) {
	c.mine()
	c.own().life = ticks(max(d, none))
	c.arm()
}

// SetWriteTimeout: see SetIdleTimeout. It counts anew when the peer acknowledges
// output.
func (c *Conn) SetWriteTimeout(d time.Duration) {
	c.mine()
	c.own().write = max(d, none)
}

// SetCloseTimeout: see SetIdleTimeout. Set it before Close.
func (c *Conn) SetCloseTimeout(d time.Duration) {
	c.mine()
	c.own().close = max(d, none)
}

// SetDeadline gives the connection until d from now: then the handler's
// Deadline method is called, or the connection fails with [ErrDeadline]. Zero
// or less takes the deadline back. While one is set the idle timeout rests.
// It is cheap enough for every message, and up to loop.Tick late.
func (c *Conn) SetDeadline(d time.Duration) {
	c.mine()
	if d <= 0 {
		c.proto = 0
		c.touch()
		c.arm() // for the idle timeout
		return
	}
	c.proto = c.worker.loop.TickIn(d)
	if at, set := c.wheel.At(); !set || at > c.proto {
		c.arm()
	}
}

// touch notes that bytes came or went.
func (c *Conn) touch() { c.active = c.worker.loop.TickNow() }

// hear notes that bytes came, or that from now on they can come again.
func (c *Conn) hear() {
	if t := c.times; t.readIdle != 0 {
		t.heard = c.worker.loop.TickNow()
	}
}

// readIdleAt returns the tick at which nothing has come for too long, 0 for
// never: while nothing is read nothing can come.
func (c *Conn) readIdleAt() uint32 {
	if c.times.readIdle == 0 || c.has(flagEOF|flagBlocked) || !c.Reading() {
		return 0
	}
	return c.times.heard + c.times.readIdle
}

// arm sees to it that the wheel fires no later than the earliest deadline. It
// may fire earlier: expire then arms it again, which is cheaper than moving
// the entry with every message.
func (c *Conn) arm() {
	if c.over() {
		return
	}
	next := c.nextDeadline()
	switch at, set := c.wheel.At(); {
	case set && (next == 0 || at <= next):
		return
	case !set:
		next = c.lookAgain(next)
	}
	if next != 0 {
		c.worker.loop.SetDeadline(&c.wheel, next, (*events)(c))
	}
}

// armAnew is arm where a timeout has changed.
func (c *Conn) armAnew() {
	c.worker.loop.StopDeadline(&c.wheel)
	c.arm()
}

// lookAgain returns the tick at which the connection is looked at although
// nothing is due before next: a timeout that rests now may go on meanwhile, and
// nobody arms the wheel for it then. It is not over before it would be from now.
func (c *Conn) lookAgain(next uint32) uint32 {
	if !c.live() {
		return next
	}
	for _, timeout := range [...]uint32{c.times.idle, c.times.readIdle} {
		if at := c.worker.loop.TickNow() + timeout; timeout != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	return next
}

func (c *Conn) nextDeadline() (next uint32) {
	for _, at := range [...]uint32{c.proto, c.lookAt(), c.closing, c.idleAt(), c.readIdleAt(), c.firstAt(), c.lifeAt()} {
		if at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	return next
}

// idleAt returns the tick at which the connection counts as idle, 0 for never.
func (c *Conn) idleAt() uint32 {
	idle := c.times.idle
	if idle == 0 || c.proto != 0 || c.holds > 0 || c.stalled != 0 || !c.live() {
		return 0
	}
	if p, ok := c.handler.(*pipeEnd); ok && p.to.stalled != 0 {
		return 0 // it may have to wait for the other end, which is judged by its own progress
	}
	return c.active + idle
}

// firstAt returns the tick by which the first byte must have come.
func (c *Conn) firstAt() uint32 {
	if c.times.first == 0 || c.bytesIn > 0 || !c.live() {
		return 0
	}
	return c.opened + c.times.first
}

// lifeAt returns the tick at which the connection has lived long enough: then
// it closes, for which it has CloseTimeout at most.
func (c *Conn) lifeAt() uint32 {
	switch {
	case c.times.life == 0 || !c.live() && c.times.close == none:
		return 0
	case !c.live():
		return c.opened + c.times.life + ticks(c.times.close)
	}
	return c.opened + c.times.life
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
	if c.stalled != 0 {
		c.look()
	}
	switch {
	case c.over():
	case passed(c.closing):
		c.leave(ErrCloseTimeout)
	case passed(c.stalled):
		c.stall()
	case passed(c.lifeAt()) && c.live():
		c.closeOverdue(ErrLifetime)
	case passed(c.lifeAt()):
		c.abortOverdue(ErrLifetime)
	case passed(c.firstAt()):
		c.closeOverdue(ErrFirstByte)
	case passed(c.proto):
		c.proto = 0
		c.touch()
		if h, ok := optional[DeadlineHandler](c.handler); ok && c.live() {
			h.Deadline(c)
		} else {
			c.closeOverdue(ErrDeadline)
		}
	case passed(c.idleAt()) && c.takesStill():
		c.touch()
	case passed(c.readIdleAt()):
		c.closeOverdue(ErrReadIdle)
	case passed(c.idleAt()):
		c.closeOverdue(ErrIdle)
	}
}
