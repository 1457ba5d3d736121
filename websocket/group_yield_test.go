package websocket_test

import (
	"testing"

	"github.com/jay-go/jay/websocket"
)

// onLoop opens n connections, runs fn with them on their loop, and returns
// their clients.
func onLoop(t *testing.T, n int, fn func(all []*websocket.Conn)) []*peer {
	t.Helper()
	var all []*websocket.Conn
	addr := serve(t, &websocket.Handler{
		OnOpen:    func(c *websocket.Conn) { all = append(all, c) },
		OnMessage: func(*websocket.Conn, websocket.Message) { fn(all) },
	}, oneLoop)
	peers := make([]*peer, n)
	for i := range peers {
		peers[i] = dial(t, addr)
	}
	peers[0].send(text("go"))
	return peers
}

// TestGroupChangesWhileYielding: whoever is removed, added, aborted or closed
// while the members are gone through, each of those who stay is met once and
// nobody who has left is met.
func TestGroupChangesWhileYielding(t *testing.T) {
	const n = 9
	for _, tt := range []struct {
		name   string
		change func(g *websocket.Group, all []*websocket.Conn, at *websocket.Conn)
		left   int
	}{
		{"the present one leaves", func(g *websocket.Group, _ []*websocket.Conn, at *websocket.Conn) { g.Remove(at) }, 0},
		{"the first three leave", func(g *websocket.Group, all []*websocket.Conn, _ *websocket.Conn) {
			for _, c := range all[:3] {
				g.Remove(c)
			}
		}, n - 3},
		{"the last three are aborted", func(_ *websocket.Group, all []*websocket.Conn, _ *websocket.Conn) {
			for _, c := range all[n-3:] {
				c.Abort()
			}
		}, n - 3},
		{"all leave but one, which comes again", func(g *websocket.Group, all []*websocket.Conn, at *websocket.Conn) {
			for _, c := range all {
				g.Remove(c)
			}
			g.Add(at)
		}, 1},
		{"inside another going through", func(g *websocket.Group, all []*websocket.Conn, at *websocket.Conn) {
			for c := range g.All {
				if c != at {
					g.Remove(c)
				}
				break
			}
		}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			left := make(chan int, 1)
			onLoop(t, n, func(all []*websocket.Conn) {
				var g websocket.Group
				for _, c := range all {
					g.Add(c)
				}
				met := map[*websocket.Conn]int{}
				for c := range g.All {
					met[c]++
					if !g.Has(c) || met[c] > 1 {
						t.Errorf("a connection was met %d times; member: %v", met[c], g.Has(c))
					}
					tt.change(&g, all, c)
				}
				for c := range g.All {
					if met[c] == 0 {
						t.Error("a member was not met")
					}
					met[c] = -1
				}
				members := 0
				for _, c := range all {
					if g.Has(c) {
						members++
						if met[c] != -1 {
							t.Error("a member is not to be found")
						}
					}
				}
				if members != g.Len() {
					t.Errorf("Len is %d, there are %d", g.Len(), members)
				}
				left <- g.Len()
			})
			if got := within(t, left, "the count"); got != tt.left {
				t.Errorf("%d are left, want %d", got, tt.left)
			}
		})
	}
}

// TestGroupPanicWhileYielding: a panic out of All leaves a group in order.
func TestGroupPanicWhileYielding(t *testing.T) {
	lens := make(chan int, 2)
	onLoop(t, 3, func(all []*websocket.Conn) {
		var g websocket.Group
		for _, c := range all {
			g.Add(c)
		}
		func() {
			defer func() { _ = recover() }()
			for c := range g.All {
				g.Remove(c)
				panic("ouch")
			}
		}()
		lens <- g.Len()
		g.Remove(all[2])
		lens <- g.Len()
	})
	if a, b := within(t, lens, "Len"), within(t, lens, "Len"); a != 2 || b != 1 {
		t.Errorf("%d, then %d members; want 2, then 1", a, b)
	}
}
