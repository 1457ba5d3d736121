package web

import (
	"context"

	"github.com/jay-go/jay"
)

// Context returns a context that ends with the exchange. [context.Cause] is
// context.Canceled when the response is complete, an upgrade included, and
// jay.ErrClosed when the client leaves before that, or gets another response, or a part,
// because the program failed or gave none in time. A client that has only finished sending looks like one that has left; it gets
// its response all the same, if there is one; one that has sent ahead more than the system
// takes without being read cannot be seen to leave. Any goroutine may use the context;
// Context itself is the loop's.
func (r *Request) Context() context.Context {
	x := r.x
	if x.ctx != nil {
		return x.ctx
	}
	over := x.s.Conn() == nil
	ctx, cancel := context.WithCancelCause(context.Background())
	switch {
	case over:
		cancel(context.Canceled)
		return ctx
	case x.s.HasLeft():
		cancel(jay.ErrClosed)
	}
	x.ctx, x.cancel = ctx, cancel
	return ctx
}

// end ends the context, if there is one.
func (x *exchange) end(cause error) {
	if x.ctx == nil {
		return
	}
	x.cancel(cause)
	x.ctx, x.cancel = nil, nil
}
