package http1

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/jay-go/jay"
)

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

// fileRange is a part of a file that is waiting to be sent.
type fileRange struct {
	f      *os.File // nil: none
	off, n int64
}

// dropFile forgets the waiting range.
func (x *Stream) dropFile() {
	if f := x.file.f; f != nil {
		x.file = fileRange{}
		x.CloseFile(f)
	}
}

// CloseFile closes f when the response, and the connection, send nothing more of it.
func (x *Stream) CloseFile(f *os.File) {
	switch {
	case f == x.file.f, x.isAhead(f):
	case x.conn == nil:
		_ = f.Close() // it was only read
	default:
		_ = x.conn.WriteFile(f, 0, 0)
	}
}

// maxFile is where every file ends, so that no length of a response overflows.
const maxFile = 1 << 62

// Response returns the response's head, to be set until Started. It is the same
// one for as long as x lives.
func (x *Stream) Response() *ResponseHead { return &x.res }

// State returns how the exchange stands. It is the same one for as long as x lives.
func (x *Stream) State() *State { return &x.state }

// Lost reports whether the connection ended under the response: what failed then
// is not the program's fault.
func (x *Stream) Lost() bool { return x.lost }

// Full reports whether so much is unsent that the rest should wait for
// Exchange.Writable.
func (x *Stream) Full() bool { return x.conn.Full() }

// Date returns the value of the Date field now.
func (x *Stream) Date() string { return x.srv.dates.At(x.conn.Now()).Value() }

// Afford returns why there is no memory for the fields that were set: those of a
// long head count.
func (x *Stream) Afford() error {
	if cap(x.res.lines) < keepLines {
		return nil
	}
	return x.charge()
}

// Forget begins the response anew. Nothing of it was sent yet.
func (x *Stream) Forget() {
	x.res.Reset()
	x.out.Free()
	x.dropFile()
	x.next, x.mode, x.closing = nil, bodyNone, false
	x.state.Switches, x.state.Mistake = false, nil
}

// Write adds p to the body: all of it or nothing. For HEAD, 204, 205 and 304 the
// bytes only count.
func (x *Stream) Write(p []byte) error {
	if x.passes(len(p)) {
		return x.pass(p)
	}
	if err := x.room(len(p)); err != nil {
		return err
	}
	return x.out.Append(x.conn, p)
}

// WriteString is Write for a string.
func (x *Stream) WriteString(s string) error {
	if x.file.f != nil {
		return x.Write([]byte(s))
	}
	if err := x.room(len(s)); err != nil {
		return err
	}
	before := x.out.Len()
	if err := x.out.AppendString(x.conn, s); err != nil {
		return err
	}
	if x.passes(0) {
		if err := x.pass(nil); err != nil {
			x.out.Truncate(before)
			return err
		}
	}
	return nil
}

// WriteFile adds a range of f to the body, or nothing with an error. It owns f from
// now on.
func (x *Stream) WriteFile(f *os.File, off, n int64) error {
	if f == nil {
		return fmt.Errorf("write file: %w", os.ErrInvalid)
	}
	err := x.addFile(f, off, n)
	if err != nil || n == 0 {
		x.CloseFile(f)
	}
	return err
}

func (x *Stream) addFile(f *os.File, off, n int64) error {
	switch {
	case off < 0 || n < 0 || n > maxFile-off:
		return fmt.Errorf("write %d bytes of file %s from %d on: there are none", n, f.Name(), off)
	case n == 0:
		return nil
	}
	if x.file.f != nil { // two of them are not kept
		if err := x.pass(nil); err != nil {
			return err
		}
	}
	x.file = fileRange{f, off, n}
	if !x.state.Started && !x.res.seen.has(idContentLength) {
		return nil
	}
	err := x.pass(nil)
	if err != nil {
		x.file = fileRange{}
	}
	return err
}

// room refuses n more bytes of a body for which there is no room when it is
// sent.
func (x *Stream) room(n int) error {
	if x.state.Started || x.bodiless() {
		return nil
	}
	if err := x.conn.RoomBehind(&x.out, n); err != nil {
		return x.noRoom(n+x.out.Len(), err)
	}
	return nil
}

// noRoom says that there is no room for n bytes.
func (x *Stream) noRoom(n int, err error) error {
	return fmt.Errorf("send %d bytes of a response: %w, %d bytes are unsent", n, err, x.conn.Buffered())
}

// passes reports whether n more bytes are sent as they come instead of being
// kept: after a Flush, behind a file, and as a long body of declared length.
func (x *Stream) passes(n int) bool {
	return x.state.Started || n > 0 && x.file.f != nil || x.out.Len()+n > passThrough && x.res.seen.has(idContentLength)
}

// bodiless reports whether the response has no body whatever is written
// (RFC 9110 sections 6.4.1 and 15.3.6).
func (x *Stream) bodiless() bool {
	status := x.res.Status()
	return x.req.flags&flagHEAD != 0 || status == 204 || status == 205 || status == 304
}

// Flush sends the head, if that has not been done, and what was written of the
// body. Without a Content-Length the body is chunked; an HTTP/1.0 client finds its
// end where the connection ends.
func (x *Stream) Flush() error { return x.pass(nil) }

