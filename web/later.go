package web

import (
	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/http1"
)

// handle finds an exchange again for as long as it is not over.
type handle struct {
	src    http1.Source
	number uint32
}

func handleOf(s stream) handle {
	src, number := s.Handle()
	return handle{src, number}
}

func (h handle) exchange() *exchange {
	if h.src == nil {
		return nil
	}
	x, _ := h.src.Exchange(h.number).(*exchange)
	return x
}

// Later is a response that is given after the handler has returned. It is a
// small value that belongs to the connection's loop; it is void once the
// response is finished or the client has left.
type Later struct{ h handle }

// Later lets the handler return without having responded. The request becomes
// a copy of its own and stays valid until the response is finished, with the views
// that are taken of it from then on, not with those taken before; meanwhile
// nothing further is read from the connection, so that responses stay in order.
func (w *ResponseWriter) Later() Later {
	if w.s.Conn() == nil {
		return Later{}
	}
	w.s.Later()
	return Later{handleOf(w.s)}
}

// Gone reports whether the handle is void.
func (l Later) Gone() bool { return l.h.exchange() == nil }

// Writer returns the response, nil when the handle is void.
func (l Later) Writer() *ResponseWriter {
	if x := l.h.exchange(); x != nil {
		return &x.w
	}
	return nil
}

// Request returns the request, nil when the handle is void.
func (l Later) Request() *Request {
	if x := l.h.exchange(); x != nil {
		return &x.r
	}
	return nil
}

// Finish sends the response as it has been written so far and goes on with the
// connection. Before the body has arrived it ends the request early: the handler
// is not called. It returns jay.ErrClosed when the client has left.
func (l Later) Finish() error {
	x := l.h.exchange()
	if x == nil {
		return jay.ErrClosed
	}
	x.s.Finish()
	return nil
}

// OnGone has fn called, once, when the client leaves before the response is
// finished, so that work for it can be given up. In fn, [Later.Gone] tells what
// is known: if the handle is void, nothing can reach the client any more, or
// Protocol.ResponseTimeout is over. If not, the client has finished sending. Most
// have closed the connection then; one that waits for its response looks the same,
// and gets it if it is finished. [Request.Context] tells other goroutines.
func (l Later) OnGone(fn func()) {
	x := l.h.exchange()
	switch {
	case x == nil || x.s.Finished():
	case x.s.HasLeft():
		if x.onGone = nil; fn != nil {
			fn()
		}
	default:
		x.onGone = fn
	}
}

// Full reports whether so much of a streamed response is unsent that the rest
// should wait for OnWritable.
func (l Later) Full() bool {
	x := l.h.exchange()
	return x == nil || x.s.Full()
}

// OnWritable has fn called each time after Full was true and most of what was
// unsent has gone.
func (l Later) OnWritable(fn func()) {
	if x := l.h.exchange(); x != nil {
		x.onWritable = fn
	}
}

// Ref returns the handle for other goroutines.
func (l Later) Ref() Ref {
	x := l.h.exchange()
	if x == nil {
		return Ref{}
	}
	return Ref{x.s.Conn().Ref(), l}
}

// Ref is a [Later] in the hands of other goroutines.
type Ref struct {
	conn  jay.Ref
	later Later // looked at on the loop alone
}

// Do runs fn on the loop, soon, if the response is not finished by then. It
// returns jay.ErrClosed when the client has left.
func (r Ref) Do(fn func(w *ResponseWriter, r *Request)) error {
	return r.conn.Do(func(*jay.Conn) {
		if x := r.later.h.exchange(); x != nil {
			fn(&x.w, &x.r)
		}
	})
}

// Finish is Do, and then the response is finished. fn may be nil.
func (r Ref) Finish(fn func(w *ResponseWriter, r *Request)) error {
	return r.conn.Do(func(*jay.Conn) {
		x := r.later.h.exchange()
		if x == nil {
			return
		}
		if fn != nil {
			fn(&x.w, &x.r)
		}
		_ = r.later.Finish()
	})
}
