package http1

import (
	"errors"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/poison"
)

// maxDiscard is how much of a body nobody wanted is read so that the
// connection can be used again; above it the connection is closed instead.
const maxDiscard = 64 << 10

// beginBody decides how the body of the complete head is read. b is what
// follows the head; it returns how much of it was used.
func (s *serverConn) beginBody(c *jay.Conn, b []byte) int {
	x := s.x
	length := x.left
	switch {
	case length == 0:
		s.run(c)
		return 0
	case length > x.limits.body():
		s.fail(c, errBodyTooLarge)
		return len(b)
	case length > 0 && length <= int64(len(b)) && !x.taking:
		x.reqBody = b[:length:length]
		x.left = 0
		s.run(c)
		return int(length)
	}
	x.begin()
	if x.asks(len(b)) {
		x.req.flags &^= flagContinue
		x.goAhead(goOn)
	}
	return 0
}

// readBody takes what b has of the body.
func (s *serverConn) readBody(c *jay.Conn, b []byte) int {
	x := s.x
	x.req.flags &^= flagContinue // it did not wait
	x.heard = x.elapsed()
	n, piece, done := 0, b, false
	if x.req.Chunked() {
		var err error
		if piece, n, err = x.chunks.Next(b, x.limits); err != nil {
			s.fail(c, err)
			return len(b)
		}
		if x.srv.RawBody {
			piece = b[:n]
		}
		done = x.chunks.Done()
	} else {
		n = int(min(x.left, int64(len(b))))
		piece = b[:n]
		x.left -= int64(n)
		done = x.left == 0
	}
	switch err := s.takeBody(piece); {
	case err != nil && !x.whole():
		s.fail(c, err)
		return len(b)
	case err != nil, x.finished:
		x.state.Mistake = err
		s.finishLater(c)
	case done && x.paused:
		x.bodyDone = true
	case done:
		s.bodyComplete(c)
	}
	return n
}

// takeBody keeps a piece of the body, or passes it on.
func (s *serverConn) takeBody(piece []byte) error {
	x := s.x
	if len(piece) == 0 {
		return nil
	}
	x.received += int64(len(piece))
	if x.taking {
		x.passing = true
		err := x.above.Body(piece)
		x.passing = false
		if !x.chunks.Done() { // the trailer section is part of a raw piece
			poison.Fill(piece)
		}
		return err
	}
	if x.received > x.limits.body() { // with RawBody: more than the chunks' data
		return errBodyTooLarge
	}
	return x.body.AppendOf(x.conn, piece, int(x.req.ContentLength()))
}

// bodyComplete hands the complete request to the handler.
func (s *serverConn) bodyComplete(c *jay.Conn) {
	s.x.reqBody, s.x.bodyKept = s.x.body.Bytes(), true
	s.run(c)
}

// discard passes over the body of a request whose response did not wait for it.
func (s *serverConn) discard(b []byte) int {
	x := s.x
	x.heard = x.elapsed()
	n := int(min(x.left, int64(len(b))))
	x.received += int64(n)
	if x.left -= int64(n); x.left == 0 {
		s.state, x.received = atRest, 0
	}
	return n
}

func (s *serverConn) pauseBody(c *jay.Conn) {
	if s.state != inBody || s.x.paused {
		return
	}
	s.x.paused = true
	c.PauseRead()
	s.awaitProgram(c)
	s.hold(c)
}

func (s *serverConn) resumeBody(c *jay.Conn) {
	if !s.x.paused {
		return
	}
	s.x.paused = false
	s.unhold(c)
	if s.x.bodyDone {
		s.bodyComplete(c)
	}
	s.settle(c)
	if s.state != responding {
		c.ResumeRead()
	}
}

// fault returns whose fault err is, which is responded to with e: what err says
// itself, or else what the response means.
func fault(e *Error, err error) jay.Fault {
	if b, ok := errors.AsType[jay.Blamer](err); ok {
		return b.Blames()
	}
	return e.Blames()
}

// asError returns what to respond with to an error of the program or the parser.
func asError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok && e.Status >= 400 && e.Status <= 599 {
		return e
	}
	if errors.Is(err, jay.ErrBudget) {
		return errNoMemory
	}
	return errPanic
}
