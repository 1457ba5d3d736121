package http1

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/jay-go/jay"
)

// end completes the answer. It reports whether the connection can be used
// again; err is what the program did wrong. A connection that has ended is
// neither.
func (w *ResponseWriter) end(c *jay.Conn) (reuse bool, err error) {
	if w.lost {
		return false, nil
	}
	if w.failed == nil {
		w.failed = w.checkStatus()
	}
	if w.failed == nil && !w.started && !w.bodiless() && w.x.next == nil {
		w.failed = w.checkLength(int64(w.body.Len()))
	}
	switch {
	case w.failed != nil:
	case w.x.next != nil:
		err = w.queue(c, w.appendHead(c, Framing{Length: -1}), nil, nil, nil)
	case !w.started:
		err = w.sendWhole(c)
	case w.mode == bodyChunked:
		err = w.queue(c, nil, nil, nil, lastChunk)
	case w.mode == bodyLength:
		w.failed = w.checkLength(w.sent)
	}
	return err == nil && !w.closing, w.failed
}

// whole reports whether the client has all of the answer, which does not say
// close: what goes wrong from here on does not concern it.
func (w *ResponseWriter) whole() bool {
	return w.started && !w.closing && (w.mode == bodyNone || w.mode == bodyLength && w.sent == w.head.length)
}

// sendWhole sends an answer of which nothing was sent yet.
func (w *ResponseWriter) sendWhole(c *jay.Conn) error {
	f := Framing{Length: int64(w.body.Len())}
	body := &w.body
	if w.bodiless() {
		// To HEAD the length is that of the body that GET would get, if the
		// program has written one; 204 and 304 have none.
		status := w.head.Status()
		if body.Len() == 0 || status == 204 || status == 304 {
			f.Length = -1
		}
		body = nil
	}
	b := w.appendHead(c, f)
	if body != nil && body.Len() <= cap(b)-len(b) {
		b = append(b, body.Bytes()...)
		body = nil
	}
	err := w.queue(c, b, body, nil, nil)
	w.started = err == nil
	return err
}

// checkStatus refuses what would make the end of the answer, or the meaning
// of what follows it, doubtful.
func (w *ResponseWriter) checkStatus() error {
	status, tunnel := w.head.Status(), w.x.req.Form() == AuthorityForm
	switch {
	case w.x.next != nil && w.x.unread() != 0:
		return errors.New("switch: the request's body has not been read")
	case w.x.next != nil && w.body.Len() > 0:
		return errors.New("switch: a body was written, and what follows the head is the next handler's")
	case w.x.next != nil && tunnel && status/100 != 2:
		return fmt.Errorf("switch: the status is %d; a tunnel begins with 2xx", status)
	case w.x.next != nil && !tunnel && status != 101:
		return fmt.Errorf("switch: the status is %d; an upgrade is 101", status)
	case w.x.next != nil:
		return nil
	case status == 101:
		return errors.New("answer with 101: Switch has not been called")
	case tunnel && status/100 == 2:
		return errNoTunnel
	}
	return nil
}

var errNoTunnel = &Error{405, "this server makes no tunnels"}

func (w *ResponseWriter) checkLength(n int64) error {
	if w.head.seen.has(idContentLength) && w.head.length != n {
		return fmt.Errorf("answer: Content-Length was set to %d, %d bytes were written", w.head.length, n)
	}
	return nil
}

// refuse sends e as the answer, in the place of what the program has set, and
// says close. The text names the rule that was broken, never what the client
// has sent. An answer whose head was sent is cut short. It reports whether the
// client can tell what became of the answer; if not, only a reset tells.
func (w *ResponseWriter) refuse(c *jay.Conn, e *Error) bool {
	if w.started {
		return w.mode != bodyUntilClose // FIN would pass for the end
	}
	w.x.next = nil
	w.head.Reset()
	w.head.status = e.Status
	_ = w.head.Set("Content-Type", "text/plain; charset=utf-8")
	_ = w.head.Set("X-Content-Type-Options", "nosniff")
	if e.Status == 405 {
		_ = w.head.Set("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
	}
	if e.Status == 503 {
		_ = w.head.Set("Retry-After", "1")
	}
	w.x.body.Free() // what was refused for its size makes room for these words
	w.body.Free()
	for _, words := range [...]string{StatusText(e.Status), ": ", e.Reason, "\n"} {
		_ = w.body.AppendString(c, words)
	}
	w.closing = true
	return w.sendWhole(c) == nil
}

// SendInterim sends an interim answer (103 Early Hints) with the fields set
// so far, which stay set for the final one; Content-Length and Connection are
// of that one alone. An HTTP/1.0 client is sent none.
func (w *ResponseWriter) SendInterim(status int) error {
	if err := cmp.Or(w.ready(), w.beforeHead("send interim answer")); err != nil {
		return err
	}
	if status < 102 || status > 199 {
		return w.fail(fmt.Errorf("send interim answer %d: not 102 to 199", status))
	}
	if w.x.req.HTTP10() {
		return nil
	}
	b := appendStatusLine(w.x.conn.AvailableBuffer(), status)
	b = w.head.appendInterim(b)
	return w.queue(w.x.conn, append(b, '\r', '\n'), nil, nil, nil)
}

// Switch ends HTTP on the connection: once the handler has returned, the head
// of the answer is sent and next gets the connection, with all bytes behind
// the request, whose body must have been read by then. The status must be 101
// and the client have offered an upgrade, or 2xx and the method CONNECT; it may
// be set before or after. Upgrade and other fields are the program's to set;
// Connection: Upgrade is added to 101.
func (w *ResponseWriter) Switch(next jay.Handler) error {
	if err := cmp.Or(w.ready(), w.beforeHead("switch")); err != nil {
		return err
	}
	if w.x.req.Form() != AuthorityForm {
		if w.x.req.flags&flagUpgrade == 0 {
			return w.fail(errors.New("switch: the client has not offered an upgrade"))
		}
		if err := w.fail(w.head.Set("Connection", "Upgrade")); err != nil {
			return err
		}
	}
	w.x.next = next
	return nil
}
