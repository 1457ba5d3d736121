package http1

import "github.com/jay-go/jay"

// Later is an answer that is given after the handler has returned. It is a
// small value that belongs to the connection's loop; it is void once the
// answer is finished or the client has left.
type Later struct {
	s   *serverConn
	gen uint32
}

// Later lets the handler return without having answered. The request becomes
// a copy of its own and stays valid until the answer is finished, with the views
// that are taken of it from then on, not with those taken before; meanwhile
// nothing further is read from the connection, so that answers stay in order.
func (w *ResponseWriter) Later() Later {
	x := w.x
	if x.conn == nil {
		return Later{}
	}
	w.later = true
	_ = x.keepHead() // an error comes again when the handler returns
	if x.unread() == 0 && x.owner.state == handling {
		_ = x.keep()
	}
	return Later{x.owner, x.owner.gen}
}

// Gone reports whether the handle is void.
func (l Later) Gone() bool { return l.s == nil || l.s.x == nil || l.s.gen != l.gen }

// Writer returns the answer, nil when the handle is void.
func (l Later) Writer() *ResponseWriter {
	if l.Gone() {
		return nil
	}
	return &l.s.x.w
}

// Request returns the request, nil when the handle is void.
func (l Later) Request() *Request {
	if l.Gone() {
		return nil
	}
	return &l.s.x.req
}

// Finish sends the answer as it has been written so far and goes on with the
// connection. Before the body has arrived it ends the request early: the handler
// is not called. It returns jay.ErrClosed when the client has left.
func (l Later) Finish() error {
	if l.Gone() {
		return jay.ErrClosed
	}
	x := l.s.x
	if x.w.finished {
		return nil
	}
	x.w.finished = true
	if l.s.state == answering || l.s.state == inBody && !x.passing {
		x.conn.Call(func() { l.s.finishLater(x.conn) })
	}
	return nil
}

// OnGone has fn called, once, when the client leaves before the answer is
// finished, so that work for it can be given up. In fn, [Later.Gone] tells what
// is known: if the handle is void, nothing can reach the client any more, or
// Protocol.ResponseTimeout is over. If not, the client has finished sending. Most
// have closed the connection then; one that waits for its answer looks the same,
// and gets it if it is finished.
func (l Later) OnGone(fn func()) {
	if l.Gone() {
		return
	}
	w := &l.s.x.w
	w.onGone = fn
	if !l.s.left {
		return
	}
	if gone := w.takeGone(); gone != nil {
		gone()
	}
}

// takeGone returns what OnGone has set, and forgets it; nil when the answer is
// finished.
func (w *ResponseWriter) takeGone() (gone func()) {
	gone, w.onGone = w.onGone, nil
	if w.finished {
		return nil
	}
	return gone
}

// Full reports whether so much of a streamed answer is unsent that the rest
// should wait for OnWritable.
func (l Later) Full() bool {
	return l.Gone() || l.s.x.conn.Full()
}

// OnWritable has fn called each time after Full was true and most of what was
// unsent has gone.
func (l Later) OnWritable(fn func()) {
	if !l.Gone() {
		l.s.x.w.onWritable = fn
	}
}

// Remote returns the handle for other goroutines.
func (l Later) Remote() Remote {
	if l.Gone() {
		return Remote{}
	}
	return Remote{l.s.x.conn.Ref(), l}
}

// Remote is Later in the hands of other goroutines.
type Remote struct {
	ref   jay.Ref
	later Later // looked at on the loop alone
}

// Do runs fn on the loop, soon, if the answer is not finished by then. It
// returns jay.ErrClosed when the client has left.
func (r Remote) Do(fn func(w *ResponseWriter, r *Request)) error {
	return r.ref.Do(func(*jay.Conn) {
		if w := r.later.Writer(); w != nil {
			fn(w, r.later.Request())
		}
	})
}

// Finish is Do, and then the answer is finished. fn may be nil.
func (r Remote) Finish(fn func(w *ResponseWriter, r *Request)) error {
	return r.ref.Do(func(*jay.Conn) {
		if w := r.later.Writer(); w != nil {
			if fn != nil {
				fn(w, r.later.Request())
			}
			_ = r.later.Finish()
		}
	})
}
