package http1

import (
	"cmp"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/poison"
)

// serverConn is HTTP/1.1 on one connection. It belongs to the connection's
// loop and is all that an idle connection costs this package.
type serverConn struct {
	app   App
	x     *Stream // nil at rest
	gen   uint32  // grows with each exchange, so that handles of an earlier one are known
	state connState
	held  bool // jay.Conn.Hold is in force
	left  bool // the client has finished sending, and has probably left
	busy  bool // at rest, when it was looked at last, the client had to take a response first
}

// connState is where a connection is; there is one exchange at a time, so
// that responses are in the order of their requests whoever finishes them.
type connState uint8

const (
	// atRest: between two requests; no exchange.
	atRest connState = iota
	// inHead: bytes of a head have arrived.
	inHead
	// inBody: the head is parsed, the body is arriving.
	inBody
	// handling: the handler is running.
	handling
	// responding: the handler has returned and the response is to come; reading
	// is paused.
	responding
	// discarding: the response was sent before the body had arrived, of which
	// so little is left that the connection can be used again after it.
	discarding
	// ended: the connection is closing, or belongs to another handler.
	ended
)

// NewConn returns the handler of a connection on which app serves HTTP/1.1.
func NewConn(app App) jay.Handler { return &serverConn{app: app} }

// server returns what the connections of the protocol have in common.
func (s *serverConn) server() *Server {
	if s.x != nil {
		return s.x.srv
	}
	return s.app.Server()
}

// Open begins the wait for the first request.
func (s *serverConn) Open(c *jay.Conn) { c.SetDeadline(s.app.Server().idleTimeout()) }

// Protocol is what is spoken until an upgrade, whatever has made the connection.
func (s *serverConn) Protocol() jay.Protocol { return s.app.Protocol() }

// Data reads requests and responds to them for as long as there are any and the
// connection takes more.
func (s *serverConn) Data(c *jay.Conn, b []byte) (n int, err error) {
	from := 0 // of the request that is being read
	for n < len(b) && s.state != ended && c.Reading() {
		used := 0
		switch s.state {
		case atRest, inHead:
			used = s.readHead(c, b[n:])
		case inBody:
			used = s.readBody(c, b[n:])
		case discarding:
			used = s.discard(b[n:])
		}
		if used == 0 {
			break
		}
		n += used
		if s.state != inBody {
			poison.Fill(b[from:n])
			from = n
		}
	}
	s.settle(c)
	return n, nil
}

// settle prepares for the wait for more bytes: the deadline that belongs to
// it, no exchange at rest, no view of bytes that go.
func (s *serverConn) settle(c *jay.Conn) {
	switch s.state {
	case atRest:
		srv := s.server()
		s.drop()
		c.SetDeadline(srv.idleTimeout())
	case inHead:
		if err := s.x.charge(); err != nil {
			s.fail(c, err)
		}
	case inBody:
		if err := cmp.Or(s.x.keepHead(), s.x.keepTrailer(), s.x.charge()); err != nil {
			s.fail(c, err)
			return
		}
		s.setBodyDeadline(c)
	case discarding:
		s.setBodyDeadline(c)
	}
}

// readHead parses a head and returns how much of b it and what was done about
// it have used.
func (s *serverConn) readHead(c *jay.Conn, b []byte) int {
	switch {
	case s.x == nil:
		s.x = s.app.Server().newStream(s, c)
	case s.x.over:
		s.x.reset()
	}
	x := s.x
	n, err := x.req.Parse(b, x.limits)
	switch {
	case err != nil:
		s.fail(c, err)
		return len(b)
	case n == 0:
		if s.state == atRest {
			s.state = inHead
			x.begin()
			c.SetDeadline(x.srv.headerTimeout())
		}
		return 0
	}
	c.CountRequest()
	s.state, x.left = inBody, x.req.ContentLength()
	if x.srv.AskHead && !s.askOnHead(c, x.asks(len(b)-n)) {
		return n
	}
	return n + s.beginBody(c, b[n:])
}

// askOnHead calls App.Head and reports whether the request goes on; asked says
// whether the client waits to hear that.
func (s *serverConn) askOnHead(c *jay.Conn, asked bool) bool {
	x := s.x
	s.state = handling
	if asked {
		x.ahead = &ahead{}
	}
	if s.app.Head(x.above) && !x.finished {
		s.state = inBody
		return true
	}
	if asked {
		x.goAhead(nil)
	}
	s.returned(c)
	return false
}

// run calls the handler for a complete request.
func (s *serverConn) run(c *jay.Conn) {
	x := s.x
	s.state = handling
	s.app.Serve(x.above)
	s.returned(c)
}

// returned goes on after the handler: the response is complete, unless it is
// given later.
func (s *serverConn) returned(c *jay.Conn) {
	x := s.x
	if x.later && !x.finished {
		s.state = responding
		if err := x.keep(); err != nil {
			s.fail(c, err)
			return
		}
		c.PauseRead()
		s.awaitProgram(c)
		s.hold(c)
		return
	}
	s.finish(c)
}

// finishLater finishes a response that was waited for, or did not wait for its
// body.
func (s *serverConn) finishLater(c *jay.Conn) {
	s.unhold(c)
	s.finish(c)
	s.settle(c)
	c.ResumeRead()
}

