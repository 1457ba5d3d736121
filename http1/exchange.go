package http1

import (
	"time"

	"github.com/jay-go/jay"
)

// exchange is one request and its answer, with all the memory they need. It
// comes from the Protocol's pool at the first byte of a request and goes back
// when the answer has been written, so that a connection at rest has none.
type exchange struct {
	req Request
	w   ResponseWriter

	conn  *jay.Conn
	owner *serverConn

	chunks   Chunked
	limits   Limits
	body     []byte        // what has arrived of a body that was not there at once
	received int64         // bytes of the body so far, decoded
	left     int64         // bytes of the body still to come; -1 with chunks
	head     []byte        // copy of the head, when it outlives the bytes it came in
	kept     bool          // the request's head is that copy
	paused   bool          // by PauseBody
	bodyDone bool          // the body was complete while it was paused
	since    time.Time     // when the client began with what it is sending
	rested   time.Duration // jay.Conn.Paused at that time
	heard    time.Duration // elapsed when something came last
	rawPath  string        // what Request.Path was asked for last
	path     string        // and its answer
	next     jay.Handler   // takes the connection over after the answer
}

// keepBuffer and keepFields are how much memory an exchange in the pool keeps.
const (
	keepBuffer = 64 << 10
	keepFields = 1000
)

func (p *Protocol) newExchange(s *serverConn, c *jay.Conn) *exchange {
	x, _ := p.exchanges.Get().(*exchange)
	if x == nil {
		x = new(exchange)
		x.req.x, x.w.x = x, x
	}
	x.conn, x.owner = c, s
	x.limits = p.limits()
	return x
}

// reset makes x ready for the next request of its connection.
func (x *exchange) reset() {
	x.req.reset()
	x.w.reset()
	x.chunks.Reset()
	x.limits = x.owner.p.limits()
	if cap(x.body) > keepBuffer {
		x.body = nil
	}
	x.body = x.body[:0]
	if cap(x.head) > keepBuffer {
		x.head = nil
	}
	if cap(x.req.lines.list) > keepFields {
		x.req.lines.list = nil
	}
	x.received, x.left = 0, 0
	x.kept, x.paused, x.bodyDone = false, false, false
	x.since, x.rested, x.heard = time.Time{}, 0, 0
	x.next = nil
}

func (p *Protocol) release(x *exchange) {
	x.reset()
	x.conn, x.owner = nil, nil
	p.exchanges.Put(x)
}

// unread returns how much of the request's body is still to come; it is
// negative when nobody knows.
func (x *exchange) unread() int64 {
	if x.req.Chunked() && x.chunks.Done() {
		return 0
	}
	return x.left
}

// framed reports whether the next request can be found without the program:
// the body was read, or is short enough to be passed over. A client that waits
// for 100 may send it or not.
func (x *exchange) framed() bool {
	switch left := x.unread(); {
	case left <= 0:
		return left == 0
	case x.req.flags&flagContinue != 0:
		return false
	default:
		return left <= min(maxDiscard, x.limits.body())
	}
}

// keepHead copies the head, before the bytes that it was parsed from go.
func (x *exchange) keepHead() {
	if x.kept {
		return
	}
	x.kept = true
	x.head = append(x.head[:0], x.req.Head.buf...)
	x.req.Head.buf = x.head
}

// keep makes every view of the request the exchange's own, for an answer that
// is given later. The trailer section goes behind the body.
func (x *exchange) keep() {
	x.keepHead()
	if !x.req.bodyKept {
		x.req.bodyKept = true
		x.body = append(x.body[:0], x.req.body...)
	}
	n := len(x.body)
	x.body = append(x.body, x.chunks.buf...)
	x.req.body, x.chunks.buf = x.body[:n:n], x.body[n:]
}
