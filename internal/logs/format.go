package logs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"
)

// What a record of ours may have in it: the log is no place for what a peer
// sends in bulk.
const (
	maxLine  = 8 << 10 // bytes; a longer line of a worker is split
	maxField = 2 << 10 // bytes of a message or of the value of an attribute
	maxStack = 6 << 10 // bytes of the attribute "stack"
)

// ParseLevel reads "debug", "info", "warn" or "error".
func ParseLevel(s string) (slog.Level, error) {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	l, ok := levels[s]
	if !ok {
		return 0, fmt.Errorf("%q; write debug, info, warn or error", s)
	}
	return l, nil
}

// NewHandler formats records in the log's format, one line each and a stack below
// it where the format is text. Nothing in it can do harm.
func NewHandler(w io.Writer, format, level string) slog.Handler {
	l, err := ParseLevel(level)
	if err != nil {
		l = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: l, ReplaceAttr: capped}
	if format == "json" {
		return slog.NewJSONHandler(harmless{w}, o)
	}
	return newTextHandler(w, o)
}

// capped limits the length of a value. What is text for slog is text here.
func capped(_ []string, a slog.Attr) slog.Attr {
	limit := maxField
	if a.Key == stackKey {
		limit = maxStack
	}
	if a.Value.Kind() == slog.KindAny {
		switch v := a.Value.Any().(type) {
		case *slog.Source:
			return a
		case error:
			a.Value = slog.StringValue(Saying(v.Error))
		case fmt.Stringer:
			a.Value = slog.StringValue(Saying(v.String))
		}
	}
	if a.Value.Kind() == slog.KindString && len(a.Value.String()) > limit {
		a.Value = slog.StringValue(cut(a.Value.String(), limit))
	}
	return a
}

// Saying is what a method of foreign code says, which may panic, as that of a
// nil pointer does.
func Saying(text func() string) (s string) {
	defer func() {
		if p := recover(); p != nil {
			s = fmt.Sprintf("!PANIC: %v", p)
		}
	}()
	return text()
}

// cut keeps the first n bytes of s, whole characters, and says what is missing.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	kept := n
	for kept > 0 && !utf8.RuneStart(s[kept]) {
		kept--
	}
	return fmt.Sprintf("%s… (%d bytes more)", s[:kept], len(s)-kept)
}

// harmless passes lines on with what could act on a terminal, or pass for
// another line, as \u00XX: in both formats it is within a quoted string, where
// slog leaves some of it as it is.
type harmless struct{ w io.Writer }

func (h harmless) Write(b []byte) (int, error) {
	line, newline := bytes.CutSuffix(b, []byte("\n"))
	if isHarmless(string(line)) {
		return h.w.Write(b)
	}
	escaped := []byte(escapeAs(string(line), `\u%04x`))
	if newline {
		escaped = append(escaped, '\n')
	}
	if _, err := h.w.Write(escaped); err != nil {
		return 0, err
	}
	return len(b), nil
}

// OutputLine formats a line that a worker wrote.
func OutputLine(format, program string, slot, pid int, stream, line string) []byte {
	if format == "json" {
		if record := escapeAs(line, `\u%04x`); strings.HasPrefix(line, "{") && len(record) <= 2*maxLine && json.Valid([]byte(record)) { // it logs JSON itself
			return fmt.Appendf(nil, `{"program":%q,"slot":%d,"pid":%d,"stream":%q,"record":%s}`+"\n", program, slot, pid, stream, record)
		}
		b, err := json.Marshal(map[string]any{
			"time": time.Now(), "level": "INFO", "msg": Printable(line, 2*maxLine), "program": program, "slot": slot, "pid": pid, "stream": stream,
		})
		if err == nil {
			return append(b, '\n')
		}
	}
	return fmt.Appendf(nil, "%s/%d[%d] %s\n", program, slot, pid, Printable(line, 2*maxLine))
}

// Printable makes foreign text safe for a terminal and a log: what could act
// on either, and what is not UTF-8, becomes \xNN or \uNNNN, and at most n bytes
// are kept.
func Printable(s string, n int) string {
	if !isHarmless(s) {
		s = escapeAs(s, `\x%02x`)
	}
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}

// isHarmless reports that nothing in s needs to be escaped.
func isHarmless(s string) bool {
	for i, r := range s {
		if harmful(r) || r == utf8.RuneError && s[i] != "\uFFFD"[0] {
			return false
		}
	}
	return true
}

// harmful reports a character that does something: to a terminal, to the order
// in which text is shown, or to the end of a line. A tab does no harm.
func harmful(r rune) bool {
	switch {
	case r < ' ':
		return r != '\t'
	case r < 0x7f:
		return false
	case r < 0xa0, // DEL and the C1 controls
		r == 0x061c, r == 0x200e, r == 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, // direction
		r == 0x2028, r == 0x2029, // separators of lines
		r == 0xfeff, r >= 0xe0000 && r <= 0xe007f: // invisible
		return true
	}
	return false
}

// escapeAs escapes what is harmful. ascii is the format of what is one byte; of
// a byte that is no UTF-8, JSON knows only that it was there.
func escapeAs(s, ascii string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && s[i] != "\uFFFD"[0]:
			fmt.Fprintf(&b, ascii, s[i])
		case !harmful(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, ascii, r)
		case r > 0xffff:
			high, low := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
