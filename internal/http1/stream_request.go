package http1

import (
	"iter"

	"github.com/jay-go/jay"
)

// Conn returns the connection, nil when the exchange is over.
func (x *Stream) Conn() *jay.Conn { return x.conn }

// Head returns the request's head. It is the same one for as long as x lives.
func (x *Stream) Head() *Head { return &x.req }

// Body returns the request's body, once it is complete: a view, valid until the
// callback returns, or for as long as the exchange after Later.
func (x *Stream) Body() []byte { return x.reqBody }

// Trailer returns the first value of a field of the request's trailer section.
func (x *Stream) Trailer(name string) string { return x.chunks.Trailer(name) }

// Trailers yields the fields of the request's trailer section.
func (x *Stream) Trailers() iter.Seq2[string, string] { return x.chunks.Trailers() }

// SetMaxBody changes the limit of this request's body, before it is asked for.
func (x *Stream) SetMaxBody(n int64) { x.limits.Body = n }

// TakeBody says whether the body is given to Exchange.Body as it arrives.
func (x *Stream) TakeBody(take bool) { x.taking = take }

// PauseBody stops the client from sending, until ResumeBody.
func (x *Stream) PauseBody() { x.owner.pauseBody(x.conn) }

// ResumeBody goes on with the body.
func (x *Stream) ResumeBody() {
	c := x.conn
	c.Call(func() { x.owner.resumeBody(c) })
}

// HasLeft reports whether the client has finished sending, and has probably left.
func (x *Stream) HasLeft() bool { return x.owner.left }

// Handle returns by what the exchange can be found again.
func (x *Stream) Handle() (Source, uint32) { return x.owner, x.owner.gen }

// Exchange: see Source.
func (s *serverConn) Exchange(number uint32) Exchange {
	if s.x == nil || s.gen != number {
		return nil
	}
	return s.x.above
}

// Later lets Serve, or Head, return without the response being complete. The
// request becomes a copy of its own and stays valid until Finish.
func (x *Stream) Later() {
	x.later = true
	_ = x.keepHead() // an error comes again when the handler returns
	if x.unread() == 0 && x.owner.state == handling {
		_ = x.keep()
	}
}

// Finish completes a response that is given later. Before the body has arrived
// it ends the request early: App.Serve is not called.
func (x *Stream) Finish() {
	if x.finished {
		return
	}
	x.finished = true
	s, c := x.owner, x.conn
	if s.state == responding || s.state == inBody && !x.passing {
		c.Call(func() { s.finishLater(c) })
	}
}

// Finished reports whether Finish was called.
func (x *Stream) Finished() bool { return x.finished }

// takeLeft returns what Exchange.Left does, for a response that is not finished.
func (x *Stream) takeLeft() (tell func()) {
	tell = x.above.Left()
	if x.finished {
		return nil
	}
	return tell
}
