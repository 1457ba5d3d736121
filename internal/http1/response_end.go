package http1

import (
	"errors"
	"fmt"
)

// end completes the response. It reports whether the connection can be used
// again; err is what the program did wrong. A connection that has ended is
// neither.
func (x *Stream) end() (reuse bool, err error) {
	if x.lost {
		return false, nil
	}
	if err = x.state.Mistake; err == nil {
		err = x.checkStatus()
	}
	switch {
	case err != nil:
	case x.next != nil:
		err = x.queue(x.appendHead(Framing{Length: -1}), nil, nil, nil, nil)
	case !x.state.Started:
		err = x.sendWhole()
	case x.mode == bodyChunked:
		err = x.queue(nil, nil, nil, nil, lastChunk)
	case x.mode == bodyLength:
		err = x.checkLength(x.sent)
	}
	if x.lost {
		return false, nil
	}
	return err == nil && !x.closing, err
}

// whole reports whether the client has all of the response, which does not say
// close: what goes wrong from here on does not concern it.
func (x *Stream) whole() bool {
	return x.state.Started && !x.closing && (x.mode == bodyNone || x.mode == bodyLength && x.sent == x.res.length)
}

// sendWhole sends a response of which nothing was sent yet.
func (x *Stream) sendWhole() error {
	f := Framing{Length: int64(x.out.Len()) + x.file.n}
	body := &x.out
	if x.bodiless() {
		// To HEAD the length is that of the body that GET would get, if the
		// program has written one; 204 and 304 have none.
		status := x.res.Status()
		if f.Length == 0 || status == 204 || status == 304 {
			f.Length = -1
		}
		body = nil
		x.dropFile()
	} else if err := x.checkLength(f.Length); err != nil {
		return err
	}
	b := x.appendHead(f)
	if body != nil && body.Len() <= cap(b)-len(b) {
		b = append(b, body.Bytes()...)
		body = nil
	}
	err := x.queue(b, body, &x.file, nil, nil)
	x.state.Started = err == nil
	return err
}

// checkStatus refuses what would make the end of the response, or the meaning
// of what follows it, doubtful.
func (x *Stream) checkStatus() error {
	status, tunnel := x.res.Status(), x.req.Form() == AuthorityForm
	switch {
	case x.next != nil && x.unread() != 0:
		return errors.New("switch: the request's body has not been read")
	case x.next != nil && (x.out.Len() > 0 || x.file.f != nil):
		return errors.New("switch: a body was written, and what follows the head is the next handler's")
	case x.next != nil && tunnel && status/100 != 2:
		return fmt.Errorf("switch: the status is %d; a tunnel begins with 2xx", status)
	case x.next != nil && !tunnel && status != 101:
		return fmt.Errorf("switch: the status is %d; an upgrade is 101", status)
	case x.next != nil:
		return nil
	case status == 101:
		return errors.New("respond with 101: Switch has not been called")
	case tunnel && status/100 == 2:
		return errNoTunnel
	}
	return nil
}

var errNoTunnel = &Error{405, "this server makes no tunnels"}

func (x *Stream) checkLength(n int64) error {
	if x.res.seen.has(idContentLength) && x.res.length != n {
		return fmt.Errorf("respond: Content-Length was set to %d, %d bytes were written", x.res.length, n)
	}
	return nil
}

// refuse sends e as the response, in the place of what the program has set, and
// says close. The text names the rule that was broken, never what the client
// has sent. A response whose head was sent is cut short. It reports whether the
// client can tell what became of the response; if not, only a reset tells.
func (x *Stream) refuse(e *Error) bool {
	if x.ahead != nil {
		x.goAhead(nil)
	}
	if x.state.Started {
		return x.mode != bodyUntilClose // FIN would pass for the end
	}
	x.next, x.state.Switches = nil, false
	x.res.Reset()
	x.res.status = e.Status
	_ = x.res.Set("Content-Type", "text/plain; charset=utf-8")
	_ = x.res.Set("X-Content-Type-Options", "nosniff")
	if e.Status == 405 {
		_ = x.res.Set("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
	}
	if e.Status == 503 {
		_ = x.res.Set("Retry-After", "1")
	}
	x.body.Free() // what was refused for its size makes room for these words
	x.out.Free()
	x.dropFile()
	for _, words := range [...]string{StatusText(e.Status), ": ", e.Reason, "\n"} {
		_ = x.out.AppendString(x.conn, words)
	}
	x.closing = true
	return x.sendWhole() == nil
}
