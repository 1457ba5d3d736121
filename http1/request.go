package http1

import (
	"iter"
	"net"

	"github.com/jay-go/jay"
)

// Request is a request with its body. It is valid until the handler returns, or
// until the answer is finished when that is given later; a view of it until the
// callback returns in which it was taken, or as [ResponseWriter.Later] says.
type Request struct {
	Head

	x        *exchange
	body     []byte
	bodyKept bool // body is of the exchange's own memory
	sink     func(w *ResponseWriter, r *Request, b []byte) error
}

func (r *Request) reset() {
	r.Head.Reset()
	r.body, r.bodyKept, r.sink = nil, false, nil
}

// maxKeptPath bounds the path that is kept for the next request.
const maxKeptPath = 256

// Path is [Head.Path]; asked again, or for the path that the memory of this
// request had last, it neither decodes nor allocates.
func (r *Request) Path() string {
	raw, x := r.RawPathView(), r.x
	if len(raw) == 0 || len(raw) > maxKeptPath {
		return r.Head.Path()
	}
	if string(raw) != x.rawPath {
		x.path = r.Head.Path()
		if x.rawPath = x.path; string(raw) != x.path {
			x.rawPath = string(raw)
		}
	}
	return x.path
}

// Conn returns the connection that the request came on.
func (r *Request) Conn() *jay.Conn { return r.x.conn }

// RemoteAddr returns the address of the connection's peer.
func (r *Request) RemoteAddr() net.Addr { return r.x.conn.RemoteAddr() }

// Body returns the body.
func (r *Request) Body() []byte { return append([]byte(nil), r.body...) }

// BodyView is Body without the copy.
func (r *Request) BodyView() []byte { return r.body }

// Trailer returns the value of the first field called name of a chunked
// body's trailer section, or "". Trailers are never mixed with the head's
// fields: a client could otherwise pass them by what has looked at those.
func (r *Request) Trailer(name string) string { return r.x.chunks.Trailer(name) }

// Trailers yields all fields of the trailer section in their order.
func (r *Request) Trailers() iter.Seq2[string, string] { return r.x.chunks.Trailers() }

// SetMaxBody changes the limit of this request's body; zero means the default,
// negative none. It has an effect in Protocol.OnHead alone.
func (r *Request) SetMaxBody(n int64) { r.x.limits.Body = n }

// OnBody, called in Protocol.OnHead, has the body given to fn as it arrives
// instead of being kept; Handler is called after the last piece and finds it
// empty. b is valid until fn returns. An error of fn ends the request: an
// *Error with its status, any other with 500.
func (r *Request) OnBody(fn func(w *ResponseWriter, r *Request, b []byte) error) { r.sink = fn }

// PauseBody, called in fn of OnBody, stops fn from being called, and the
// client from sending, until Resume of what it returns. Meanwhile the body's
// deadlines rest.
func (r *Request) PauseBody() BodyPause {
	s := r.x.owner
	s.pauseBody(r.x.conn)
	return BodyPause{s, s.gen}
}

// BodyPause ends a pause. It is a small value that belongs to the connection's
// loop, and outlives the request: after that it is void.
type BodyPause struct {
	s   *serverConn
	gen uint32
}

// Resume goes on with the body. It returns jay.ErrClosed when the client has
// left; calling it again is harmless.
func (p BodyPause) Resume() error {
	if p.s == nil || p.s.x == nil || p.s.gen != p.gen {
		return jay.ErrClosed
	}
	c := p.s.x.conn
	c.Call(func() { p.s.resumeBody(c) })
	return nil
}
