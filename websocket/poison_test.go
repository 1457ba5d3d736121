//go:build jaypoison

package websocket_test

import (
	"testing"

	"github.com/jay-go/jay/internal/poison"
	"github.com/jay-go/jay/websocket"
)

// TestViewsOutsideTheirCallback: a message, a ping and a pong show nothing once
// their callback is over, however they came; copies are what they were.
func TestViewsOutsideTheirCallback(t *testing.T) {
	const payload = "a message of some length, a message of some length"
	for name, c := range map[string]struct {
		lines  []string
		frames [][]byte
		ping   bool
	}{
		"a message":   {nil, [][]byte{text(payload)}, false},
		"fragments":   {nil, [][]byte{frame(opText, []byte(payload[:9])), frame(fin|opContinuation, []byte(payload[9:]))}, false},
		"compressed":  {[]string{"Sec-WebSocket-Extensions: permessage-deflate"}, [][]byte{frame(fin|rsv1|opText, compress([]byte(payload)))}, false},
		"ping, pong":  {nil, [][]byte{frame(fin|opPing, []byte(payload)), frame(fin|opPong, []byte(payload)), text(payload)}, true},
		"one segment": {nil, [][]byte{text(payload), text(payload), text(payload)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var views [][]byte // loop only
			var copies []string
			keep := func(b []byte) {
				for _, view := range views {
					if !poison.Filled(view) {
						t.Errorf("a view shows %q", view)
					}
				}
				views = [][]byte{b}
			}
			h := &websocket.Handler{Deflate: &websocket.Deflate{}, OnMessage: func(c *websocket.Conn, m websocket.Message) {
				keep(m.View())
				for _, s := range copies {
					if s != payload {
						t.Errorf("a copy has become %q", s)
					}
				}
				copies = []string{m.Text(), string(m.Bytes()), m.Clone().Text()}
				_ = c.SendText("ok")
			}}
			control := func(c *websocket.Conn, b []byte) { keep(b) }
			h.OnPing, h.OnPong = control, control
			p := dial(t, serve(t, h), c.lines...)
			for range 3 {
				p.send(c.frames...)
				if c.ping {
					p.expect(fin|opPong, payload)
				}
				for _, f := range c.frames {
					if f[0]&15 == opText && name != "fragments" || f[0] == fin|opContinuation {
						p.expect(fin|opText, "ok")
					}
				}
			}
		})
	}
}
