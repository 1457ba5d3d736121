package http1

import (
	"fmt"
	"slices"
	"strconv"
)

// ResponseHead collects the head of a response. The zero value is ready and
// stands for 200 without fields; Reset makes a used one ready again and
// keeps its memory.
type ResponseHead struct {
	status int
	lines  []byte // the program's fields as they will be sent, in the order they were set
	marks  []lineMark
	seen   fieldSet
	length int64 // of the program's Content-Length
}

// lineMark is one line of ResponseHead.lines.
type lineMark struct {
	from, to uint32
	nameLen  uint16
	id       fieldID
}

// Framing is what the protocol decides about a response, after the program
// has set its fields. Where the program has set Content-Length, Date or
// Connection itself, its line stands and nothing is added, with one
// exception: Close adds close to a Connection field, in the place of
// keep-alive.
type Framing struct {
	Length    int64 // Content-Length; negative: none
	Chunked   bool  // Transfer-Encoding: chunked
	Close     bool  // Connection: close
	KeepAlive bool  // Connection: keep-alive, for an HTTP/1.0 client
}

// Reset forgets everything but the memory.
func (h *ResponseHead) Reset() {
	h.status, h.lines, h.marks, h.seen, h.length = 0, h.lines[:0], h.marks[:0], 0, 0
}

// Status returns the status code.
func (h *ResponseHead) Status() int {
	if h.status == 0 {
		return 200
	}
	return h.status
}

// SetStatus sets the status code. It must be 101 or 200 to 999: other
// interim responses are not heads of a response.
func (h *ResponseHead) SetStatus(code int) error {
	if code != 101 && (code < 200 || code > 999) {
		return fmt.Errorf("set status %d: not 101 or 200 to 999", code)
	}
	h.status = code
	return nil
}

// Set sets a field and removes what was set under its name before. After an
// error nothing has changed.
func (h *ResponseHead) Set(name, value string) error {
	id := identify(name)
	if err := h.check(id, name, value); err != nil {
		return err
	}
	if id == idOther || h.seen.has(id) {
		h.remove(name)
	}
	h.add(id, name, value)
	return nil
}

// SetContentType is Set for the one field that nearly every response has: its
// name needs no looking up.
func (h *ResponseHead) SetContentType(value string) error {
	const name = "Content-Type"
	if !isText(value) {
		return valueRefused(name, value)
	}
	if h.seen.has(idContentType) {
		h.remove(name)
	}
	from := len(h.lines)
	b := append(h.lines, name+": "...)
	b = append(b, value...)
	h.lines = append(b, "\r\n"...)
	h.mark(idContentType, from, len(name))
	return nil
}

// Add adds a field line beside others of its name.
func (h *ResponseHead) Add(name, value string) error {
	id := identify(name)
	if single.has(id) && h.seen.has(id) {
		return fmt.Errorf("add field %s: it is set already, and a response has one", name)
	}
	if err := h.check(id, name, value); err != nil {
		return err
	}
	h.add(id, name, value)
	return nil
}

// Get returns the first value set under name, or "".
func (h *ResponseHead) Get(name string) string {
	for _, m := range h.marks {
		if h.isNamed(m, name) {
			return string(h.value(m))
		}
	}
	return ""
}

// Del removes every line called name.
func (h *ResponseHead) Del(name string) { h.remove(name) }

// single are the fields that a response cannot have twice.
const single fieldSet = 1<<idContentLength | 1<<idConnection | 1<<idDate | 1<<idServer | 1<<idContentType | 1<<idContentRange

// check refuses what must not be sent. Nothing is ever repaired: a program
// that passes on a CR or LF is about to be used for response splitting.
func (h *ResponseHead) check(id fieldID, name, value string) error {
	switch {
	case id == idOther && (name == "" || !all(name, token) || len(name) > maxFieldName):
		return fmt.Errorf("set field %q: the name is not a token", name)
	case !isText(value):
		return valueRefused(name, value)
	case id == idTransferEncoding:
		return fmt.Errorf("set field %s: the framing of a response is the protocol's; Flush makes it chunked", name)
	case id == idContentLength:
		n, err := parseLength(value)
		if err != nil || n == lengthTooLarge {
			return fmt.Errorf("set field %s: %q is not a length in decimal digits", name, value)
		}
		h.length = n
	}
	return nil
}

// add appends a line that was checked.
func (h *ResponseHead) add(id fieldID, name, value string) {
	from := len(h.lines)
	h.lines = append(h.lines, name...)
	h.lines = append(h.lines, ": "...)
	h.lines = append(h.lines, value...)
	h.lines = append(h.lines, "\r\n"...)
	h.mark(id, from, len(name))
}

