package framing

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/jay-go/jay"
)

// Delimited is the protocol of messages that each end in a delimiter, which is
// not part of them. What follows the last delimiter when the peer has finished
// is not a message.
type Delimited struct {
	// Delimiter ends each message. Empty means one zero byte.
	Delimiter string

	// Max is the longest message in bytes, not counting the delimiter. Zero
	// means 64 KiB. A message that comes in pieces is looked through again
	// with each, so a large Max invites a peer to send small ones.
	Max int

	// NoCopy makes the messages alias what arrived: they are valid only until
	// OnMessage returns.
	NoCopy bool
}

// Protocol returns a protocol that calls onMessage for each message.
func (d Delimited) Protocol(onMessage func(c *jay.Conn, m []byte)) *jay.Messages[[]byte] {
	return &jay.Messages[[]byte]{Codec: d, OnMessage: onMessage}
}

// Send writes a message to c, on c's loop. An error says why it cannot be
// one, or what Conn.Write said.
func (d Delimited) Send(c *jay.Conn, m []byte) error { return send(c, d, m) }

// SendRef is Send from any goroutine: an error says why it cannot be a message, or
// what jay.Ref.Send said.
func (d Delimited) SendRef(ref jay.Ref, m []byte) error { return jay.SendRef(ref, d, m) }

// Name is the word for status.
func (Delimited) Name() string { return "delimited" }

// Limits are for status: by name, with the unit at the end.
func (d Delimited) Limits() map[string]float64 { return messageLimit(d.max()) }

// Parse returns the message at the start of b and its length with the
// delimiter.
func (d Delimited) Parse(b []byte) (m []byte, n int, err error) {
	delimiter, longest := d.delimiter(), d.max()
	window := b[:min(len(b), longest+len(delimiter))]
	end := bytes.Index(window, []byte(delimiter))
	if end < 0 {
		if len(b) > longest && !endsWithin(b, longest, delimiter) {
			return nil, 0, fmt.Errorf("%w: no delimiter %q after %d bytes", ErrTooLong, delimiter, longest)
		}
		return nil, 0, nil
	}
	m = b[:end:end]
	if !d.NoCopy {
		m = bytes.Clone(m)
	}
	return m, end + len(delimiter), nil
}

// Append appends m and the delimiter. The delimiter must not come earlier,
// neither within m nor from m's end into its own.
func (d Delimited) Append(dst, m []byte) ([]byte, error) {
	delimiter := d.delimiter()
	if len(m) > d.max() {
		return dst, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrTooLong, len(m), d.max())
	}
	start := len(dst)
	out := append(append(dst, m...), delimiter...)
	if at := bytes.Index(out[start:], []byte(delimiter)); at != len(m) {
		return dst, fmt.Errorf("%w: %q after %d of %d bytes", ErrDelimiter, delimiter, at, len(m))
	}
	return out, nil
}

func (d Delimited) max() int { return limit(d.Max, 64<<10) }

func (d Delimited) delimiter() string {
	if d.Delimiter == "" {
		return "\x00"
	}
	return d.Delimiter
}

// endsWithin reports whether b, which has no delimiter, may go on with one
// that leaves at most longest bytes before it.
func endsWithin(b []byte, longest int, delimiter string) bool {
	for i := max(0, len(b)-len(delimiter)+1); i <= min(longest, len(b)); i++ {
		if strings.HasPrefix(delimiter, string(b[i:])) {
			return true
		}
	}
	return false
}
