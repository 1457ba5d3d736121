package jay

// Pipe joins two connections: what comes from one goes to the other, both
// ways, until both have finished. Neither side can outrun the other (reading
// pauses while the other side's output is above its high-water mark), and a
// half-close is carried over. When one connection fails, or has gone before, the
// other is aborted.
// It takes the place of both handlers; bytes not used so far are carried too.
// Both connections must be of the same worker.
func Pipe(a, b *Conn) {
	if a.worker != b.worker {
		panic("jay: Pipe joins connections of two workers")
	}
	a.SetHandler(&pipeEnd{to: b})
	b.SetHandler(&pipeEnd{to: a})
	a.SetDuplex(true)
	b.SetDuplex(true)
	for _, c := range [...]*Conn{a, b} {
		if c.has(flagFinished) { // it cannot tell the other any more
			c.handler.Close(c, ErrClosed)
		}
	}
}

// pipeEnd is the handler of one end of a Pipe.
type pipeEnd struct {
	to      *Conn
	spliced bool // the kernel carries what comes from to here
}

// splice lets the kernel carry the bytes from p.to to c, once nothing is left
// to be sent and nobody looks at them. Where it cannot, they are copied.
func (p *pipeEnd) splice(c *Conn) {
	from := p.to
	if p.spliced || c.out.size > 0 || from.in != nil || c.filter != nil || from.filter != nil ||
		c.state != stateOpen || !from.Reading() {
		return
	}
	p.spliced = true
	_ = from.stream.Splice(&c.stream)
}

// Spliced counts what the kernel has carried from one end to the other.
func (e *events) Spliced(in, out int, blocked bool) {
	c := (*Conn)(e)
	to := c.handler.(*pipeEnd).to
	w := c.worker
	c.bytesIn += uint64(in)
	to.bytesOut += uint64(out)
	w.stats.bytesIn += uint64(in)
	w.stats.bytesOut += uint64(out)
	c.touch()
	to.touch()
	switch {
	case !blocked:
		to.stalled = 0
	case out > 0 || to.stalled == 0:
		to.setStall()
	}
}

// Open has the turn's end call splice.
func (p *pipeEnd) Open(c *Conn) { c.flags |= flagPiped }

// Data passes bytes on.
func (p *pipeEnd) Data(c *Conn, b []byte) (int, error) {
	if _, err := p.to.Write(b); err != nil {
		c.Abort()
		return 0, nil
	}
	if p.to.has(flagFull) {
		c.PauseRead()
	}
	return len(b), nil
}

// Writable goes on reading what was stopped because c was full.
func (p *pipeEnd) Writable(*Conn) { p.to.ResumeRead() }

// EOF carries the half-close over.
func (p *pipeEnd) EOF(*Conn) { p.to.CloseWrite() }

// Close ends the other connection as this one has ended.
func (p *pipeEnd) Close(_ *Conn, err error) {
	if err == nil {
		p.to.Close()
	} else {
		p.to.Abort()
	}
}

// Drain lets what is joined go on until the drain's deadline.
func (p *pipeEnd) Drain(*Conn) {}