// finish sends what of the response is not sent, and decides what becomes of
// the connection.
func (s *serverConn) finish(c *jay.Conn) {
	x := s.x
	reuse, err := x.end()
	if err != nil && x.whole() {
		c.Report(fault(errPanic, err), s.reported(err))
		reuse, err = true, nil
	}
	x.over = err == nil && !x.lost
	switch {
	case err != nil:
		s.fail(c, err)
	case reuse && x.next != nil:
		next := x.next
		s.end()
		c.SetDeadline(0)
		c.SetHandler(next)
	case !x.req.KeepAlive() && x.unread() == 0: // the client has announced that it was all
		s.end()
		c.CloseAtOnce()
	case !reuse, stopping(c):
		s.end()
		c.Close()
	case x.unread() != 0:
		s.state = discarding
		s.gen++
		left := x.left
		x.out.Free()
		x.reset()
		x.left = left
		x.begin()
	default:
		s.state = atRest
		s.gen++
		if poison.On {
			s.drop()
		}
	}
}

// fail responds to what went wrong, if that is still possible, and closes.
func (s *serverConn) fail(c *jay.Conn, err error) {
	e, err := asError(err), s.reported(err)
	whose, told := fault(e, err), s.x.refuse(e)
	s.end()
	if told {
		c.CloseOn(whose, err)
	} else {
		c.AbortOn(whose, err)
	}
}

// reported returns err as users are told of it.
func (s *serverConn) reported(err error) error {
	if e, ok := err.(*Error); ok {
		return s.app.Server().Error(e)
	}
	return err
}

// end is the end of HTTP on the connection.
func (s *serverConn) end() {
	s.state = ended
	s.drop()
}

// drop returns the exchange to the pool; handles of it are void from here on,
// and who was to finish its response later is told.
func (s *serverConn) drop() {
	s.gen++
	x := s.x
	if x == nil {
		return
	}
	var tell func()
	if !x.over { // the response is not complete
		tell = x.takeLeft()
	}
	s.x = nil
	x.release()
	if tell != nil {
		tell()
	}
}

func (s *serverConn) hold(c *jay.Conn) {
	if !s.held {
		s.held = true
		c.Hold()
	}
}

func (s *serverConn) unhold(c *jay.Conn) {
	if s.held {
		s.held = false
		c.Release()
	}
}

// Close ends what was going on.
func (s *serverConn) Close(c *jay.Conn, err error) {
	s.end()
}

// EOF: the peer is done sending. What it has sent in full has its response;
// what is incomplete will stay so.
func (s *serverConn) EOF(c *jay.Conn) {
	s.left = true
	switch {
	case s.unasked():
		c.Close()
	case s.state == inHead || s.state == inBody:
		s.fail(c, errIncomplete)
	}
}

// Gone: the client has finished sending while a response is to come. Whoever is
// to finish it is told; nothing else is done, for the client may wait for it.
func (s *serverConn) Gone(*jay.Conn) {
	s.left = true
	if s.x != nil {
		if tell := s.x.takeLeft(); tell != nil {
			tell()
		}
	}
}

// unasked reports whether the client awaits no response: it has not begun a
// request, with empty lines at most, or has it already.
func (s *serverConn) unasked() bool {
	return s.state == atRest || s.state == discarding || s.state == inHead && s.x.req.part == inEmptyLines
}

// Deadline: the client took too long for whatever it was doing, unless the time
// was ours.
func (s *serverConn) Deadline(c *jay.Conn) {
	if left := s.timeLeft(c); left > 0 {
		c.SetDeadline(left)
		return
	}
	switch {
	case s.state == responding, s.state == inBody && s.x.paused:
		s.lookAtProgram(c)
	case s.unasked():
		s.end()
		c.Close()
	case s.state == inHead:
		s.fail(c, errHeadTimeout)
	case s.state == inBody:
		s.fail(c, errBodyTimeout)
	}
}

// Drain: the worker wants to end. A connection at rest is closed when the
// service stops; when its code is merely replaced it stays, for its client
// may be sending the next request right now, whose response says close. A
// request of which a byte has been read gets its response in either case.
func (s *serverConn) Drain(c *jay.Conn) {
	if s.unasked() && stopping(c) {
		c.Close()
	}
}

// stopping reports whether nobody will serve this connection's next request.
func stopping(c *jay.Conn) bool {
	d := c.Draining()
	return d != nil && !d.Overlaps()
}

// Panic responds with 500 if nothing of the response has been sent yet.
func (s *serverConn) Panic(c *jay.Conn, err *jay.PanicError) {
	if !s.unasked() && s.x != nil && !s.x.refuse(errPanic) {
		c.Abort()
	}
	s.end()
}

// Writable: the client has taken so much that a streamed response may go on.
func (s *serverConn) Writable(*jay.Conn) {
	if s.x != nil {
		s.x.above.Writable()
	}
}

var (
	errIncomplete  = &Error{400, "the client stopped sending in the middle of a request"}
	errHeadTimeout = &Error{408, "the request's head did not arrive in time"}
	errBodyTimeout = &Error{408, "the request's body did not arrive in time"}
	errNoProgress  = &Error{504, "the program did not give the response in time"}
	errPanic       = &Error{500, "the handler failed"}
	errNoMemory    = &Error{503, "the server holds as much as it may at present; try again later"}
)
