package framing

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/jay-go/jay"
)

// Line is the protocol of text lines. A line ends in LF or CR LF and is
// delivered without its ending; an empty one is a line too. What follows the
// last ending when the peer has finished is not a line.
type Line struct {
	// Max is the longest line in bytes, not counting its ending. Zero means
	// 64 KiB. A line that comes in pieces is looked through again with each,
	// so a large Max invites a peer to send small ones.
	Max int

	// CRLF makes Append end a line in CR LF instead of LF.
	CRLF bool

	// Bytes allows lines that are not UTF-8.
	Bytes bool
}

// Lines returns the protocol of text lines with the defaults of [Line].
func Lines(onLine func(c *jay.Conn, line string)) *jay.Messages[string] {
	return Line{}.Protocol(onLine)
}

// Protocol returns a protocol that calls onLine for each line.
func (l Line) Protocol(onLine func(c *jay.Conn, line string)) *jay.Messages[string] {
	return &jay.Messages[string]{Codec: l, OnMessage: onLine}
}

// Send writes a line to c, on c's loop. An error says why it cannot be one,
// or what Conn.Write said.
func (l Line) Send(c *jay.Conn, line string) error { return send(c, l, line) }

// SendRef is Send from any goroutine: an error says why it cannot be a line, or
// what jay.Ref.Send said.
func (l Line) SendRef(ref jay.Ref, line string) error { return jay.SendRef(ref, l, line) }

// Name is the word for status.
func (Line) Name() string { return "text" }

// Limits are for status: by name, with the unit at the end.
func (l Line) Limits() map[string]float64 { return messageLimit(l.max()) }

// Parse returns the line at the start of b and its length with the ending.
func (l Line) Parse(b []byte) (line string, n int, err error) {
	longest := l.max()
	window := b[:min(len(b), longest+len("\r\n"))]
	end := bytes.IndexByte(window, '\n')
	if end < 0 {
		if len(b) > longest+1 || len(b) == longest+1 && b[longest] != '\r' {
			return "", 0, l.tooLong()
		}
		return "", 0, nil
	}
	text := bytes.TrimSuffix(b[:end], []byte("\r"))
	if len(text) > longest {
		return "", 0, l.tooLong()
	}
	if !l.Bytes && !utf8.Valid(text) {
		return "", 0, fmt.Errorf("%w: a line with %q; Line.Bytes allows it", ErrText, firstInvalid(text))
	}
	return string(text), end + 1, nil
}

// Append appends line and its ending. A line cannot contain LF, nor end in
// CR, which would come back as part of the ending.
func (l Line) Append(dst []byte, line string) ([]byte, error) {
	switch {
	case strings.Contains(line, "\n"):
		return dst, fmt.Errorf("%w: LF in a line; send each line by itself", ErrDelimiter)
	case strings.HasSuffix(line, "\r"):
		return dst, fmt.Errorf("%w: CR at the end of a line", ErrDelimiter)
	case len(line) > l.max():
		return dst, fmt.Errorf("%w: a line of %d bytes, at most %d are allowed", ErrTooLong, len(line), l.max())
	case !l.Bytes && !utf8.ValidString(line):
		return dst, fmt.Errorf("%w: a line with %q; Line.Bytes allows it", ErrText, firstInvalid([]byte(line)))
	}
	dst = append(dst, line...)
	if l.CRLF {
		return append(dst, "\r\n"...), nil
	}
	return append(dst, '\n'), nil
}

func (l Line) max() int { return limit(l.Max, 64<<10) }

func (l Line) tooLong() error {
	return fmt.Errorf("%w: a line of more than %d bytes", ErrTooLong, l.max())
}

// firstInvalid returns the first byte of b that is not part of UTF-8.
func firstInvalid(b []byte) []byte {
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			return b[i : i+1]
		}
		i += size
	}
	return nil
}
