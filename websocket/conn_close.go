package websocket

import (
	"errors"
	"time"

	"github.com/jay-go/jay"
)

// Close begins the closing handshake: a Close frame with code and reason is
// sent behind what was sent before, and the peer's is awaited for at most
// Handler.CloseTimeout. No message is received any more and Send returns
// jay.ErrClosed. A code that must not be sent (CloseNoStatus, 0) makes an
// empty Close frame; a reason of more than 123 bytes is cut. Calling it again
// is harmless.
func (c *Conn) Close(code Code, reason string) {
	if c.state != stateOpen {
		return
	}
	before := c.written()
	c.sendClose(code, reason)
	c.setState(stateClosing)
	if d := c.h.closeTimeout(); d > 0 {
		c.await(before)
		c.jc.SetDeadline(d)
	}
}

// Abort ends the connection now, without a closing handshake.
func (c *Conn) Abort() {
	c.setState(stateClosed)
	c.jc.Abort()
}

// sendClose sends a Close frame, the first or the answer to one. When it
// cannot be sent the connection has failed, and closes for that.
func (c *Conn) sendClose(code Code, reason string) {
	if c.ending == nil {
		c.ending = &ending{code, reason}
	}
	var payload [maxControl]byte
	_ = c.writeWhole(bitFin|byte(opClose), appendClose(payload[:0], code, reason))
}

// tookClose completes the closing handshake.
func (c *Conn) tookClose(payload []byte) {
	code, reason, err := parseClose(payload)
	switch {
	case c.state == stateClosing:
		c.end()
		return
	case err != nil:
		c.fail(err.(*Error))
		return
	}
	c.ending = &ending{code, string(reason)}
	c.sendClose(code, "")
	c.end()
}

// end closes the connection below, in order.
func (c *Conn) end() {
	c.setState(stateClosed)
	c.jc.SetDeadline(0)
	c.jc.Close()
}

// fail ends a connection whose peer has broken the protocol or a limit.
func (c *Conn) fail(err *Error) {
	if c.state == stateOpen {
		c.sendClose(err.Code, err.Reason)
	}
	c.setState(stateClosed)
	c.free()
	c.jc.SetDeadline(0)
	if c.h.OnError != nil {
		c.h.OnError(c, err)
	}
	c.jc.CloseOn(err.Blames(), err)
}

// free gives back the memory of the message that is coming in, of which nothing
// more is parsed, and of the windows.
func (c *Conn) free() {
	c.in.part.Free()
	c.windows.free()
	c.windows = nil
}

// Panic says goodbye after a callback has panicked.
func (e *events) Panic(jc *jay.Conn, err *jay.PanicError) {
	c := (*Conn)(e)
	if c.state == stateOpen {
		c.sendClose(errPanic.Code, "")
	}
	c.setState(stateClosed)
	if c.h.OnError != nil {
		c.h.OnError(c, err)
	}
}

// Close is the end, however it came about.
func (e *events) Close(jc *jay.Conn, err error) {
	c := (*Conn)(e)
	opened := c.state != stateOpening
	c.setState(stateClosed)
	c.free()
	if !opened {
		return
	}
	if c.h.OnError != nil && limitReached(err) {
		c.h.OnError(c, err)
	}
	if c.ending == nil {
		c.ending = &ending{code: CloseAbnormal}
	}
	if c.h.OnClose != nil {
		c.h.OnClose(c, c.ending.code, c.ending.reason)
	}
}

// limitReached reports whether err is that of a limit of jay.Server, of which
// nothing in this package has told OnError yet.
func limitReached(err error) bool {
	for _, limit := range [...]error{jay.ErrOutputLimit, jay.ErrInputLimit, jay.ErrBudget, jay.ErrWriteStall} {
		if errors.Is(err, limit) {
			return true
		}
	}
	return false
}

// EOF: the peer is done sending. What was sent to it still reaches it, and so
// does what a Hold announces.
func (e *events) EOF(jc *jay.Conn) {
	c := (*Conn)(e)
	c.flags |= flagEOF
	if !jc.Held() {
		c.end()
	}
}

// drainMargin is how long before the end of a drain clients are sent away.
const drainMargin = 2 * time.Second

// Drain sends the client away, to come back to who serves next: at once when
// the service stops, unless a Hold announces something. When its code is merely
// replaced the connection stays for as long as the drain lasts.
func (e *events) Drain(jc *jay.Conn) {
	c := (*Conn)(e)
	d := jc.Draining()
	switch {
	case !d.Overlaps():
		if jc.Held() {
			return // it is told again
		}
		c.Close(CloseGoingAway, "")
	case !d.Deadline.IsZero() && c.state == stateOpen:
		left := d.Deadline.Sub(jc.Now())
		c.flags |= flagLast
		jc.SetDeadline(max(left-min(drainMargin, left/2), 1))
	}
}
