package websocket_test

import (
	"errors"
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/websocket"
)

// TestDropNewest: with that policy messages are dropped whole. What cannot be
// left out, as the middle of a message or a Close frame, ends the connection.
func TestDropNewest(t *testing.T) {
	closed := make(chan websocket.Code, 1)
	drop := func(s *jay.Server) { s.Conn.MaxOutput, s.Conn.DropNewest = 4096, true }
	told := func(err error) {
		if !errors.Is(err, jay.ErrOutputLimit) {
			t.Errorf("the program was told %v", err)
		}
	}
	tooLong := string(pattern(5000))
	addr := serve(t, &websocket.Handler{
		OnMessage: func(c *websocket.Conn, m websocket.Message) {
			switch m.Text() {
			case "message":
				_ = c.SendText("before")
				told(c.SendText(tooLong))
				told(c.SendBinary([]byte(tooLong)))
				told(c.SendPart(websocket.Text(tooLong), false)) // a message that was not begun
				_ = c.SendText("after")
			case "part":
				_ = c.SendPart(websocket.Text("begin"), false)
				told(c.SendPart(websocket.Text(tooLong), false))
				if err := c.SendPart(websocket.Text("end"), true); !errors.Is(err, jay.ErrClosed) {
					t.Errorf("behind a part that has no room: %v", err)
				}
			case "close":
				for c.SendBinary(nil) == nil { // until there is no room for a Close either
				}
				c.Close(websocket.CloseNormal, "")
			}
		},
		OnClose: func(_ *websocket.Conn, code websocket.Code, _ string) { closed <- code },
	}, drop)
	p := dial(t, addr)
	p.send(text("message"))
	p.expect(fin|opText, "before")
	p.expect(fin|opText, "after")
	p.send(text("part"))
	for {
		f, err := p.next()
		if err != nil {
			break
		}
		if f.first != opText || string(f.payload) != "begin" {
			t.Errorf("got %v behind a part that was dropped", f)
		}
	}
	within(t, closed, "OnClose")

	p = dial(t, addr)
	p.send(text("close"))
	for {
		f, err := p.next()
		if err != nil {
			break
		}
		if f.first != fin|opBinary {
			t.Errorf("got %v", f)
		}
	}
	within(t, closed, "OnClose")
}
