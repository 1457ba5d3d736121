package websocket_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/websocket"
)

// room is a handler whose connections are all members of one group, and which
// sends each message to the others, `times` times in one turn.
func room(g *websocket.Group, times int) *websocket.Handler {
	return &websocket.Handler{
		Deflate: &websocket.Deflate{},
		OnOpen:  func(c *websocket.Conn) { g.Add(c); g.Add(c) },
		OnMessage: func(c *websocket.Conn, m websocket.Message) {
			for range times {
				if _, err := g.Send(m, c); err != nil {
					c.SendText(err.Error())
				}
			}
			c.SendText(fmt.Sprint("members ", g.Len()))
		},
	}
}

// TestGroup: a message reaches every member but those left out, in order with
// what is sent to one alone, compressed for who can take it.
func TestGroup(t *testing.T) {
	var g websocket.Group
	addr := serve(t, room(&g, 3))
	plain, sender := dial(t, addr), dial(t, addr)
	deflated := dial(t, addr, "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10")
	gone := dial(t, addr)
	gone.send(closing(1000, ""))
	gone.expectClose(1000)
	gone.conn.Close()
	deflated.send(text("hello")) // after it the others are members
	deflated.expect(fin|opText, "members 3")
	for _, p := range []*peer{plain, sender} {
		for range 3 {
			p.expect(fin|opText, "hello")
		}
	}
	long := string(pattern(5000))
	sender.send(text(long))
	sender.expect(fin|opText, "members 3")
	for range 3 {
		plain.expect(fin|opText, long)
		f, err := deflated.next()
		if err != nil || f.first != fin|rsv1|opText {
			t.Fatalf("%v, %v", f, err)
		}
		if got, err := inflate(f.payload); err != nil || string(got) != long {
			t.Fatalf("inflates to %d bytes, %v", len(got), err)
		}
	}
}

// TestSlowMember: a member that does not read is left out by the policy and
// holds no more than the limit; the others get everything.
func TestSlowMember(t *testing.T) {
	const messages, size = 400, 64 << 10
	for _, policy := range []websocket.SlowPolicy{websocket.CloseMember, websocket.SkipMessage} {
		t.Run(fmt.Sprint(policy), func(t *testing.T) {
			skipped, closed, most := make(chan int, 1), make(chan websocket.Code, 4), 0
			g, n := &websocket.Group{MaxUnsent: 1 << 20}, 0
			if policy == websocket.SkipMessage {
				g.OnSlow = func(*websocket.Conn) websocket.SlowPolicy { n++; return websocket.SkipMessage }
			}
			payload := websocket.Binary(make([]byte, size))
			addr := serve(t, &websocket.Handler{
				OnOpen: func(c *websocket.Conn) { g.Add(c); c.SendText("joined") },
				OnMessage: func(c *websocket.Conn, m websocket.Message) {
					g.Send(payload)
					g.All(func(c *websocket.Conn) bool { most = max(most, c.Buffered()); return true })
					if m.Text() == "last" {
						skipped <- n
					}
				},
				OnClose: func(_ *websocket.Conn, code websocket.Code, _ string) { closed <- code },
			}, func(s *jay.Server) { s.CloseTimeout = 1e8 })
			slow, fast := dial(t, addr), dial(t, addr)
			slow.expect(fin|opText, "joined")
			fast.expect(fin|opText, "joined")
			for i := range messages {
				fast.send(text(map[bool]string{true: "last"}[i == messages-1]))
				fast.expect(fin|opBinary, strings.Repeat("\x00", size))
			}
			n = within(t, skipped, "the count")
			if most > 1<<20+2*size {
				t.Errorf("%d bytes were unsent to one member", most)
			}
			if policy == websocket.SkipMessage {
				if n == 0 {
					t.Error("nothing was skipped")
				}
				return
			}
			if code := within(t, closed, "OnClose"); code != websocket.CloseTryAgain {
				t.Errorf("the slow member was closed with %d", code)
			}
		})
	}
}
