package http1

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/jay-go/jay"
)

// ResponseWriter is the answer to one request. What is written is kept until
// the handler returns, so that its length is known; Flush and, with
// Content-Length set, long bodies send it as it comes. It belongs to the
// connection's loop.
//
// An error of any method means that the answer cannot be what the program
// asked for. It is the program's to act upon: it sets the refused field to
// something else, or deletes it, or answers with a status from 400 on, or begins
// anew with Reset. If it is ignored the client gets 500, not something else.
type ResponseWriter struct {
	x    *exchange
	head ResponseHead
	body jay.Buffer // not sent yet
	answerState
}

// answerState is how far one answer is.
type answerState struct {
	sent   int64 // bytes of the body that were sent
	mode   bodyMode
	failed error // what went wrong, first, and is not settled

	refused string // the field that it went wrong with, if it is one thing alone

	started  bool // the head was sent
	later    bool // Later was called
	finished bool // Later.Finish was called
	closing  bool // the head said close
	lost     bool // the connection ended under it

	onGone     func()
	onWritable func()
}

// bodyMode is how the end of the body is known, once the head was sent.
type bodyMode uint8

const (
	bodyNone       bodyMode = iota // HEAD, 204, 205, 304: nothing is sent
	bodyLength                     // Content-Length
	bodyChunked                    // chunks
	bodyUntilClose                 // an HTTP/1.0 client waits for the end
)

// passThrough is from what size on a body of declared length is not kept.
const passThrough = 64 << 10

// reset makes w ready for the next request. The memory of a short body stays: it
// is one of a row, or release frees it.
func (w *ResponseWriter) reset() {
	w.head.Reset()
	w.body.Truncate(0)
	w.answerState = answerState{}
}

// fail notes that something went wrong, and returns what.
func (w *ResponseWriter) fail(err error) error {
	if err == nil {
		return nil
	}
	return w.note("", err)
}

// set notes how it went to set what. What was refused is settled when it is set
// after all.
func (w *ResponseWriter) set(what string, err error) error {
	if err == nil && w.failed == nil {
		return nil
	}
	return w.note(what, err)
}

// note is set for all that does not go well; "" stands for what cannot be set.
func (w *ResponseWriter) note(what string, err error) error {
	switch {
	case err != nil && w.failed == nil:
		w.failed, w.refused = err, what
	case err != nil && !strings.EqualFold(what, w.refused):
		w.refused = "" // two things are open
	case err == nil && w.failed != nil && what != "" && strings.EqualFold(what, w.refused):
		w.failed = nil
	}
	return err
}

// ready returns why nothing can be written any more.
func (w *ResponseWriter) ready() error {
	if w.x.conn == nil {
		return jay.ErrClosed
	}
	return w.failed
}

// beforeHead returns why nothing can be set any more. After a refused field
// other things can.
func (w *ResponseWriter) beforeHead(what string) error {
	if w.x.conn != nil && !w.started {
		return nil
	}
	return w.behindHead(what)
}

func (w *ResponseWriter) behindHead(what string) error {
	switch {
	case w.x.conn == nil:
		return jay.ErrClosed
	case w.failed != nil:
		return w.failed
	}
	return w.fail(fmt.Errorf("%s: the head of the answer has been sent", what))
}

// beforeSwitch is ready for what sends a body: behind Switch there is none.
func (w *ResponseWriter) beforeSwitch(what string) error {
	if w.x.conn != nil && w.failed == nil && w.x.next == nil {
		return nil
	}
	return w.unready(what)
}

func (w *ResponseWriter) unready(what string) error {
	err := w.ready()
	if err == nil && w.x.next != nil {
		err = w.fail(fmt.Errorf("%s: Switch was called, and what follows the head is the next handler's", what))
	}
	return err
}

// Status returns the status code.
func (w *ResponseWriter) Status() int { return w.head.Status() }

// SetStatus sets the status code; see [ResponseHead.SetStatus]. One from 400 on
// is an answer to whatever went wrong before.
func (w *ResponseWriter) SetStatus(code int) error {
	if err := w.beforeHead("set status"); err != nil {
		return err
	}
	err := w.set(statusLine, w.head.SetStatus(code))
	if err == nil && code >= 400 {
		w.failed = nil
	}
	return err
}

// statusLine is the status among what can be refused; no field is called so.
const statusLine = ":status"

