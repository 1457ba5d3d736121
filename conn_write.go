package jay

import (
	"fmt"

	"github.com/jay-go/jay/internal/poison"
)

// Write queues a copy of p; the queue is sent once, at the end of the loop's
// turn. It never blocks and never takes only a part: it returns len(p) and
// nil, or 0 and ErrClosed, ErrOutputLimit or ErrBudget. After the last two the
// connection fails, unless ConnConfig.DropNewest is set.
func (c *Conn) Write(p []byte) (int, error) {
	c.mine()
	return c.write(p, c.via.dropNewest)
}

// write is writev for one piece.
func (c *Conn) write(p []byte, drop bool) (int, error) {
	if !c.writable() {
		return 0, ErrClosed
	}
	if err := c.Room(len(p)); err != nil {
		return 0, c.overflow(err, len(p), drop)
	}
	if err := c.put(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// writable reports whether more may be written.
func (c *Conn) writable() bool {
	if c.state == stateOpen && c.flags&(flagSpliced|flagFin) == 0 {
		return true
	}
	return c.writableStill()
}

// writableStill is writable for all that is not plain.
func (c *Conn) writableStill() bool {
	if c.has(flagSpliced) {
		c.unspliceTo()
	}
	if c.state <= stateOpen && !c.has(flagFin) {
		return true
	}
	return c.has(flagMail) && c.state <= stateFlushing && (!c.has(flagFin) || c.has(flagFinDue))
}

// Writev is Write for a message in pieces: it queues copies of all of them or
// of none.
func (c *Conn) Writev(pieces ...[]byte) (n int, err error) {
	c.mine()
	return c.writev(pieces, c.via.dropNewest)
}

// WriteWhole is Writev for what the peer cannot do without, such as the middle
// of a message: without room for it the connection fails, ConnConfig.DropNewest or
// not.
func (c *Conn) WriteWhole(pieces ...[]byte) (n int, err error) {
	c.mine()
	if len(pieces) == 1 {
		return c.write(pieces[0], false)
	}
	return c.writev(pieces, false)
}

func (c *Conn) writev(pieces [][]byte, drop bool) (n int, err error) {
	if !c.writable() {
		return 0, ErrClosed
	}
	for _, p := range pieces {
		n += len(p)
	}
	if err := c.Room(n); err != nil {
		return 0, c.overflow(err, n, drop)
	}
	for _, p := range pieces {
		if err := c.put(p); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// WriteShared is Write without the copy, for bytes that go to many
// connections: p must never change again. Pieces that lie one behind the other
// in one buffer, and are written in this order, are sent as one.
func (c *Conn) WriteShared(p []byte) (int, error) {
	c.mine()
	return c.WriteSharedBehind(nil, p)
}

// WriteSharedBehind is WriteShared for a message that begins with head, which is
// copied: it queues both or neither.
func (c *Conn) WriteSharedBehind(head, p []byte) (int, error) {
	c.mine()
	if c.layer != nil || len(p) == 0 || c.has(flagFiles) {
		return c.Writev(head, p)
	}
	if !c.writable() {
		return 0, ErrClosed
	}
	n := len(head) + len(p)
	if err := c.Room(n); err != nil {
		return 0, c.overflow(err, n, c.via.dropNewest)
	}
	c.out.push(&c.worker.pool, head)
	c.out.share(&c.worker.pool, p)
	c.queued()
	return n, nil
}

// put queues what the peer is to see for p.
func (c *Conn) put(p []byte) error {
	if c.has(flagFiles) {
		c.putBehind(p)
	} else if c.layer == nil {
		c.push(p)
	} else if err := c.encode(p); err != nil {
		c.CloseOn(blamed(err, ProgramFault), err)
		return err
	}
	return nil
}

// Room returns why a Write of n bytes would find no room now, ErrOutputLimit or
// ErrBudget; nil when it would.
func (c *Conn) Room(n int) error {
	c.mine()
	return c.RoomBehind(nil, n)
}

// RoomBehind is Room for n bytes behind a [Conn.WriteBuffer] of b, which may be
// nil: the memory of what is in b counts against the budget already.
func (c *Conn) RoomBehind(b *Buffer, n int) error {
	c.mine()
	unsent := c.out.size + n
	if b != nil {
		unsent += b.n
	}
	if unsent <= modestSize && unsent <= c.via.maxOutput {
		return nil // however spent the budget is
	}
	return c.roomFor(unsent, n)
}

// roomFor is Room for n bytes that make unsent bytes of output.
func (c *Conn) roomFor(unsent, n int) error {
	switch w := c.worker; {
	case unsent > c.via.maxOutput:
		return ErrOutputLimit
	case w.exceeds(n) && unsent > c.modest():
		return ErrBudget
	}
	return nil
}

// overflow ends a Write that has no room: its bytes are dropped, or the
// connection fails.
func (c *Conn) overflow(err error, n int, drop bool) error {
	c.worker.stats.sendFailures++
	if !drop {
		c.AbortOn(blamed(err, PeerFault), fmt.Errorf("%w: %d bytes are unsent, %d more were written", err, c.out.size, n))
	}
	return err
}

// WriteString is Write for a string.
func (c *Conn) WriteString(s string) (int, error) {
	c.mine()
	return c.Write(append(c.AvailableBuffer(), s...))
}

// AvailableBuffer returns an empty slice, with some capacity unless a layer
// makes other bytes of them anyway. What is appended to it and passed to the
// connection's very next Write is not copied.
func (c *Conn) AvailableBuffer() []byte {
	c.mine()
	if c.state > stateOpen || c.layer != nil || c.has(flagFiles) {
		return nil
	}
	if c.has(flagSpliced) {
		c.unspliceTo()
	}
	c.later() // even if nothing is written, the buffer must go back
	return c.out.free(&c.worker.pool)
}

func (c *Conn) push(p []byte) {
	if len(p) == 0 {
		return
	}
	c.out.push(&c.worker.pool, p)
	c.queued()
}

// scratch returns what of b is kept for the next call.
func scratch(b []byte) []byte {
	if cap(b) > 1<<20 || poison.On {
		return nil
	}
	return b
}

// queued notices the high-water mark.
func (c *Conn) queued() {
	if c.out.size > c.via.highWater && !c.has(flagFull) {
		c.full()
	}
	c.later()
}

// full stops the reading until the output is below the low-water mark.
func (c *Conn) full() {
	c.flags = c.flags&^flagDrainDue | flagFull | flagFullDue
	c.setRecv()
}

// flush hands the queue to the kernel, once a turn.
func (c *Conn) flush() {
	if c.stream.Sending() || c.state > stateFlushing {
		return
	}
	if c.has(flagFiles) {
		if err := c.fill(); err != nil {
			c.cutShort(err)
			return
		}
		if c.has(flagFull) && c.drained() { // a layer may have taken files in and made no bytes of them yet
			c.notFull()
		}
	}
	if c.out.head != nil || c.has(flagFiles) && c.fileDue() {
		bufs := c.out.gather(c.worker.bufs[:0])
		n, err := 0, error(nil)
		if c.has(flagFiles) {
			n, err = c.sendFile(bufs)
		} else if len(bufs) > 0 {
			n, err = c.stream.Send(bufs)
		}
		clear(bufs)
		c.worker.bufs = bufs // keeps what it has grown to
		c.sent(n)
		if err != nil {
			c.sendFailed(err)
			return
		}
		switch {
		case c.stream.Sending():
			if n > 0 || c.stalled == 0 {
				c.setStall()
			}
		case c.unsent(): // more pieces than one call takes
			c.later()
		}
	}
	switch {
	case c.unsent() || c.mailed() > 0 || c.state != stateFlushing && !c.has(flagFinDue):
	case !c.finished():
		c.flush()
	case c.state == stateFlushing:
		c.sentAll()
	default:
		c.sendFin()
	}
}

// Sent takes the completion of a Send that the kernel did not take whole.
func (e *events) Sent(n int, err error) {
	c := (*Conn)(e)
	if c.over() {
		c.worker.finishing--
		c.dropOutput()
		return
	}
	c.worker.enter(c)
	c.sent(n)
	if n > 0 && c.unsent() {
		c.setStall()
	}
	if err != nil {
		c.sendFailed(err)
	} else {
		c.later()
	}
	c.worker.leave()
}

// sent forgets n bytes that have gone and notices the low-water mark.
func (c *Conn) sent(n int) {
	c.bytesOut += uint64(n)
	c.worker.stats.bytesOut += uint64(n)
	if n > 0 {
		c.touch()
	}
	if c.has(flagFiles) {
		n = c.sentFile(n)
	}
	c.out.advance(&c.worker.pool, n)
	if !c.unsent() {
		c.stalled = 0
	}
	if len(c.worker.waiting) > 0 {
		c.waitedEnough()
	}
	if c.has(flagFull) && c.drained() {
		c.notFull()
	}
}

// notFull goes on with the reading: little enough is unsent.
func (c *Conn) notFull() {
	c.flags = c.flags&^(flagFull|flagFullDue) | flagDrainDue
	c.readOn()
	c.later()
}
