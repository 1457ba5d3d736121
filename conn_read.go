package jay

import (
	"fmt"
	"io"
	"math"
	"time"

	"github.com/jay-go/jay/internal/loop"
	"github.com/jay-go/jay/internal/poison"
)

// events is a Conn as its loop sees it; the type keeps the completions out of
// Conn's exported methods.
type events Conn

// Received takes bytes, or the end, from the loop.
func (e *events) Received(b []byte, err error) {
	c := (*Conn)(e)
	c.worker.enter(c)
	switch {
	case err == io.EOF && c.has(flagEOF) && c.state != stateLingering: // the layer has seen the end
	case err == io.EOF && c.cut():
	case err == io.EOF:
		c.receivedEOF()
	case err != nil:
		c.lost(fmt.Errorf("receive: %w", err))
	default:
		c.received(b)
	}
	c.worker.leave()
}

func (c *Conn) received(b []byte) {
	c.bytesIn += uint64(len(b))
	c.worker.stats.bytesIn += uint64(len(b))
	if !c.live() {
		c.take(flagAtOnce)
		return // discarded: see stateFlushing
	}
	c.touch()
	c.hear()
	if c.layer == nil {
		c.deliver(b)
	} else {
		c.decode(b)
	}
}

// deliver gives the handler what it left last time and b, and keeps what it
// leaves now.
func (c *Conn) deliver(b []byte) {
	if c.in != nil && !c.join(b) {
		return
	}
	kept := c.in
	if c.in = nil; kept != nil {
		b = kept.b[kept.off:]
	}
	c.worker.lent = kept
	for again := true; again && c.Reading() && len(b) > 0 && len(b) >= int(c.need); {
		c.need = 0
		h, plain := c.handler, c.layer == nil
		c.flags |= flagData
		n, err := h.Data(c, b)
		if n < 0 || n > len(b) {
			panic(fmt.Sprintf("jay: %T.Data says it used %d of %d bytes", h, n, len(b)))
		}
		poison.Fill(b[:n])
		b = b[n:]
		if err != nil && c.live() { // otherwise it is that of a Write, and was told
			c.CloseOn(blamed(err, PeerFault), err)
		}
		again = c.take(flagReplaced) // an upgrade: the rest belongs to the next
		c.take(flagData)
		if plain && c.layer != nil { // what follows was sent to the layer
			c.worker.lent = nil
			c.raise(kept, b)
			return
		}
	}
	c.worker.lent = nil
	c.keep(kept, b)
}

// join adds b to what is kept. Where there is no memory for it the connection
// fails.
func (c *Conn) join(b []byte) bool {
	k, pool := c.in, &c.worker.pool
	need := c.Unused() + len(b)
	switch {
	case cap(k.b)-len(k.b) >= len(b):
	case need <= cap(k.b) && k.off >= cap(k.b)/4:
		k.b, k.off = k.b[:copy(k.b, k.b[k.off:])], 0
	default:
		size := nextSize(cap(k.b), need, int(c.need))
		if err := c.afford(size); err != nil {
			c.CloseOn(blamed(err, PeerFault), err)
			return false
		}
		k = pool.grown(k, size)
	}
	k.b = append(k.b, b...)
	c.in = k
	return true
}

// keep stores the unused bytes b, which lie in kept where there is one.
func (c *Conn) keep(kept *chunk, b []byte) {
	switch {
	case !c.live():
		if len(b) > 0 {
			c.take(flagAtOnce)
		}
		b = nil
	case len(b) > c.via.maxInput && c.Reading(): // else Data was not asked
		c.CloseOn(PeerFault, ErrInputLimit)
		b = nil
	case kept == nil && len(b) > 0 && c.afford(takes(len(b))) != nil:
		c.CloseOn(SystemFault, ErrBudget)
		b = nil
	}
	if len(b) == 0 {
		if kept != nil {
			c.worker.pool.put(kept)
		}
		return
	}
	if kept == nil {
		kept = c.worker.pool.get(len(b))
		kept.b = append(kept.b, b...)
	} else {
		kept.off = len(kept.b) - len(b)
		switch {
		case poison.On, cap(kept.b) > largeChunk && len(b) <= cap(kept.b)/4: // a large message was used
			kept = c.worker.pool.grown(kept, len(b))
		case kept.off > len(kept.b)/2:
			kept.b = kept.b[:copy(kept.b, b)]
			kept.off = 0
		}
	}
	c.in = kept
}

