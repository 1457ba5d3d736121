package websocket_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

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
	addr := serve(t, room(&g, 3), oneLoop)
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

// TestGroupTakeover: members with a history of their own get the same frame as
// all others, and it becomes part of their history.
func TestGroupTakeover(t *testing.T) {
	var g websocket.Group
	h := room(&g, 1)
	h.Deflate = &websocket.Deflate{ServerTakeover: true, MinSize: -1}
	h.OnMessage = func(c *websocket.Conn, m websocket.Message) {
		if m.IsText() {
			c.Send(m)
		} else {
			g.Send(m)
		}
	}
	addr := serve(t, h, oneLoop)
	const offer = "Sec-WebSocket-Extensions: permessage-deflate"
	members := []*peer{dial(t, addr, offer), dial(t, addr, offer), dial(t, addr, offer+"; server_no_context_takeover")}
	clients := []*takeoverClient{newTakeoverClient(), newTakeoverClient(), nil}
	receive := func(i int, want []byte) received {
		t.Helper()
		f, err := members[i].next()
		if err != nil || f.first&rsv1 == 0 {
			t.Fatalf("%v, %v", f, err)
		}
		got := []byte(nil)
		if clients[i] != nil {
			got = clients[i].inflate(f.payload, len(want))
		} else if got, err = inflate(f.payload); err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Fatalf("member %d got %.40q, want %.40q", i, got, want)
		}
		return f
	}
	var all []byte
	for i := range 100 {
		all = fmt.Appendf(all, `{"id":%d,"price":%d.%d},`, i, i*i*7919%997, i*31%7)
	}
	alone := all[:len(all)/2]
	members[0].send(frame(fin|opText, alone)) // the histories are different now
	receive(0, alone)
	members[1].send(frame(fin|opBinary, all))
	frames := []received{receive(0, all), receive(1, all), receive(2, all)}
	if !bytes.Equal(frames[0].payload, frames[2].payload) || !bytes.Equal(frames[1].payload, frames[2].payload) {
		t.Error("the message was compressed more than once")
	}
	for i := range clients[:2] {
		members[i].send(frame(fin|opText, all))
		if f := receive(i, all); len(f.payload) > len(all)/10 {
			t.Errorf("member %d: %d of %d bytes for what was sent to it before", i, len(f.payload), len(all))
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
				CloseTimeout: 100 * time.Millisecond,
				OnOpen:       func(c *websocket.Conn) { g.Add(c); c.SendText("joined") },
				OnMessage: func(c *websocket.Conn, m websocket.Message) {
					g.Send(payload)
					g.All(func(c *websocket.Conn) bool { most = max(most, c.Buffered()); return true })
					if m.Text() == "last" {
						skipped <- n
					}
				},
				OnClose: func(_ *websocket.Conn, code websocket.Code, _ string) { closed <- code },
			}, func(s *jay.Server) { s.Conn.CloseTimeout = 100 * time.Millisecond }, oneLoop)
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
