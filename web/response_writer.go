package web

import (
	"cmp"
	"fmt"
	"os"
	"strings"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/http1"
)

// ResponseWriter is the response to one request. What is written is kept until
// the handler returns, so that its length is known; Flush and, with
// Content-Length set, long bodies send it as it comes. It belongs to the
// connection's loop.
//
// An error of any method means that the response cannot be what the program
// asked for. It is the program's to act upon: it sets the refused field to
// something else, or deletes it, or responds with a status from 400 on, or begins
// anew with Reset. If it is ignored the client gets 500, not something else.
type ResponseWriter struct {
	x     *exchange
	s     stream
	head  *http1.ResponseHead
	state *http1.State // Mistake is what went wrong, first, and is not settled

	refused string // the field that it went wrong with, if it is one thing alone
}

// fail notes that something went wrong, and returns what.
func (w *ResponseWriter) fail(err error) error {
	if err == nil {
		return nil
	}
	return w.failed(err)
}

// failed is fail for an error. What fails because the client has left is nobody's
// mistake.
func (w *ResponseWriter) failed(err error) error {
	if w.s.Lost() {
		return err
	}
	return w.note("", err)
}

// set notes how it went to set what. What was refused is settled when it is set
// after all.
func (w *ResponseWriter) set(what string, err error) error {
	if err == nil && w.state.Mistake == nil {
		return nil
	}
	return w.note(what, err)
}

// note is set for all that does not go well; "" stands for what cannot be set.
func (w *ResponseWriter) note(what string, err error) error {
	switch {
	case err != nil && w.state.Mistake == nil:
		w.state.Mistake, w.refused = err, what
	case err != nil && !strings.EqualFold(what, w.refused):
		w.refused = "" // two things are open
	case err == nil && w.state.Mistake != nil && what != "" && strings.EqualFold(what, w.refused):
		w.state.Mistake = nil
	}
	return err
}

// ready returns why nothing can be written any more.
func (w *ResponseWriter) ready() error {
	if !w.state.Open {
		return jay.ErrClosed
	}
	return w.state.Mistake
}

// beforeHead returns why nothing can be set any more. After a refused field
// other things can.
func (w *ResponseWriter) beforeHead(what string) error {
	if w.state.Open && !w.state.Started {
		return nil
	}
	return w.behindHead(what)
}

func (w *ResponseWriter) behindHead(what string) error {
	if err := w.ready(); err != nil {
		return err
	}
	return w.fail(fmt.Errorf("%s: the head of the response has been sent", what))
}

// beforeSwitch is ready for what sends a body: behind Switch there is none.
func (w *ResponseWriter) beforeSwitch(what string) error {
	if w.state.Open && w.state.Mistake == nil && !w.state.Switches {
		return nil
	}
	return w.behindSwitch(what)
}

func (w *ResponseWriter) behindSwitch(what string) error {
	if err := w.ready(); err != nil {
		return err
	}
	return w.fail(fmt.Errorf("%s: Switch was called, and what follows the head is the next handler's", what))
}

// Status returns the status code.
func (w *ResponseWriter) Status() int { return w.head.Status() }

// SetStatus sets the status code, 101 or 200 to 999; 200 is the default. One from
// 400 on responds to whatever went wrong before.
func (w *ResponseWriter) SetStatus(code int) error {
	if err := w.beforeHead("set status"); err != nil {
		return err
	}
	err := w.set(statusLine, w.head.SetStatus(code))
	if err == nil && code >= 400 {
		w.state.Mistake = nil
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
	w.s.Forget()
	w.refused = ""
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
	return w.set(name, cmp.Or(w.head.Set(name, value), w.s.Afford()))
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
	return w.set(name, cmp.Or(w.head.Add(name, value), w.s.Afford()))
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
	return w.SetHeader("Date", w.s.Date())
}

// Write adds to the body. For HEAD, 204, 205 and 304 the bytes only count. An
// error that is jay.ErrOutputLimit or jay.ErrBudget says that there is no room
// for p, of which nothing was taken.
func (w *ResponseWriter) Write(p []byte) (int, error) {
	if err := w.beforeSwitch("write"); err != nil {
		return 0, err
	}
	if err := w.fail(w.s.Write(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// WriteString is Write for a string.
func (w *ResponseWriter) WriteString(s string) (int, error) {
	if err := w.beforeSwitch("write"); err != nil {
		return 0, err
	}
	if err := w.fail(w.s.WriteString(s)); err != nil {
		return 0, err
	}
	return len(s), nil
}

// WriteFile adds n bytes of f from off on to the body. They take no memory and, where
// the connection has no layer that must see them, are sent by the kernel (see
// [jay.Conn.WriteFile]). If they are the end of the body, its length is known.
//
// From now on f is closed when it is not needed any more, also when WriteFile
// returns an error, after which nothing of the range is in the body. Several ranges of
// one f may be in one response; another response, or connection, needs a file that it
// has opened for itself. One that ends before off+n, or cannot be read, resets the
// connection, for the client has been told the length.
func (w *ResponseWriter) WriteFile(f *os.File, off, n int64) error {
	if err := w.beforeSwitch("write file"); err != nil {
		w.s.CloseFile(f)
		return err
	}
	return w.fail(w.s.WriteFile(f, off, n))
}

// Flush sends the head, if that has not been done, and what was written of
// the body. Without a Content-Length the body is chunked; an HTTP/1.0 client
// finds its end where the connection ends.
func (w *ResponseWriter) Flush() error {
	if err := w.beforeSwitch("flush"); err != nil {
		return err
	}
	return w.fail(w.s.Flush())
}

// SendInterim sends an interim response (103 Early Hints) with the fields set
// so far, which stay set for the final one; Content-Length and Connection are
// of that one alone. An HTTP/1.0 client is sent none.
func (w *ResponseWriter) SendInterim(status int) error {
	if err := cmp.Or(w.ready(), w.beforeHead("send interim response")); err != nil {
		return err
	}
	return w.fail(w.s.Interim(status))
}

// Switch ends HTTP on the connection: once the handler has returned, the head
// of the response is sent and next gets the connection, with all bytes behind
// the request, whose body must have been read by then. The status must be 101
// and the client have offered an upgrade, or 2xx and the method CONNECT; it may
// be set before or after. Upgrade and other fields are the program's to set;
// Connection: Upgrade is added to 101.
func (w *ResponseWriter) Switch(next jay.Handler) error {
	if err := cmp.Or(w.ready(), w.beforeHead("switch")); err != nil {
		return err
	}
	return w.fail(w.s.Switch(next))
}
