package http1

import (
	"sync/atomic"
	"time"
)

// AppendDate appends t as an HTTP date (RFC 9110 section 5.6.7).
func AppendDate(dst []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(dst, "Mon, 02 Jan 2006 15:04:05 GMT")
}

// DateLine is a Date field as it is sent, its line end included.
type DateLine [len("Date: Mon, 02 Jan 2006 15:04:05 GMT\r\n")]byte

// NewDateLine returns the Date field that says t.
func NewDateLine(t time.Time) *DateLine {
	d := new(DateLine)
	b := append(d[:0], "Date: "...)
	b = AppendDate(b, t)
	_ = append(b, "\r\n"...)
	return d
}

// Value returns the date without name and line end.
func (d *DateLine) Value() string { return string(d[len("Date: ") : len(d)-len("\r\n")]) }

// DateCache renders the Date field once a second. The zero value is ready.
// Any goroutine may use it.
type DateCache struct {
	last atomic.Pointer[datedLine]
}

// datedLine never changes once it is in a cache.
type datedLine struct {
	second int64
	line   *DateLine
}

// At returns the line for now; it must not be changed.
func (c *DateCache) At(now time.Time) *DateLine {
	second := now.Unix()
	last := c.last.Load()
	if last == nil || last.second != second {
		last = &datedLine{second, NewDateLine(now)}
		c.last.Store(last)
	}
	return last.line
}
