//go:build jaypoison

package framing_test

import (
	"io"
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/framing"
	"github.com/jay-go/jay/internal/poison"
)

// TestMessagesOutsideTheirCallback: a message that NoCopy has alias what
// arrived is gone with its callback; all others stay.
func TestMessagesOutsideTheirCallback(t *testing.T) {
	const payload = "a message of some length"
	keepBytes := func(aliases bool) func(*jay.Conn, []byte) {
		var last []byte // loop only
		return func(c *jay.Conn, m []byte) {
			switch {
			case last == nil:
			case aliases && !poison.Filled(last):
				t.Errorf("NoCopy: the last message shows %q", last)
			case !aliases && string(last) != payload:
				t.Errorf("a copy has become %q", last)
			}
			last = m
			c.WriteString("ok")
		}
	}
	var last string
	type L = framing.LengthPrefixed
	for name, c := range map[string]struct {
		handler jay.Protocol
		codec   interface {
			Append(dst, m []byte) ([]byte, error)
		}
	}{
		"Delimited":              {framing.Delimited{}.Protocol(keepBytes(false)), framing.Delimited{}},
		"Delimited, NoCopy":      {framing.Delimited{NoCopy: true}.Protocol(keepBytes(true)), framing.Delimited{}},
		"LengthPrefixed":         {L{}.Protocol(keepBytes(false)), L{}},
		"LengthPrefixed, NoCopy": {L{NoCopy: true}.Protocol(keepBytes(true)), L{}},
		"LengthPrefixed, Offset": {L{Offset: 2, NoCopy: true}.Protocol(keepBytes(false)), L{Offset: 2}},
		"Line": {framing.Lines(func(c *jay.Conn, line string) {
			if last != "" && last != payload {
				t.Errorf("a line has become %q", last)
			}
			last = line
			c.WriteString("ok")
		}), framing.Delimited{Delimiter: "\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				conn := dial(t, serve(t, &jay.Server{Protocol: c.handler}, backend))
				frame, err := c.codec.Append(nil, []byte(payload))
				if err != nil {
					t.Fatal(err)
				}
				for range 3 { // the second half comes alone: out of what was kept
					for _, piece := range [][]byte{frame, frame[:9], frame[9:]} {
						if _, err := conn.Write(piece); err != nil {
							t.Fatal(err)
						}
					}
					if _, err := io.ReadFull(conn, make([]byte, 4)); err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	}
}
