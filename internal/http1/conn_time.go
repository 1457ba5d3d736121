package http1

import (
	"time"

	"github.com/jay-go/jay"
)

// The client's time for sending counts while it may send. Whatever stops the
// reading from this side (PauseBody, jay.Conn.PauseRead, a response that the
// client has to take first) stops that clock as well.

// begin starts the clock of what the client begins to send.
func (x *Stream) begin() {
	x.since, x.rested, x.heard = x.conn.Now(), x.conn.Paused(), 0
}

// elapsed returns for how long the client has been able to send.
func (x *Stream) elapsed() time.Duration {
	return x.conn.Now().Sub(x.since) - (x.conn.Paused() - x.rested)
}

// setBodyDeadline gives the client its time for more of the body.
func (s *serverConn) setBodyDeadline(c *jay.Conn) {
	if s.x.paused {
		return
	}
	left, limited := s.bodyTimeLeft()
	if !limited {
		c.SetDeadline(0)
		return
	}
	c.SetDeadline(max(left, time.Millisecond))
}

// pollStopped is how often a clock that stands still is looked at.
const pollStopped = time.Second

// timeLeft returns what is left of the time of a client whose deadline has
// passed: more than 0 when some of it was not the client's.
func (s *serverConn) timeLeft(c *jay.Conn) (left time.Duration) {
	switch s.state {
	case atRest:
		return s.restLeft(c)
	case inBody:
		if s.x.paused {
			return 0
		}
		left, _ = s.bodyTimeLeft()
	case inHead:
		left = s.app.Server().headerTimeout() - s.x.elapsed()
	case discarding:
		left, _ = s.bodyTimeLeft()
	}
	if left > 0 && !c.Reading() {
		left = max(left, pollStopped)
	}
	return left
}

// restLeft begins the time between two requests anew when the client had to
// take a response first, or could not send.
func (s *serverConn) restLeft(c *jay.Conn) time.Duration {
	was, busy := s.busy, unsent(c) || !c.Reading()
	switch s.busy = busy; {
	case busy:
		return pollStopped
	case was:
		return s.app.Server().idleTimeout()
	}
	return 0
}

// bodyTimeLeft returns how long the wait for the body's next bytes may last, by
// all that bounds it: silence, the whole time, the least rate.
func (s *serverConn) bodyTimeLeft() (left time.Duration, limited bool) {
	x := s.x
	elapsed := x.elapsed()
	shorten := func(d time.Duration) {
		if !limited || d < left {
			left, limited = d, true
		}
	}
	if idle := s.app.Server().idleTimeout(); idle > 0 {
		shorten(idle - (elapsed - x.heard))
	}
	if whole := s.app.Server().bodyTimeout(); whole > 0 {
		shorten(whole - elapsed)
	}
	if rate := x.srv.MinBodyRate; rate > 0 {
		seconds := float64(x.received) / float64(rate)
		shorten(rateGrace + time.Duration(seconds*float64(time.Second)) - elapsed)
	}
	return left, limited
}

// looks is how often in a ResponseTimeout it is looked whether the program has
// made progress. So that costs its writes nothing.
const looks = 4

// awaitProgram begins the wait for the program.
func (s *serverConn) awaitProgram(c *jay.Conn) {
	s.x.mark, s.x.quiet = s.progress(c), 0
	c.SetDeadline(s.x.srv.responseTimeout() / looks)
}

// progress changes whenever something is written or the client takes something.
func (s *serverConn) progress(c *jay.Conn) int64 {
	return s.x.sent + int64(s.x.out.Len()) + int64(c.BytesOut())
}

// unsent reports whether the client has something to take.
func unsent(c *jay.Conn) bool { return c.Buffered() > 0 || c.BufferedFiles() > 0 }

// lookAtProgram gives a program up that has made no progress for the whole
// ResponseTimeout. While the client has something to take it is waited for, by
// ConnConfig.WriteTimeout.
func (s *serverConn) lookAtProgram(c *jay.Conn) {
	x := s.x
	mark := s.progress(c)
	if x.quiet++; mark != x.mark || unsent(c) {
		x.mark, x.quiet = mark, 0
	}
	if x.quiet >= looks {
		s.fail(c, errNoProgress)
		return
	}
	c.SetDeadline(s.x.srv.responseTimeout() / looks)
}
