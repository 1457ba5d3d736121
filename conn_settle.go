package jay

// list puts c at the end of those to settle.
func (w *Worker) list(c *Conn) { w.due = append(w.due, c) }

// unlist takes c off the list again if it was listed last.
func (w *Worker) unlist(c *Conn) {
	if last := len(w.due) - 1; c.has(flagListed) && w.due[last] == c {
		c.flags &^= flagListed
		w.due[last] = nil
		w.due = w.due[:last]
	}
}

// turnEnd settles the connections that were listed before it began. What they
// list meanwhile waits for the next turn, which follows without a pause.
func (w *Worker) turnEnd() (more bool) {
	for last := len(w.due); w.settled < last; {
		batch := w.due[w.settled:min(w.settled+settleBatch, last)]
		look(batch)
		for _, c := range batch {
			w.settled++
			c.flags &^= flagListed
			if c.flags&flagsSettle == 0 && c.layer == nil {
				c.flush()
				if c.flags&flagDrainDue == 0 && !c.over() {
					continue // no callback is due: nobody needs to know whose it is
				}
				w.enter(c)
				c.flushed()
			} else {
				w.enter(c)
				c.settle()
			}
			w.leave()
		}
	}
	left := copy(w.due, w.due[w.settled:])
	clear(w.due[left:])
	w.due, w.settled = w.due[:left], 0
	w.spent.Store(int64(w.pool.spent()))
	if !w.trimming && w.pool.excess() {
		w.trimming = true
		w.loop.AfterFunc(trimEvery, w.trim)
	}
	if w.pool.collecting == 0 && w.pool.dropped >= w.collectFrom() {
		w.collect()
	}
	w.checkDrained()
	return left > 0
}

// settleBatch is how many connections turnEnd looks at before it settles them.
const settleBatch = 16

// look reads a field of both cache lines that flush needs of each connection.
// In a row these reads wait for memory together; between calls of the kernel,
// which drive everything else out of the near caches, each would wait alone.
//
//go:noinline
func look(batch []*Conn) (sending int) {
	for _, c := range batch {
		if c.stream.Sending() || c.state > stateFlushing {
			sending++
		}
	}
	return sending
}

// settle makes the callbacks that are due and sends what was written.
func (c *Conn) settle() {
	w := c.worker
	if c.take(flagLayerDue) {
		c.woken()
	}
	if on := w.server.OnBufferFull; c.take(flagFullDue) && on != nil {
		on(c)
	}
	if c.take(flagDrainDue) { // ahead of the next message
		c.tellWritable()
	}
	if c.take(flagDataDue) && c.in != nil && c.Reading() {
		c.deliver(nil)
	}
	if c.take(flagDrainTell) { // behind what was received before
		c.tellDrain()
	}
	if c.has(flagEOFDue) && c.state <= stateOpen {
		if c.has(flagPaused) || c.choked() {
			c.tellGone()
		} else {
			c.take(flagEOFDue)
			c.tellEOF()
		}
	}
	c.flush()
	if p, ok := c.handler.(*pipeEnd); ok {
		p.splice(c)
	}
	c.flushed()
	if c.has(flagOutcomeDue) {
		c.settleDetach()
	}
}

// flushed makes the callbacks that a flush has made due.
func (c *Conn) flushed() {
	if c.take(flagDrainDue) {
		c.tellWritable()
	}
	if c.over() {
		c.finish()
		c.worker.unlist(c)
	}
}

func (c *Conn) tellWritable() {
	if h, ok := optional[WritableHandler](c.handler); ok {
		h.Writable(c)
	}
	if on := c.worker.server.OnBufferDrain; on != nil {
		on(c)
	}
}
