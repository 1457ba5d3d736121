package jay

import (
	"fmt"
	"slices"
)

// state is where a connection is in its life. setState is the only function that
// changes it. docs/architecture.md ("Conn life") has the table.
type state uint8

const (
	// stateOpening: the layer is not ready, so there is no handler yet (unborn).
	stateOpening state = iota
	// stateOpen: the handler speaks. Each side may have finished its half: see
	// flagEOF and flagFin.
	stateOpen
	// stateDetaching: Detach was called. What was written goes out; what comes is
	// kept for the next owner.
	stateDetaching
	// stateFlushing: Close was called. What was written goes out; what comes is
	// discarded.
	stateFlushing
	// stateLingering: FIN was sent. The peer's rest is discarded until its FIN, so
	// that no reset destroys the last response.
	stateLingering
	// stateDetached: the socket was given away. Handler.Close is due, as in the
	// next two.
	stateDetached
	// stateClosed: the socket was closed, in order or because it had failed.
	stateClosed
	// stateReset: the socket was closed by a reset. What was unsent is lost.
	stateReset
	// stateFinishing: Handler.Close was called.
	stateFinishing
	// stateEnded: nothing counts against the budget any more. OnClose is the last
	// call.
	stateEnded
)

func (s state) String() string {
	return [...]string{
		"opening", "open", "detaching", "flushing", "lingering",
		"detached", "closed", "reset", "finishing", "ended",
	}[s]
}

// nextStates are those that follow a state.
var nextStates = [...][]state{
	stateOpening:   {stateOpen, stateDetaching, stateFlushing, stateClosed, stateReset},
	stateOpen:      {stateDetaching, stateFlushing, stateClosed, stateReset},
	stateDetaching: {stateFlushing, stateDetached, stateClosed, stateReset},
	stateFlushing:  {stateLingering, stateClosed, stateReset},
	stateLingering: {stateClosed, stateReset},
	stateDetached:  {stateFinishing},
	stateClosed:    {stateFinishing},
	stateReset:     {stateFinishing},
	stateFinishing: {stateEnded},
	stateEnded:     {},
}

// live reports whether the connection's end has not begun.
func (c *Conn) live() bool { return c.state < stateFlushing }

// over reports whether there is no socket any more.
func (c *Conn) over() bool { return c.state >= stateDetached }

// setState goes on to another state and does what that entails. A callback that it
// makes may go on to the next one. It is not called for messages, only in the
// beginning of a connection and at its end.
func (c *Conn) setState(to state) {
	from := c.state
	if !slices.Contains(nextStates[from], to) {
		c.outOfOrder(to)
		return
	}
	c.state = to
	if moved := c.worker.moved; moved != nil {
		moved(c, from, to)
	}
	switch to {
	case stateOpen:
		c.begin()
	case stateDetaching:
		c.finishOutput()
	case stateFlushing:
		c.finishOutput()
		c.dropInput()
		if c.stream.Sending() {
			c.setStall()
		}
	case stateLingering:
		c.linger()
	case stateDetached, stateClosed, stateReset:
		c.leaveSocket()
	case stateFinishing:
		c.prev, c.next = nil, nil
		c.handler.Close(c, c.err)
	case stateEnded:
		c.letGo()
		if on := c.via.onClose; c.has(flagConnected) && on != nil {
			on(c, c.err)
		}
	}
}

// outOfOrder is told of a bug of ours. Tests panic; a server logs it and stays where
// it is.
func (c *Conn) outOfOrder(to state) {
	if strict {
		panic(fmt.Sprintf("jay: state %v of a connection cannot follow %v", to, c.state))
	}
	c.worker.host.logger.Error("a state of a connection cannot follow", "conn", c.id, "from", c.state.String(), "to", to.String())
}

// begin gives the connection its handler, unless SetHandler has.
func (c *Conn) begin() {
	c.proto = 0 // it was the layer's
	c.touch()
	if _, none := c.handler.(unborn); none {
		c.handler = c.via.protocol.NewConn(c)
	}
	if w := c.worker; w.drain != nil && !w.emptying && !c.isNewcomer() {
		c.toldToDrain()
	}
	c.handler.Open(c)
	if !c.over() {
		c.flags |= flagConnected
		if on := c.via.onConnect; on != nil {
			on(c)
		}
	}
	c.arm()
}

// finishOutput has nothing more written behind what was accepted.
func (c *Conn) finishOutput() {
	c.unsplice()
	c.refuseMail()
	c.setRecv()
	c.later()
}

// linger sends FIN and waits for the peer's.
func (c *Conn) linger() {
	if err := c.stream.CloseWrite(); err != nil {
		c.setState(stateClosed) // no half-close on this transport: the peer sees the end all the same
		return
	}
	if d := c.times.close; d != none {
		c.closing = c.worker.tickIn(lingerLimit * d)
	}
	c.setStall()
}

// leaveSocket closes the socket and gives back what it had. Handler.Close follows at
// the end of the turn, so that it is never called from inside another callback.
func (c *Conn) leaveSocket() {
	c.gone.Or(refGone)
	c.dropInput()
	if p, ok := c.handler.(*pipeEnd); ok && p.to.pipedTo(c) {
		p.to.unspliceTo() // what has come from c arrives
		c.take(flagSpliced)
	}
	if c.state != stateDetached {
		c.stream.Close(c.state == stateReset)
	}
	if c.stream.Sending() {
		c.worker.finishing++ // what is queued is the loop's until Sent
	} else {
		c.dropOutput()
	}
	c.worker.loop.StopDeadline(&c.wheel)
	c.worker.waited(c)
	c.worker.remove(c)
	c.later()
}

// finish makes the last callbacks, each once, also when one of them panics.
func (c *Conn) finish() {
	if c.state < stateFinishing {
		c.setState(stateFinishing)
	}
	if c.state == stateFinishing {
		c.setState(stateEnded)
	}
}
