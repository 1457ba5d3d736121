package websocket

import (
	"time"

	"github.com/jay-go/jay"
)

// setKeepalive begins an interval after which the peer must have been heard.
func (c *Conn) setKeepalive() {
	c.flags &^= flagHeard | flagPinged
	c.jc.SetDeadline(c.h.pingInterval())
}

// Deadline: an interval of keepalive is over, or the time for whatever else
// was awaited. Intervals are not begun anew with every message, which costs
// messages nothing; a silence is noticed within two of them.
func (e *events) Deadline(jc *jay.Conn) {
	c := (*Conn)(e)
	switch {
	case c.state == stateClosing && c.onItsWay():
		jc.SetDeadline(c.h.closeTimeout())
	case c.state == stateClosing:
		c.end() // the peer did not answer our Close
	case c.state != stateOpen:
	case c.has(flagLast):
		c.Close(CloseGoingAway, "")
	case c.has(flagHeard | flagEOF), !jc.Reading(): // while nothing is read nothing can be heard
		c.setKeepalive()
	case c.has(flagPinged) && c.onItsWay():
		jc.SetDeadline(c.h.pongTimeout())
	case c.has(flagPinged):
		c.lost()
	default:
		c.ping()
	}
}

func (c *Conn) ping() {
	c.flags |= flagPinged
	before := c.written()
	err := c.write(bitFin|byte(opPing), nil)
	if d := c.h.pongTimeout(); d > 0 && c.state == stateOpen && err == nil { // with DropNewest there may be no room for it
		c.await(before)
		c.jc.SetDeadline(d)
	} else {
		c.setKeepalive()
	}
}

// written returns where the next frame will begin.
func (c *Conn) written() uint32 { return uint32(c.jc.BytesOut()) + uint32(c.jc.Buffered()) }

// await begins the wait for the answer to the frame that was written last, from
// before. It reaches the peer at once if nothing is on the way ahead of it.
func (c *Conn) await(before uint32) {
	c.flags &^= flagLeft
	c.behind, c.acked = c.written(), uint32(c.jc.Acknowledged())
	if c.acked == before {
		c.flags |= flagLeft
	}
}

// onItsWay reports whether an answer is not due yet although its time is over:
// the frame has only now reached the peer, or is behind others, of which the
// peer takes more and more.
func (c *Conn) onItsWay() bool {
	if c.has(flagLeft) {
		return false
	}
	acked := uint32(c.jc.Acknowledged())
	moves := acked != c.acked
	c.acked = acked
	if int32(acked-c.behind) >= 0 {
		c.flags |= flagLeft
		return true
	}
	return moves
}

// lost gives up a peer that does not answer.
func (c *Conn) lost() {
	c.ending = &ending{code: CloseAbnormal, reason: errNoPong.Reason}
	c.setState(stateClosed)
	if c.h.OnError != nil {
		c.h.OnError(c, errNoPong)
	}
	c.jc.AbortOn(jay.PeerFault, errNoPong) // it would not take part in an orderly end either
}

// Writable: the output has fallen below the low-water mark.
func (e *events) Writable(jc *jay.Conn) {
	if c := (*Conn)(e); c.h.OnWritable != nil && c.state == stateOpen {
		c.h.OnWritable(c)
	}
}

// controlRate counts control frames by the second.
type controlRate struct {
	second uint32
	n      uint32
}

// allow counts a frame and reports whether it is one of the first max in this
// second.
func (r *controlRate) allow(now time.Time, max int) bool {
	if s := uint32(now.Unix()); s != r.second {
		*r = controlRate{second: s}
	}
	r.n++
	return r.n <= uint32(max)
}