// Gone is the loop's call for a peer that has finished while nothing is
// received.
func (e *events) Gone() {
	c := (*Conn)(e)
	c.worker.enter(c)
	c.tellGone()
	c.worker.leave()
}

func (c *Conn) tellGone() {
	if h, ok := optional[GoneHandler](c.handler); ok && c.live() && !c.has(flagGone) {
		c.flags |= flagGone
		h.Gone(c)
	}
}

func (c *Conn) receivedEOF() {
	c.flags |= flagEOF
	if c.state == stateLingering {
		c.end(nil)
		return
	}
	c.flags |= flagEOFDue
	c.setRecv()
	c.later()
}

// tellEOF tells the handler that the peer is done, or asks again for the end
// when the last Hold was released.
func (c *Conn) tellEOF() {
	switch h, ok := optional[EOFHandler](c.handler); {
	case c.has(flagFin) && !c.has(flagFinDue):
		c.end(nil) // both sides have finished
	case ok:
		h.EOF(c)
	case c.holds == 0:
		c.Close()
	}
}

// Reading reports whether the next message may be read: the connection is
// open, not paused and not above the high-water mark.
func (c *Conn) Reading() bool {
	c.mine()
	return c.state <= stateOpen && c.flags&flagPaused == 0 && !c.choked()
}

// choked reports whether unsent output stops the reading.
func (c *Conn) choked() bool { return c.flags&(flagFull|flagDuplex) == flagFull }

// Paused returns for how long the reading has been stopped from this side, by
// PauseRead or the high-water mark, all times together; to within loop.Tick for
// each. It is what a time limit for the peer's sending must not count.
func (c *Conn) Paused() time.Duration {
	c.mine()
	n := c.stopped
	if c.has(flagStopped) {
		n = c.worker.loop.TickNow() - n
	}
	return time.Duration(n) * loop.Tick
}

// setRecv has the stream receive as long as somebody takes what comes: the handler,
// or nobody, once the connection is being closed. It keeps what Paused returns as
// well: while the handler reads, stopped is how many ticks it did not, otherwise the
// tick at which that would have begun without an end.
func (c *Conn) setRecv() {
	reading := c.Reading()
	if c.has(flagStopped) == reading {
		c.flags ^= flagStopped
		c.stopped = c.worker.loop.TickNow() - c.stopped
	}
	if !c.has(flagEOF) && (reading || !c.live()) {
		c.stream.StartRecv()
	} else {
		c.stream.StopRecv()
	}
}

// SetDuplex says that the two directions do not depend on each other, as they
// do where each message is answered: unsent output then does not stop the
// reading. Whoever writes must heed OnBufferFull himself.
func (c *Conn) SetDuplex(on bool) {
	c.mine()
	c.flags &^= flagDuplex
	if on {
		c.flags |= flagDuplex
	}
	c.readOn()
}

// PauseRead stops the reading: Data is not called until ResumeRead. Bytes wait
// in the kernel, and in the end at the peer. It costs nothing as long as none
// arrive.
func (c *Conn) PauseRead() {
	c.mine()
	c.flags |= flagPaused
	c.setRecv()
}

// ResumeRead ends PauseRead. Bytes that Data has not used are delivered again
// at the end of the turn.
func (c *Conn) ResumeRead() {
	c.mine()
	c.flags &^= flagPaused
	c.readOn()
}

// readOn goes on reading if nothing stands against it any more.
func (c *Conn) readOn() {
	c.setRecv()
	if !c.Reading() {
		return
	}
	c.hear()
	c.flags |= flagDataDue
	c.later()
}

// Need says, from inside Data, that it should not be called again before n
// unused bytes are there: for a message whose length is known. n above
// ConnConfig.MaxInput fails the connection.
func (c *Conn) Need(n int) {
	c.mine()
	if n > c.via.maxInput {
		c.CloseOn(PeerFault, ErrInputLimit)
		return
	}
	c.need = int32(min(n, math.MaxInt32))
}