// Reset forgets all that was set and written, and what went wrong with it.
func (w *ResponseWriter) Reset() error {
	if err := w.beforeHead("reset"); err != nil {
		return err
	}
	w.head.Reset()
	w.body.Free()
	w.x.next, w.failed, w.mode, w.closing = nil, nil, bodyNone, false
	return nil
}

// Header returns the first value set under name.
func (w *ResponseWriter) Header(name string) string { return w.head.Get(name) }

// SetHeader sets a field and removes what was set under its name before. A
// value with a CR, LF, NUL or other control character is refused.
func (w *ResponseWriter) SetHeader(name, value string) error {
	if err := w.beforeHead("set field"); err != nil {
		return err
	}
	return w.set(name, cmp.Or(w.head.Set(name, value), w.afford()))
}

// afford returns why there is no memory for the fields: those of a long head count.
func (w *ResponseWriter) afford() error {
	if cap(w.head.lines) < keepLines {
		return nil
	}
	return w.x.charge()
}

// SetContentType is SetHeader for the Content-Type, at half its cost.
func (w *ResponseWriter) SetContentType(value string) error {
	if err := w.beforeHead("set field"); err != nil {
		return err
	}
	return w.set("Content-Type", w.head.SetContentType(value))
}

// AddHeader adds a field line beside others of its name.
func (w *ResponseWriter) AddHeader(name, value string) error {
	if err := w.beforeHead("add field"); err != nil {
		return err
	}
	return w.set(name, cmp.Or(w.head.Add(name, value), w.afford()))
}

// DelHeader removes every field called name.
func (w *ResponseWriter) DelHeader(name string) error {
	if err := w.beforeHead("delete field"); err != nil {
		return err
	}
	w.head.Del(name)
	return w.set(name, nil)
}

// SetCookie adds a Set-Cookie field.
func (w *ResponseWriter) SetCookie(c *Cookie) error {
	value, err := c.Append(nil)
	if err != nil {
		return w.set("Set-Cookie", err)
	}
	return w.AddHeader("Set-Cookie", string(value))
}

// SetDate sets the Date field here and now instead of behind the program's
// own fields.
func (w *ResponseWriter) SetDate() error {
	if err := w.ready(); err != nil {
		return err
	}
	return w.SetHeader("Date", w.x.owner.p.dates.At(w.x.conn.Now()).Value())
}