// mark notes the line that begins at from and is the last one.
func (h *ResponseHead) mark(id fieldID, from, nameLen int) {
	h.marks = append(h.marks, lineMark{uint32(from), uint32(len(h.lines)), uint16(nameLen), id})
	h.seen |= 1 << id
}

// valueRefused does not repeat the value, which may be somebody's session: the
// error goes to a log.
func valueRefused(name, value string) error {
	at := 0
	for at < len(value) && isText(value[at:at+1]) {
		at++
	}
	return fmt.Errorf("set field %s: the value holds the control character 0x%02x, at byte %d", name, value[at], at)
}

func (h *ResponseHead) isNamed(m lineMark, name string) bool {
	return int(m.nameLen) == len(name) && sameFold(h.lines[m.from:m.from+uint32(m.nameLen)], name)
}

func (h *ResponseHead) value(m lineMark) []byte {
	return h.lines[m.from+uint32(m.nameLen)+2 : m.to-2]
}

func (h *ResponseHead) remove(name string) {
	for i := 0; i < len(h.marks); {
		m := h.marks[i]
		if !h.isNamed(m, name) {
			i++
			continue
		}
		h.lines = slices.Delete(h.lines, int(m.from), int(m.to))
		h.marks = slices.Delete(h.marks, i, i+1)
		for j := i; j < len(h.marks); j++ {
			h.marks[j].from -= m.to - m.from
			h.marks[j].to -= m.to - m.from
		}
		h.seen &^= 1 << m.id
	}
}

// connection returns the program's Connection line and whether there is one.
func (h *ResponseHead) connection() (m lineMark, ok bool) {
	if !h.seen.has(idConnection) {
		return m, false
	}
	for _, m := range h.marks {
		if m.id == idConnection {
			return m, true
		}
	}
	return m, false
}

// wantsClose reports whether close is among the options of the Connection
// field that the program has set.
func (h *ResponseHead) wantsClose() bool {
	m, ok := h.connection()
	if !ok {
		return false
	}
	value := h.value(m)
	for more := true; more; {
		var option []byte
		if option, value, more = cutList(value); foldEqual(option, "close") {
			return true
		}
	}
	return false
}

// appendClose appends a Connection field with close and those options of
// value that close does not contradict.
func appendClose(dst, value []byte) []byte {
	dst = append(dst, "Connection: "...)
	for more := true; more; {
		var option []byte
		option, value, more = cutList(value)
		if len(option) > 0 && !foldEqual(option, "keep-alive") && !foldEqual(option, "close") {
			dst = append(dst, option...)
			dst = append(dst, ", "...)
		}
	}
	return append(dst, "close\r\n"...)
}

// appendInterim appends the lines that an interim response may have: it has no
// content (RFC 9110 section 8.6) and decides nothing about the connection.
func (h *ResponseHead) appendInterim(dst []byte) []byte {
	for _, m := range h.marks {
		if m.id != idContentLength && m.id != idConnection {
			dst = append(dst, h.lines[m.from:m.to]...)
		}
	}
	return dst
}

// Append appends the head: status line, the program's fields in the order
// they were set, then what it has not set of Content-Length or
// Transfer-Encoding, Date and Connection, then the empty line. Without a date
// no Date is added.
func (h *ResponseHead) Append(dst []byte, f Framing, date *DateLine) []byte {
	dst = appendStatusLine(dst, h.Status())
	if m, ok := h.connection(); ok && f.Close {
		dst = append(dst, h.lines[:m.from]...)
		dst = appendClose(dst, h.value(m))
		dst = append(dst, h.lines[m.to:]...)
	} else {
		dst = append(dst, h.lines...)
	}
	switch {
	case f.Chunked:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	case f.Length >= 0 && !h.seen.has(idContentLength):
		dst = append(dst, "Content-Length: "...)
		dst = appendDecimal(dst, f.Length)
		dst = append(dst, "\r\n"...)
	}
	if date != nil && !h.seen.has(idDate) {
		dst = append(dst, date[:]...)
	}
	if !h.seen.has(idConnection) {
		switch {
		case f.Close:
			dst = append(dst, "Connection: close\r\n"...)
		case f.KeepAlive:
			dst = append(dst, "Connection: keep-alive\r\n"...)
		}
	}
	return append(dst, "\r\n"...)
}

// appendDecimal appends n, which is not negative. strconv is as good for what
// has many digits, but lengths are mostly short.
func appendDecimal(dst []byte, n int64) []byte {
	if n < 10 {
		return append(dst, '0'+byte(n))
	}
	if n < 100 {
		return append(dst, '0'+byte(n/10), '0'+byte(n%10))
	}
	return strconv.AppendInt(dst, n, 10)
}
