package http1

import (
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/poison"
)

// Stream is one request and its response on the wire, with all the memory they
// need. It comes from the Server's pool at the first byte of a request and goes back
// when the response has been written, so that a connection at rest has none. Its
// methods belong to the connection's loop.
type Stream struct {
	above Exchange

	conn  *jay.Conn
	owner *serverConn
	srv   *Server

	// The request.
	req      Head
	chunks   Chunked
	limits   Limits
	reqBody  []byte        // once it is complete
	bodyKept bool          // it is memory of body
	taking   bool          // TakeBody was called
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
	over     bool          // the response is complete: to be reset before it is used again
	since    time.Time     // when the client began with what it is sending
	rested   time.Duration // jay.Conn.Paused at that time
	heard    time.Duration // elapsed when something came last
	mark     int64         // how far the response was when it was looked at last
	quiet    uint8         // how often it has made no progress since

	// The response.
	res   ResponseHead
	out   jay.Buffer  // of its body, not sent yet
	file  fileRange   // behind that
	ahead *ahead      // nil unless App.Head runs and the client waits for 100
	next  jay.Handler // takes the connection over after it
	progress
	state State
}

// progress is how far a response is.
type progress struct {
	sent int64 // bytes of the body that were sent
	mode bodyMode

	later    bool // Later was called
	finished bool // Finish was called
	closing  bool // the head said close
	lost     bool // the connection ended under it
}

// State is what who stands above a Stream looks at with each call of a handler. Only
// Mistake is its to change.
type State struct {
	Open     bool // the exchange is not over
	Started  bool // the response's head was sent
	Switches bool // Stream.Switch was called

	// Mistake is what of the response cannot be as the program wanted it, and was
	// not settled.
	Mistake error
}

// keepFields is of how many fields an exchange in the pool keeps the memory, and
// keepLines for how many bytes of a response's.
const (
	keepFields = 1000
	keepLines  = 16 << 10
)

// charge has the budget know what the fields of request and response take beside
// their bytes. The error says that it is spent.
func (x *Stream) charge() error {
	n := (cap(x.req.lines.list)+cap(x.chunks.trailer.list))*fieldSize + cap(x.res.lines)
	return x.tables.Set(x.conn, n)
}

func (srv *Server) newStream(s *serverConn, c *jay.Conn) *Stream {
	x, _ := srv.streams.Get().(*Stream)
	if x == nil {
		x = &Stream{srv: srv}
		x.above = srv.New(x)
	}
	x.conn, x.owner, x.state.Open = c, s, true
	x.limits = srv.Max
	return x
}

// reset makes x ready for the next request of its connection.
func (x *Stream) reset() {
	x.above.Reset()
	x.req.Reset()
	x.res.Reset()
	x.out.Truncate(0) // the memory of a short body stays: it is one of a row, or release frees it
	if x.ahead != nil {
		x.dropAhead()
	}
	if x.file.f != nil {
		x.dropFile()
	}
	x.progress = progress{}
	x.state = State{Open: true}
	x.chunks.Reset()
	x.limits = x.srv.Max
	x.body.Free()
	x.head.Free()
	x.trailer.Free()
	x.tables.Free()
	for _, fields := range [...]*fieldLines{&x.req.lines, &x.chunks.trailer} {
		if cap(fields.list) > keepFields {
			fields.list = nil
		}
	}
	if cap(x.res.lines) > keepLines {
		x.res.lines = nil
	}
	x.reqBody, x.bodyKept, x.taking = nil, false, false
	x.received, x.left = 0, 0
	x.kept, x.tailKept, x.paused, x.bodyDone, x.passing, x.over = false, false, false, false, false, false
	x.since, x.rested, x.heard = time.Time{}, 0, 0
	x.mark, x.quiet = 0, 0
	x.next = nil
}

func (x *Stream) release() {
	x.out.Free()
	x.reset()
	x.conn, x.owner, x.state.Open = nil, nil, false
	if !poison.On { // there a request that is used when it is void shows nothing
		x.srv.streams.Put(x)
	}
}

// unread returns how much of the request's body is still to come; it is
// negative when nobody knows.
func (x *Stream) unread() int64 {
	if x.req.Chunked() && x.chunks.Done() {
		return 0
	}
	return x.left
}

// framed reports whether the next request can be found without the program:
// the body was read, or is short enough to be passed over. A client that waits
// for 100 may send it or not.
func (x *Stream) framed() bool {
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
func (x *Stream) keepHead() error {
	if x.kept {
		return nil
	}
	if err := x.head.Append(x.conn, x.req.buf); err != nil {
		return err
	}
	x.kept = true
	x.req.buf = x.head.Bytes()
	return nil
}

// keep makes every view of the request the exchange's own, for a response that
// is given later. The error says that there is no memory for it.
func (x *Stream) keep() error {
	err := x.keepHead()
	if err == nil && !x.bodyKept {
		if err = x.body.AppendOf(x.conn, x.reqBody, len(x.reqBody)); err == nil {
			x.reqBody, x.bodyKept = x.body.Bytes(), true
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
func (x *Stream) keepTrailer() error {
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
