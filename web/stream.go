package web

import (
	"context"
	"iter"
	"os"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/http1"
)

// stream is one request and its response as the protocol below has them, and all
// that this package asks of it. Heads are collected as lines, whoever sends them.
type stream interface {
	Conn() *jay.Conn // nil when the exchange is over

	Head() *http1.Head
	Body() []byte
	Trailer(name string) string
	Trailers() iter.Seq2[string, string]
	SetMaxBody(n int64)
	TakeBody(take bool)
	PauseBody()
	ResumeBody()
	HasLeft() bool

	Response() *http1.ResponseHead
	State() *http1.State
	Lost() bool
	Full() bool
	Date() string
	Afford() error
	Forget()
	Write(p []byte) error
	WriteString(s string) error
	WriteFile(f *os.File, off, n int64) error
	CloseFile(f *os.File)
	Flush() error
	Interim(status int) error
	Switch(next jay.Handler) error

	Later()
	Finish()
	Finished() bool
	Handle() (http1.Source, uint32)
}

// exchange is what handlers see of a stream. It lives as long as that and is used
// again with it.
type exchange struct {
	s stream
	r Request
	w ResponseWriter

	sink       func(w *ResponseWriter, r *Request, b []byte) error // of OnBody
	onGone     func()
	onWritable func()
	ctx        context.Context
	cancel     context.CancelCauseFunc
}

func newExchange(s stream) *exchange {
	x := &exchange{s: s}
	x.r = Request{x: x, head: s.Head()}
	x.w = ResponseWriter{x: x, s: s, head: s.Response(), state: s.State()}
	return x
}

// Reset ends the exchange, and makes ready for the next.
func (x *exchange) Reset() {
	if x.ctx != nil {
		x.end(context.Canceled)
	}
	x.w.refused = ""
	x.sink, x.onGone, x.onWritable = nil, nil, nil
}

// Body passes on a piece of the request's body.
func (x *exchange) Body(b []byte) error { return x.sink(&x.w, &x.r, b) }

// Left: the client has finished sending, or the exchange ends unfinished.
func (x *exchange) Left() (tell func()) {
	x.end(jay.ErrClosed)
	tell, x.onGone = x.onGone, nil
	return tell
}

// Writable: the client has taken so much that a streamed response may go on.
func (x *exchange) Writable() {
	if x.onWritable != nil {
		x.onWritable()
	}
}
