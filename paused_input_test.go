package jay_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
)

// slowLines reads lines, and pauses for a moment after each.
type slowLines struct{}

func (slowLines) Open(*jay.Conn)         {}
func (slowLines) Close(*jay.Conn, error) {}
func (slowLines) Data(c *jay.Conn, b []byte) (n int, err error) {
	for n < len(b) && c.Reading() {
		end := bytes.IndexByte(b[n:], '\n') + 1
		if end == 0 {
			break
		}
		c.Write(b[n : n+end])
		n += end
		c.PauseRead()
		ref := c.Ref()
		c.Worker().Loop().AfterFunc(time.Microsecond, func() { _ = ref.Do((*jay.Conn).ResumeRead) })
	}
	return n, nil
}

// TestInputBehindAPause: MaxInput is for what a handler does not use, not for what
// has come, or comes still, while it does not want any.
func TestInputBehindAPause(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		s := &jay.Server{Protocol: every(slowLines{}), Conn: jay.ConnConfig{MaxInput: 10}, OnError: func(_ *jay.Conn, err error) { t.Error(err) }}
		c := dial(t, serve(t, s, backend))
		lines := strings.Repeat("a line\n", 50)
		send(t, c, lines)
		expect(t, c, lines)
	})
	eachBackend(t, func(t *testing.T, backend string) {
		s := &jay.Server{Protocol: every(slowLines{}), Conn: jay.ConnConfig{MaxInput: 10}, OnError: func(*jay.Conn, error) {}}
		c := dial(t, serve(t, s, backend))
		send(t, c, "a line\nwhat is no line at all")
		expect(t, c, "a line\n")
		expectEOF(t, c)
	})
}