// pass sends what was written so far, and p behind it.
func (x *Stream) pass(p []byte) error {
	var head []byte
	if !x.state.Started {
		if err := x.checkStatus(); err != nil {
			return err
		}
		head = x.appendHead(x.streamed())
	}
	if err := x.send(head, p); err != nil {
		return err
	}
	x.out.Free()
	return nil
}

// streamed decides how the client finds the end of a response whose length may
// not be known.
func (x *Stream) streamed() Framing {
	f := Framing{Length: -1}
	switch {
	case x.bodiless():
		x.mode = bodyNone
	case x.res.seen.has(idContentLength):
		x.mode = bodyLength
	case x.req.HTTP10():
		x.mode, x.closing = bodyUntilClose, true
	default:
		x.mode, f.Chunked = bodyChunked, true
	}
	return f
}

// appendHead encodes the head into the connection's free buffer.
func (x *Stream) appendHead(f Framing) []byte {
	if x.next == nil {
		x.closing = x.closing || x.mustClose()
		f.Close = x.closing
		f.KeepAlive = !f.Close && x.req.HTTP10()
	}
	switch status := x.res.Status(); {
	case status == 205: // RFC 9110 section 15.3.6
		x.res.Del("Content-Length")
		f.Length = 0
	case status == 204, x.next != nil: // section 8.6
		x.res.Del("Content-Length")
	}
	return x.res.Append(x.conn.AvailableBuffer(), f, x.srv.dates.At(x.conn.Now()))
}

// mustClose reports whether the connection cannot be used after this response.
func (x *Stream) mustClose() bool {
	return !x.req.KeepAlive() || x.conn.Draining() != nil || x.res.wantsClose() || !x.framed()
}

// send queues what was written of the body, and p behind it, in the way that the
// head announces, and head before them if it has not been sent: all of it or nothing.
// Where the head has been sent, the connection fails if there is no room.
func (x *Stream) send(head, p []byte) error {
	body, file, n, end := &x.out, &x.file, int64(x.out.Len()+len(p))+x.file.n, []byte(nil)
	switch {
	case n == 0:
	case x.mode == bodyNone:
		body, file, p, n = nil, nil, nil, 0
		x.dropFile()
	case x.mode == bodyLength && n > x.res.length-x.sent:
		return fmt.Errorf("write: %d bytes exceed the Content-Length of %d", x.sent+n, x.res.length)
	case x.mode == bodyChunked:
		if head == nil {
			head = x.conn.AvailableBuffer()
		}
		head = append(strconv.AppendInt(head, n, 16), "\r\n"...)
		end = crlf
	}
	if err := x.queue(head, body, file, p, end); err != nil {
		return err
	}
	x.state.Started = true
	x.sent += n
	return nil
}

// queue queues pieces of a response, all or none; body and file may be nil. The end
// is bytes of its framing, behind them. While nothing of the response was sent,
// having no room is an error that another response can tell of.
func (x *Stream) queue(head []byte, body *jay.Buffer, file *fileRange, p, end []byte) error {
	if x.ahead != nil {
		return x.setAside(head, body, file, p, end)
	}
	c := x.conn
	if !x.state.Started {
		n := len(head) + len(p) + len(end)
		if err := c.RoomBehind(body, n); err != nil {
			if body != nil {
				n += body.Len()
			}
			return x.noRoom(n, err)
		}
	}
	_, err := c.WriteWhole(head)
	if err == nil && body != nil && body.Len() > 0 {
		_, err = c.WriteBuffer(body)
	}
	if file != nil && file.f != nil {
		r := *file
		*file = fileRange{}
		if fileErr := c.WriteFile(r.f, r.off, r.n); err == nil {
			err = fileErr
		}
	}
	if err == nil && len(p)+len(end) > 0 {
		_, err = c.WriteWhole(p, end)
	}
	x.lost = err != nil
	return err
}

// Interim sends an interim response (103 Early Hints) with the fields set so far,
// which stay set for the final one; Content-Length and Connection are of that one
// alone. An HTTP/1.0 client is sent none.
func (x *Stream) Interim(status int) error {
	if status < 102 || status > 199 {
		return fmt.Errorf("send interim response %d: not 102 to 199", status)
	}
	if x.req.HTTP10() {
		return nil
	}
	b := appendStatusLine(x.conn.AvailableBuffer(), status)
	b = x.res.appendInterim(b)
	return x.queue(append(b, '\r', '\n'), nil, nil, nil, nil)
}

// Switch ends HTTP on the connection: once the response is complete, its head is
// sent and next gets the connection, with all bytes behind the request, whose body
// must have been read by then. The status must be 101 and the client have
// offered an upgrade, or 2xx and the method CONNECT; it may be set before or after.
func (x *Stream) Switch(next jay.Handler) error {
	if x.req.Form() != AuthorityForm {
		if x.req.flags&flagUpgrade == 0 {
			return errors.New("switch: the client has not offered an upgrade")
		}
		if err := x.res.Set("Connection", "Upgrade"); err != nil {
			return err
		}
	}
	x.next, x.state.Switches = next, true
	return nil
}

// Bytes of framing; nobody changes them.
var (
	crlf      = []byte("\r\n")
	lastChunk = []byte("0\r\n\r\n")
	goOn      = []byte("HTTP/1.1 100 Continue\r\n\r\n")
)
