package jay

// Pipe joins two connections: what comes from one goes to the other, both
// ways, until both have finished. Neither side can outrun the other (reading
// pauses while the other side's output is above its high-water mark), and a
// half-close is carried over. When one connection fails, or has gone before, the
// other is aborted.
// It takes the place of both handlers; bytes not used so far are carried too.
// Both connections must be of the same worker. An end that is given another
// handler later is the source of the Pipe no longer, and what the other end does
// is then carried to it still.
func Pipe(a, b *Conn) { PipeFunc(a, b, nil) }

// PipeFunc is Pipe, and then ended is called, once, on the loop, when both
// connections have ended or been given another handler: with nil when both have
// finished in order, otherwise with why the first of them has not.
func PipeFunc(a, b *Conn, ended func(err error)) {
	if a.worker != b.worker {
		panic("jay: Pipe joins connections of two workers")
	}
	p := &pipe{open: 2, ended: ended}
	a.SetHandler(&pipeEnd{to: b, pipe: p})
	b.SetHandler(&pipeEnd{to: a, pipe: p})
	for _, c := range [...]*Conn{a, b} {
		c.SetDuplex(true)
		c.stream.SetUnsentMark(pipeUnsent)
		if c.state >= stateFinishing { // it cannot tell the other any more
			c.handler.Close(c, ErrClosed)
		}
	}
}

// pipeUnsent is how much unsent output the kernel is to hold of an end: it then
// reports a slow reader's progress in steps of half of that, not of a third of
// megabytes.
const pipeUnsent = 512 << 10

// pipe is what both ends of a Pipe have in common.
type pipe struct {
	open  int // ends
	err   error
	ended func(err error)
}

// end notes that an end has ended, and how.
func (p *pipe) end(err error) {
	if p.err == nil {
		p.err = err
	}
	if p.open--; p.open == 0 && p.ended != nil {
		p.ended(p.err)
	}
}

// pipeEnd is the handler of one end of a Pipe.
type pipeEnd struct {
	to   *Conn
	pipe *pipe
}

// splice lets the kernel carry the bytes from p.to to c, once nothing is left
// to be sent and nobody looks at them. Where it cannot, they are copied.
func (p *pipeEnd) splice(c *Conn) {
	from := p.to
	if c.has(flagSpliced|flagFin|flagFiles) || c.out.size > 0 || from.in != nil || c.layer != nil || from.layer != nil ||
		c.state != stateOpen || !from.Reading() || !from.pipedTo(c) {
		return
	}
	if from.stream.Splice(&c.stream) == nil {
		c.flags |= flagSpliced
	}
}

// pipedTo reports whether c is an end of a Pipe whose other one is to.
func (c *Conn) pipedTo(to *Conn) bool {
	p, ok := c.handler.(*pipeEnd)
	return ok && p.to == to
}

// unspliceTo takes what comes to c back from the kernel: what that has on the
// way is queued, ahead of what is written next.
func (c *Conn) unspliceTo() {
	if !c.take(flagSpliced) {
		return
	}
	from := c.handler.(*pipeEnd).to
	from.unblocked()
	held, err := from.stream.Unsplice()
	if err != nil {
		c.AbortOn(SystemFault, err)
		return
	}
	c.push(held)
}

// unsplice takes both directions back.
func (c *Conn) unsplice() {
	c.unspliceTo()
	if p, ok := c.handler.(*pipeEnd); ok && p.to.pipedTo(c) {
		p.to.unspliceTo()
	}
}

// Spliced counts what the kernel has carried from one end to the other.
func (e *events) Spliced(in, out int, blocked bool) {
	c := (*Conn)(e)
	to := c.handler.(*pipeEnd).to // another handler ends the splice first
	w := c.worker
	c.bytesIn += uint64(in)
	if in > 0 {
		c.hear()
	}
	to.bytesOut += uint64(out)
	w.stats.bytesIn += uint64(in)
	w.stats.bytesOut += uint64(out)
	c.touch()
	to.touch()
	if blocked {
		c.flags |= flagBlocked
	} else {
		c.unblocked()
	}
	switch {
	case !blocked:
		to.stalled = 0
	case out > 0 || to.stalled == 0:
		to.setStall()
	}
}

// unblocked notes that what comes to c is taken again.
func (c *Conn) unblocked() {
	if c.take(flagBlocked) {
		c.hear()
	}
}

// Open has the turn's end call splice.
func (p *pipeEnd) Open(c *Conn) { c.flags |= flagPiped }

// Data passes bytes on.
func (p *pipeEnd) Data(c *Conn, b []byte) (int, error) {
	if p.to.state == stateDetaching { // and closes c next
		c.PauseRead()
		return 0, nil
	}
	if _, err := p.to.Write(b); err != nil {
		c.Abort()
		return 0, nil
	}
	if p.to.out.size > p.to.pipeMark() {
		c.PauseRead()
		c.worker.waitFor(p.to, c)
	}
	return len(b), nil
}

// pipeMark is how much of an end's output may be unsent before the other has to
// wait, until half of it is gone. It is little: who sends to a slow reader should
// not be stopped for longer than it has patience for.
func (c *Conn) pipeMark() int { return min(c.via.highWater, 256<<10) }

// waitFor has from read on once to, whatever its handler is by then, has sent
// most of its output.
func (w *Worker) waitFor(to, from *Conn) {
	if w.waiting == nil {
		w.waiting = map[*Conn]*Conn{}
	}
	w.waiting[to] = from
}

// waitedEnough has who waits for c read on if c has sent enough.
func (c *Conn) waitedEnough() {
	if c.out.size > c.pipeMark()/2 {
		return
	}
	if from := c.worker.waited(c); from != nil {
		from.ResumeRead()
	}
}

// waited returns who waits for c, which from now on nobody does.
func (w *Worker) waited(c *Conn) *Conn {
	if len(w.waiting) == 0 {
		return nil
	}
	from := w.waiting[c]
	delete(w.waiting, c)
	return from
}

// EOF carries the half-close over.
func (p *pipeEnd) EOF(*Conn) { p.to.CloseWrite() }

// Close ends the other connection as this one has ended.
func (p *pipeEnd) Close(_ *Conn, err error) {
	if err == nil {
		p.to.Close()
	} else {
		p.to.Abort()
	}
	p.pipe.end(err)
}

// Drain lets what is joined go on until the drain's deadline.
func (p *pipeEnd) Drain(*Conn) {}
