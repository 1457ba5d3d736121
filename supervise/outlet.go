package supervise

import (
	"io"
	"sync/atomic"
	"time"
)

// maxOutlet is how many pieces of text wait for an outlet. The master has three
// for its standard output and one for who started it.
const maxOutlet = 8

// outlet writes text to somebody whom we do not know, who may be slow or stuck, on
// a goroutine of its own. Whoever sends never waits. What cannot be written, as
// whoever reads has gone, is dropped: it tells a person something that status does too.
type outlet struct {
	texts  chan []byte
	done   chan struct{}
	left   atomic.Int32 // texts that are not written
	closed bool         // of who sends
}

// newOutlet begins to write to w. finish, which may be nil, is called at the end.
func newOutlet(w io.Writer, finish func() error) *outlet {
	o := &outlet{texts: make(chan []byte, maxOutlet), done: make(chan struct{})}
	go func() {
		defer close(o.done)
		for b := range o.texts {
			w.Write(b)
			o.left.Add(-1)
		}
		if finish != nil {
			finish()
		}
	}()
	return o
}

// send takes text, which nobody may change any more. It is dropped where too much
// waits, and after close. Send and close are for one goroutine.
func (o *outlet) send(b []byte) {
	if o.closed {
		return
	}
	o.left.Add(1)
	select {
	case o.texts <- b:
	default:
		o.left.Add(-1)
	}
}

// idle reports whether nothing waits.
func (o *outlet) idle() bool { return o.left.Load() == 0 }

// close takes no more. The channel that it returns is closed when all is
// written. A second call does nothing else.
func (o *outlet) close() <-chan struct{} {
	if !o.closed {
		o.closed = true
		close(o.texts)
	}
	return o.done
}

// lastWords is how long the end of a process, or an exec, waits for what it has
// said to be written.
const lastWords = time.Second

// await waits for channels to be closed, but not for long.
func await(limit time.Duration, done ...<-chan struct{}) {
	over := time.After(limit)
	for _, d := range done {
		select {
		case <-d:
		case <-over:
			return
		}
	}
}
