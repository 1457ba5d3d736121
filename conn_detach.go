package jay

import (
	"cmp"
	"errors"
	"fmt"
	"net"
)

// Detach gives the connection away, to net/http say: once all that was written
// before has been sent, also by [Ref.Send], fn gets it with all unused bytes
// before those still to come, to close and to use on any goroutine. The
// framework forgets it: Handler.Close is called with nil, before fn. Until then
// nothing is read, and later writes fail.
//
// If the connection ends before, fn gets no connection and why. It is called
// once, never from inside Detach, unless Detach returns an error.
func (c *Conn) Detach(fn func(conn net.Conn, unused []byte, err error)) error {
	c.mine()
	switch {
	case c.state > stateOpen:
		return ErrClosed
	case c.layer != nil && !c.layer.detaches():
		return errLayered
	}
	c.worker.detaching(c, fn)
	c.setState(stateDetaching)
	return nil
}

var errLayered = errors.New("detach: the connection has a Layer that is no LayerDetacher: it cannot be given away")

// settleDetach carries out what Detach asked for, as soon as it can be, and calls its
// func.
func (c *Conn) settleDetach() {
	switch {
	case c.state != stateDetaching:
		c.outcome()(nil, nil, cmp.Or(c.err, ErrClosed))
	case c.unsent() || c.stream.Sending() || c.mailed() > 0 || c.has(flagFinDue):
	default:
		c.detach()
	}
}

func (c *Conn) detach() {
	var unused []byte
	if c.in != nil {
		unused = append(unused, c.in.b[c.in.off:]...)
	}
	conn, err := c.stream.Detach()
	if err != nil {
		c.CloseOn(SystemFault, fmt.Errorf("detach: %w", err)) // fn is told next
		return
	}
	if c.layer != nil {
		if conn, err = c.layer.detach(conn); err != nil {
			c.CloseOn(SystemFault, fmt.Errorf("detach: %w", err))
			return
		}
	}
	fn := c.outcome()
	c.worker.detaching(c, func(net.Conn, []byte, error) { fn(conn, unused, nil) })
	c.setState(stateDetached)
	c.finish() // if that panics, fn is called when the connection is settled again
	c.outcome()(nil, nil, nil)
}

// detaching notes what Detach was given.
func (w *Worker) detaching(c *Conn, fn func(net.Conn, []byte, error)) {
	if w.detached == nil {
		w.detached = map[*Conn]func(net.Conn, []byte, error){}
	}
	w.detached[c] = fn
	c.flags |= flagOutcomeDue
}

// outcome returns, once, the func that Detach was given.
func (c *Conn) outcome() func(net.Conn, []byte, error) {
	c.take(flagOutcomeDue)
	fn := c.worker.detached[c]
	delete(c.worker.detached, c)
	return fn
}
