package http1

import (
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/poison"
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
	body     jay.Buffer    // what has arrived of a body that was not there at once
	received int64         // bytes of the body so far, decoded
	left     int64         // bytes of the body still to come; -1 with chunks
	head     jay.Buffer    // copy of the head, when it outlives the bytes it came in
	trailer  jay.Buffer    // and of the trailer section
	tables   jay.Charge    // memory of the fields: see charge
	kept     bool          // the request's head is that copy
	tailKept bool          // and its trailer section
	paused   bool          // by PauseBody
	bodyDone bool          // the body was complete while it was paused
	passing  bool          // a piece of the body is being passed on
	over     bool          // the answer is complete: to be reset before it is used again
	since    time.Time     // when the client began with what it is sending
	rested   time.Duration // jay.Conn.Paused at that time
	heard    time.Duration // elapsed when something came last
	mark     int64         // how far the response was when it was looked at last
	quiet    uint8         // how often it has made no progress since
	rawPath  string        // what Request.Path was asked for last
	path     string        // and its answer
	next     jay.Handler   // takes the connection over after the answer
}

// keepFields is of how many fields an exchange in the pool keeps the memory, and
// keepLines for how many bytes of a response's.
const (
	keepFields = 1000
	keepLines  = 16 << 10
)

// charge has the budget know what the fields of request and response take beside
// their bytes. The error says that it is spent.
func (x *exchange) charge() error {
	n := (cap(x.req.lines.list)+cap(x.chunks.trailer.list))*fieldSize + cap(x.w.head.lines)
	return x.tables.Set(x.conn, n)
}

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
	x.body.Free()
	x.head.Free()
	x.trailer.Free()
	x.tables.Free()
	for _, fields := range [...]*fieldLines{&x.req.lines, &x.chunks.trailer} {
		if cap(fields.list) > keepFields {
			fields.list = nil
		}
	}
	if cap(x.w.head.lines) > keepLines {
		x.w.head.lines = nil
	}
	x.received, x.left = 0, 0
	x.kept, x.tailKept, x.paused, x.bodyDone, x.passing, x.over = false, false, false, false, false, false
	x.since, x.rested, x.heard = time.Time{}, 0, 0
	x.mark, x.quiet = 0, 0
	x.next = nil
}

func (p *Protocol) release(x *exchange) {
	x.w.body.Free()
	x.reset()
	x.conn, x.owner = nil, nil
	if !poison.On { // there a request that is used when it is void shows nothing
		p.exchanges.Put(x)
	}
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

// keepHead copies the head, before the bytes that it was parsed from go. The
// error says that there is no memory for it.
func (x *exchange) keepHead() error {
	if x.kept {
		return nil
	}
	if err := x.head.Append(x.conn, x.req.Head.buf); err != nil {
		return err
	}
	x.kept = true
	x.req.Head.buf = x.head.Bytes()
	return nil
}

// keep makes every view of the request the exchange's own, for an answer that
// is given later. The error says that there is no memory for it.
func (x *exchange) keep() error {
	err := x.keepHead()
	if err == nil && !x.req.bodyKept {
		if err = x.body.AppendOf(x.conn, x.req.body, len(x.req.body)); err == nil {
			x.req.body, x.req.bodyKept = x.body.Bytes(), true
		}
	}
	if err == nil {
		err = x.keepTrailer()
	}
	if err == nil {
		err = x.charge()
	}
	return err
}

// keepTrailer is keepHead for the trailer section, once it is complete.
func (x *exchange) keepTrailer() error {
	if x.tailKept || !x.chunks.Done() {
		return nil
	}
	if err := x.trailer.Append(x.conn, x.chunks.buf); err != nil {
		return err
	}
	x.tailKept = true
	x.chunks.buf = x.trailer.Bytes()
	return nil
}
