package web

import (
	"iter"
	"net"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/http1"
)

// Request is a request with its body. It is valid until the handler returns, or
// until the response is finished when that is given later.
//
// Its methods return copies, which live as long as the program wants them. Those
// whose names end in View return the received bytes themselves: they cost nothing, must
// not be changed, and are valid until the callback returns in which they were
// taken, or as [ResponseWriter.Later] says. What methods yield ends with the
// request.
type Request struct {
	x    *exchange
	head *http1.Head

	rawPath string // what Path was asked for last
	path    string // and what it returned
}

// Method returns the method, in the case it was sent.
func (r *Request) Method() string     { return r.head.Method() }
func (r *Request) MethodView() []byte { return r.head.MethodView() }

// Target returns the request target as it was sent.
func (r *Request) Target() string     { return r.head.Target() }
func (r *Request) TargetView() []byte { return r.head.TargetView() }

// maxKeptPath bounds the path that is kept for the next request.
const maxKeptPath = 256

// Path returns the target's path, percent-decoded once and without dot
// segments: "/a%20b/../c" is "/c". It may hold any byte but NUL. It is "/"
// when an absolute target has no path, "*" for OPTIONS *, and empty for
// CONNECT. Asked again, or for the path that the memory of this request had last,
// it neither decodes nor allocates.
func (r *Request) Path() string {
	raw := r.head.RawPathView()
	if len(raw) == 0 || len(raw) > maxKeptPath {
		return r.head.Path()
	}
	if string(raw) != r.rawPath {
		r.path = r.head.Path()
		if r.rawPath = r.path; string(raw) != r.path {
			r.rawPath = string(raw)
		}
	}
	return r.path
}

// RawPath returns the target's path as it was sent.
func (r *Request) RawPath() string     { return r.head.RawPath() }
func (r *Request) RawPathView() []byte { return r.head.RawPathView() }

// RawQuery returns what follows the target's first "?", as it was sent.
func (r *Request) RawQuery() string     { return r.head.RawQuery() }
func (r *Request) RawQueryView() []byte { return r.head.RawQueryView() }

// Query returns the first value of a query parameter, decoded, or "".
func (r *Request) Query(name string) string { return r.head.Query(name) }

// Queries yields the query parameters, decoded, in their order.
func (r *Request) Queries() iter.Seq2[string, string] { return r.head.Queries() }

// Host returns the host, and the port if given, that the request is for: of
// an absolute target or of CONNECT's, otherwise of the Host field. Only an
// HTTP/1.0 request can lack one.
func (r *Request) Host() string { return r.head.Host() }

// HTTP10 reports whether the client speaks HTTP/1.0.
func (r *Request) HTTP10() bool { return r.head.HTTP10() }

// Header returns the value of the first field called name, in whatever case,
// or ""; HeaderView returns nil.
func (r *Request) Header(name string) string     { return r.head.Header(name) }
func (r *Request) HeaderView(name string) []byte { return r.head.HeaderView(name) }

// HeaderValues returns the values of all fields called name, in their order.
func (r *Request) HeaderValues(name string) []string { return r.head.HeaderValues(name) }

// Headers yields all fields, names as they were sent, in their order.
func (r *Request) Headers() iter.Seq2[string, string] { return r.head.Headers() }

// Cookie returns the value of the first cookie called name that the client
// sent, and whether there is one.
func (r *Request) Cookie(name string) (value string, ok bool) { return r.head.Cookie(name) }

// Cookies yields the client's cookies in the order they were sent.
func (r *Request) Cookies() iter.Seq2[string, string] { return r.head.Cookies() }

// ContentType returns the media type of the body in lower case, without
// parameters.
func (r *Request) ContentType() string { return r.head.ContentType() }

// ContentLength returns the body's length as announced: -1 when nobody knows it
// before its end, 0 when there is none.
func (r *Request) ContentLength() int64 { return r.head.ContentLength() }

// KeepAlive reports whether the client wants to use the connection again
// (RFC 9112 section 9.3).
func (r *Request) KeepAlive() bool { return r.head.KeepAlive() }

// Upgrade returns the list of protocols that the client offers to change to,
// or "" when it offers none. An Upgrade field that Connection does
// not name is no offer.
func (r *Request) Upgrade() string { return r.head.Upgrade() }

// RawHead returns the head byte for byte: request line, fields, empty line.
func (r *Request) RawHead() []byte     { return r.head.RawHead() }
func (r *Request) RawHeadView() []byte { return r.head.RawHeadView() }

// Conn returns the connection that the request came on.
func (r *Request) Conn() *jay.Conn { return r.x.s.Conn() }

// RemoteAddr returns the address of the connection's peer.
func (r *Request) RemoteAddr() net.Addr { return r.Conn().RemoteAddr() }

// Body returns the body.
func (r *Request) Body() []byte     { return append([]byte(nil), r.x.s.Body()...) }
func (r *Request) BodyView() []byte { return r.x.s.Body() }

// Trailer returns the value of the first field called name of a chunked
// body's trailer section, or "". Trailers are never mixed with the head's
// fields: a client could otherwise pass them by what has looked at those.
func (r *Request) Trailer(name string) string { return r.x.s.Trailer(name) }

// Trailers yields all fields of the trailer section in their order.
func (r *Request) Trailers() iter.Seq2[string, string] { return r.x.s.Trailers() }

// SetMaxBody changes the limit of this request's body; zero means the default,
// negative none. It has an effect in Protocol.OnHead alone.
func (r *Request) SetMaxBody(n int64) { r.x.s.SetMaxBody(n) }

// OnBody, called in Protocol.OnHead, has the body given to fn as it arrives
// instead of being kept; Handler is called after the last piece and finds it
// empty. b is valid until fn returns. An error of fn ends the request: an
// *Error with its status, which is 400 to 599, any other with 500. A nil fn takes
// it back.
func (r *Request) OnBody(fn func(w *ResponseWriter, r *Request, b []byte) error) {
	if r.x.s.Conn() == nil { // the memory may be another request's next
		return
	}
	r.x.sink = fn
	r.x.s.TakeBody(fn != nil)
}

// PauseBody, called in fn of OnBody, stops fn from being called, and the
// client from sending, until Resume of what it returns. Meanwhile the body's
// deadlines rest.
func (r *Request) PauseBody() BodyPause {
	r.x.s.PauseBody()
	return BodyPause{handleOf(r.x.s)}
}

// BodyPause ends a pause. It is a small value that belongs to the connection's
// loop, and outlives the request: after that it is void.
type BodyPause struct{ h handle }

// Resume goes on with the body. It returns jay.ErrClosed when the client has
// left; calling it again is harmless.
func (p BodyPause) Resume() error {
	x := p.h.exchange()
	if x == nil {
		return jay.ErrClosed
	}
	x.s.ResumeBody()
	return nil
}