// Write adds to the body. For HEAD, 204, 205 and 304 the bytes only count. An
// error that is jay.ErrOutputLimit or jay.ErrBudget says that there is no room
// for p, of which nothing was taken.
func (w *ResponseWriter) Write(p []byte) (int, error) {
	if err := w.beforeSwitch("write"); err != nil {
		return 0, err
	}
	if w.passes(len(p)) {
		if err := w.pass(p); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	if err := w.room(len(p)); err != nil {
		return 0, err
	}
	if err := w.fail(w.body.Append(w.x.conn, p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// WriteString is Write for a string.
func (w *ResponseWriter) WriteString(s string) (int, error) {
	if err := w.beforeSwitch("write"); err != nil {
		return 0, err
	}
	if err := w.room(len(s)); err != nil {
		return 0, err
	}
	before := w.body.Len()
	if err := w.fail(w.body.AppendString(w.x.conn, s)); err != nil {
		return 0, err
	}
	if w.passes(0) {
		if err := w.pass(nil); err != nil {
			w.body.Truncate(before)
			return 0, err
		}
	}
	return len(s), nil
}

// room refuses n more bytes of a body for which there is no room when it is
// sent.
func (w *ResponseWriter) room(n int) error {
	if w.started || w.bodiless() {
		return nil
	}
	if err := w.x.conn.RoomBehind(&w.body, n); err != nil {
		return w.noRoom(n+w.body.Len(), err)
	}
	return nil
}

// noRoom notes that there is no room for n bytes.
func (w *ResponseWriter) noRoom(n int, err error) error {
	return w.fail(fmt.Errorf("send %d bytes of an answer: %w, %d bytes are unsent", n, err, w.x.conn.Buffered()))
}

// passes reports whether n more bytes are sent as they come instead of being
// kept: after a Flush, and as a long body of declared length.
func (w *ResponseWriter) passes(n int) bool {
	return w.started || w.body.Len()+n > passThrough && w.head.seen.has(idContentLength)
}

// bodiless reports whether the answer has no body whatever is written
// (RFC 9110 sections 6.4.1 and 15.3.6).
func (w *ResponseWriter) bodiless() bool {
	status := w.head.Status()
	return w.x.req.flags&flagHEAD != 0 || status == 204 || status == 205 || status == 304
}

// Flush sends the head, if that has not been done, and what was written of
// the body. Without a Content-Length the body is chunked; an HTTP/1.0 client
// finds its end where the connection ends.
func (w *ResponseWriter) Flush() error {
	if err := w.beforeSwitch("flush"); err != nil {
		return err
	}
	return w.pass(nil)
}

// pass sends what was written so far, and p behind it.
func (w *ResponseWriter) pass(p []byte) error {
	c := w.x.conn
	var head []byte
	if !w.started {
		if err := w.fail(w.checkStatus()); err != nil {
			return err
		}
		head = w.appendHead(c, w.streamed())
	}
	if err := w.send(c, head, p); err != nil {
		return err
	}
	w.body.Free()
	return nil
}

// streamed decides how the client finds the end of an answer whose length may
// not be known.
func (w *ResponseWriter) streamed() Framing {
	f := Framing{Length: -1}
	switch {
	case w.bodiless():
		w.mode = bodyNone
	case w.head.seen.has(idContentLength):
		w.mode = bodyLength
	case w.x.req.HTTP10():
		w.mode, w.closing = bodyUntilClose, true
	default:
		w.mode, f.Chunked = bodyChunked, true
	}
	return f
}

// appendHead encodes the head into the connection's free buffer.
func (w *ResponseWriter) appendHead(c *jay.Conn, f Framing) []byte {
	if w.x.next == nil {
		w.closing = w.closing || w.mustClose(c)
		f.Close = w.closing
		f.KeepAlive = !f.Close && w.x.req.HTTP10()
	}
	switch status := w.head.Status(); {
	case status == 205: // RFC 9110 section 15.3.6
		w.head.Del("Content-Length")
		f.Length = 0
	case status == 204, w.x.next != nil: // section 8.6
		w.head.Del("Content-Length")
	}
	return w.head.Append(c.AvailableBuffer(), f, w.x.owner.p.dates.At(c.Now()))
}

// mustClose reports whether the connection cannot be used after this answer.
func (w *ResponseWriter) mustClose(c *jay.Conn) bool {
	return !w.x.req.KeepAlive() || c.Draining() != nil || w.head.wantsClose() || !w.x.framed()
}

// send queues what was written of the body, and p behind it, in the way that the
// head announces, and head before them if it has not been sent: all of it or nothing. Where the
// head has been sent, the connection fails if there is no room. That the client
// has left is the caller's to know, not a mistake of his.
func (w *ResponseWriter) send(c *jay.Conn, head, p []byte) error {
	body, n, end := &w.body, int64(w.body.Len()+len(p)), []byte(nil)
	switch {
	case n == 0:
	case w.mode == bodyNone:
		body, p, n = nil, nil, 0
	case w.mode == bodyLength && w.sent+n > w.head.length:
		return w.fail(fmt.Errorf("write: %d bytes exceed the Content-Length of %d", w.sent+n, w.head.length))
	case w.mode == bodyChunked:
		if head == nil {
			head = c.AvailableBuffer()
		}
		head = append(strconv.AppendInt(head, n, 16), "\r\n"...)
		end = crlf
	}
	if err := w.queue(c, head, body, p, end); err != nil {
		return err
	}
	w.started = true
	w.sent += n
	return nil
}

// queue queues pieces of an answer, all or none. The end is bytes of its
// framing, behind them. While nothing of the answer was sent, having no room is
// an error that can be answered.
func (w *ResponseWriter) queue(c *jay.Conn, head []byte, body *jay.Buffer, p, end []byte) error {
	if !w.started {
		n := len(head) + len(p) + len(end)
		if err := c.RoomBehind(body, n); err != nil {
			if body != nil {
				n += body.Len()
			}
			return w.noRoom(n, err)
		}
	}
	_, err := c.WriteWhole(head)
	if err == nil && body != nil && body.Len() > 0 {
		_, err = c.WriteBuffer(body)
	}
	if err == nil && len(p)+len(end) > 0 {
		_, err = c.WriteWhole(p, end)
	}
	w.lost = err != nil
	return err
}

// Bytes of framing; nobody changes them.
var (
	crlf      = []byte("\r\n")
	lastChunk = []byte("0\r\n\r\n")
	goOn      = []byte("HTTP/1.1 100 Continue\r\n\r\n")
)
