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
	case c.state == stateClosing:
		c.end() // the peer did not answer our Close
	case c.state != stateOpen:
	case c.has(flagLast):
		c.Close(CloseGoingAway, "")
	case c.has(flagHeard), !jc.Reading(): // while nothing is read nothing can be heard
		c.setKeepalive()
	case c.has(flagPinged):
		c.lost()
	default:
		c.ping()
	}
}

func (c *Conn) ping() {
	c.flags |= flagPinged
	_ = c.write(bitFin|byte(opPing), nil) // an error has closed the connection
	if d := c.h.pongTimeout(); d > 0 {
		c.jc.SetDeadline(d)
	} else {
		c.setKeepalive()
	}
}

// lost gives up a peer that does not answer.
func (c *Conn) lost() {
	c.ending = &ending{code: CloseAbnormal, reason: errNoPong.Reason}
	c.setState(stateClosed)
	if c.h.OnError != nil {
		c.h.OnError(c, errNoPong)
	}
	c.jc.Fail(errNoPong)
	c.jc.Abort() // it would not take part in an orderly end either
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
