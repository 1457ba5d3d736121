package websocket_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jay-go/jay/websocket"
)

// TestGroupOrder: whatever is sent in one turn, through groups and alone,
// reaches each connection in the order in which it was sent, and nobody else.
func TestGroupOrder(t *testing.T) {
	const n = 5
	type room struct {
		websocket.Group
		all []*websocket.Conn
	}
	say := func(g *room, text string, except ...*websocket.Conn) {
		if _, err := g.Send(websocket.Text(text), except...); err != nil {
			t.Error(err)
		}
	}
	for _, tt := range []struct {
		name string
		act  func(g *room)
		want [n]string // the texts, by connection; a "." ends a connection that was closed
	}{
		{"group, then own", func(g *room) {
			say(g, "a")
			g.all[1].SendText("own")
		}, [n]string{"a", "a own", "a", "a", "a"}},
		{"own, then group", func(g *room) {
			g.all[1].SendText("own")
			say(g, "a")
		}, [n]string{"a", "own a", "a", "a", "a"}},
		{"own between those of the group", func(g *room) {
			say(g, "a")
			g.all[1].SendText("own")
			say(g, "b")
			g.all[2].SendText("own")
			say(g, "c")
		}, [n]string{"a b c", "a own b c", "a b own c", "a b c", "a b c"}},
		{"all have their own between those of the group", func(g *room) {
			say(g, "a")
			for i, c := range g.all {
				c.SendText(fmt.Sprint(i))
			}
			say(g, "b")
			say(g, "c")
		}, [n]string{"a 0 b c", "a 1 b c", "a 2 b c", "a 3 b c", "a 4 b c"}},
		{"some miss some", func(g *room) {
			say(g, "a", g.all[0])
			say(g, "b", g.all[1])
			say(g, "c", g.all[2], g.all[3])
			say(g, "d")
		}, [n]string{"b c d", "a c d", "a b d", "a b d", "a b c d"}},
		{"one misses the last, all come again", func(g *room) {
			say(g, "a")
			say(g, "b", g.all[4])
			say(g, "c", g.all[0], g.all[1], g.all[2], g.all[3])
			say(g, "d")
		}, [n]string{"a b d", "a b d", "a b d", "a b d", "a c d"}},
		{"two groups", func(g *room) {
			var other websocket.Group
			for _, c := range g.all[1:4] {
				other.Add(c)
			}
			say(g, "a")
			other.Send(websocket.Text("x"))
			say(g, "b")
			other.Send(websocket.Text("y"))
			other.Send(websocket.Text("z"))
		}, [n]string{"a b", "a x b y z", "a x b y z", "a x b y z", "a b"}},
		{"leaving and joining", func(g *room) {
			g.Remove(g.all[0])
			say(g, "a")
			g.Remove(g.all[1])
			g.Add(g.all[0])
			say(g, "b")
			g.Add(g.all[1])
			g.Remove(g.all[4])
			say(g, "c")
		}, [n]string{"b c", "a c", "a b c", "a b c", "a b"}},
		{"closing", func(g *room) {
			say(g, "a")
			g.all[1].Close(websocket.CloseNormal, "")
			say(g, "b")
			g.all[3].Close(websocket.CloseNormal, "")
			say(g, "c")
		}, [n]string{"a b c", "a .", "a b c", "a b .", "a b c"}},
		{"a part of a message under way", func(g *room) {
			say(g, "a")
			g.all[1].SendPart(websocket.Text("1"), false)
			say(g, "b")
			g.all[1].SendPart(websocket.Text("2"), true)
			say(g, "c")
		}, [n]string{"a b c", "a 12 c", "a b c", "a b c", "a b c"}},
		{"more than a queue takes for one piece", func(g *room) {
			for range 300 {
				say(g, strings.Repeat("m", 1000))
				g.all[2].SendText("own")
			}
		}, func() (want [n]string) {
			for i := range want {
				want[i] = strings.TrimSpace(strings.Repeat(strings.Repeat("m", 1000)+map[bool]string{true: " own "}[i == 2]+" ", 300))
			}
			return want
		}()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := &room{}
			peers := onLoop(t, n, func(all []*websocket.Conn) {
				g.all = all
				for _, c := range all {
					g.Add(c)
				}
				tt.act(g)
				for _, c := range all {
					c.SendText("over")
				}
			})
			for i, p := range peers {
				if got := p.texts("over"); got != strings.Join(strings.Fields(tt.want[i]), " ") {
					t.Errorf("connection %d got %.80q, want %.80q", i, got, tt.want[i])
				}
			}
		})
	}
}

// texts returns the texts that come before last or a Close frame, which is a
// dot, with spaces in between.
func (p *peer) texts(last string) string {
	p.t.Helper()
	var all []string
	text := ""
	for {
		f, err := p.next()
		if err != nil {
			p.t.Fatalf("after %.80q: %v", all, err)
		}
		if f.first&0x0f == opClose {
			return strings.Join(append(all, "."), " ")
		}
		text += string(f.payload)
		if f.first&fin == 0 {
			continue
		}
		if text == last {
			return strings.Join(all, " ")
		}
		all, text = append(all, text), ""
	}
}

// TestGroupShortSend: members that take what they share piece by piece, each at
// its own pace, get it whole and in order, also when one of them goes away.
func TestGroupShortSend(t *testing.T) {
	for _, tt := range []struct{ messages, size int }{{1, 8_000_000}, {60, 100_000}} {
		t.Run(fmt.Sprint(tt.messages), func(t *testing.T) {
			payload := func(i int) string { return string(pattern(tt.size + i)) }
			sent := make(chan struct{})
			peers := onLoop(t, 4, func(all []*websocket.Conn) {
				defer close(sent)
				g := websocket.Group{MaxUnsent: -1}
				for _, c := range all {
					g.Add(c)
				}
				for i := range tt.messages {
					if n, err := g.Send(websocket.Binary([]byte(payload(i)))); n != 4 || err != nil {
						t.Errorf("sent to %d, %v", n, err)
					}
				}
				all[2].SendText("own")
			})
			within(t, sent, "the end of the sending")
			peers[3].conn.Close()
			for i, p := range peers[:3] {
				for k := range tt.messages {
					p.expect(fin|opBinary, payload(k))
				}
				if i == 2 {
					p.expect(fin|opText, "own")
				}
			}
		})
	}
}
