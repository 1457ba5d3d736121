package jay

// Close ends the connection in order: what was written is sent, then FIN, then
// the peer's rest is discarded until its FIN, so that no reset destroys the
// last bytes on their way. ConnConfig.CloseTimeout bounds both waits, for as long as
// the peer makes no progress. Later writes fail. Calling it again is harmless.
func (c *Conn) Close() {
	c.mine()
	if c.live() {
		c.setState(stateFlushing)
	}
}

// CloseAtOnce is Close for a peer that has announced to send nothing more and has
// sent all that it had to: the socket is closed as soon as everything written is
// sent, without the wait for the peer's FIN. If bytes of the peer are unread
// then, which would make the close a reset, or that is not known, it is Close.
func (c *Conn) CloseAtOnce() {
	c.mine()
	if c.live() && c.in == nil && c.layer == nil {
		c.flags |= flagAtOnce
	}
	c.Close()
}

// silent reports whether the peer sends nothing, as far as can be known.
func (c *Conn) silent() bool {
	n, known := c.stream.Unread()
	return known && n == 0
}

// CloseWith is Write, then Close.
func (c *Conn) CloseWith(p []byte) error {
	c.mine()
	_, err := c.Write(p)
	c.Close()
	return err
}

// Abort ends the connection now: the peer is sent RST and what is unsent is
// lost. Handler.Close gets ErrAborted.
func (c *Conn) Abort() {
	c.mine()
	c.abort(ErrAborted)
}

// CloseOn is Close for something that went wrong: OnError is told of err, and
// Handler.Close gets it. Without an OnError it is logged, unless it is the peer's
// fault.
func (c *Conn) CloseOn(whose Fault, err error) {
	c.mine()
	c.because(err)
	c.Report(whose, err)
	c.Close()
}

// AbortOn is CloseOn with the end of Abort, for a peer that must not take what it
// has for the whole, or would not take part in an orderly end.
func (c *Conn) AbortOn(whose Fault, err error) {
	c.mine()
	c.because(err)
	c.Report(whose, err)
	c.abort(err)
}

// Report tells of err as CloseOn does; the connection goes on.
func (c *Conn) Report(whose Fault, err error) {
	c.mine()
	c.worker.onError(c, err)
	c.worker.logFault(c, whose, err)
}

// closeOverdue is Close for a connection whose time is over, which is nobody's
// fault: Handler.Close alone is told.
func (c *Conn) closeOverdue(err error) {
	if c.live() {
		c.because(err)
	}
	c.Close()
}

// abortOverdue is closeOverdue with the end of Abort.
func (c *Conn) abortOverdue(err error) { c.abort(err) }

// because notes why the connection ends. The first reason counts.
func (c *Conn) because(err error) {
	if c.err == nil {
		c.err = err
	}
}

func (c *Conn) abort(err error) {
	if !c.over() {
		c.because(err)
		c.setState(stateReset)
	}
}

// lost ends a connection whose socket has failed: the peer, or the way to it, is
// gone. That is no error (see Server.OnError), and there is nobody to send FIN or RST.
func (c *Conn) lost(err error) {
	if c.state == stateLingering {
		err = nil // everything was sent; how the peer leaves does not matter
	}
	c.end(err)
}

// CloseWrite finishes the sending: what was written is sent, then FIN. Reading
// goes on; the connection closes when the peer finishes too. Later writes fail.
func (c *Conn) CloseWrite() {
	c.mine()
	if c.live() && !c.has(flagFin) {
		c.unspliceTo()
		c.refuseMail()
		c.flags |= flagFin | flagFinDue
		c.later()
	}
}

// sendFin ends a CloseWrite.
func (c *Conn) sendFin() {
	c.take(flagFinDue)
	err := c.stream.CloseWrite()
	switch {
	case c.has(flagEOF):
		c.end(nil)
	case err != nil:
		c.Close() // no half-close on this transport
	}
}

// sentAll ends the flushing. It lingers, unless nothing comes any more: see
// CloseAtOnce.
func (c *Conn) sentAll() {
	if c.has(flagEOF) || c.take(flagAtOnce) && c.silent() {
		c.setState(stateClosed)
	} else {
		c.setState(stateLingering)
	}
}

// end closes the socket.
func (c *Conn) end(err error) {
	if !c.over() {
		c.because(err)
		c.setState(stateClosed)
	}
}

func (c *Conn) dropInput() {
	if c.in != nil {
		c.worker.pool.put(c.in)
		c.in = nil
	}
}

// panicked closes a connection after one of its callbacks has panicked. What
// panics on the way to that is logged.
func (c *Conn) panicked(err *PanicError) {
	again := c.has(flagPanicked)
	c.flags = c.flags&^flagMail | flagPanicked
	c.later()
	c.because(err)
	if again || !c.live() {
		c.worker.logPanic(c, err)
		if c.live() {
			c.abort(err)
		}
		return
	}
	if h, ok := optional[PanicHandler](c.handler); ok {
		h.Panic(c, err)
	}
	c.Close()
	c.worker.onError(c, err)
}
