package websocket_test

import (
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/late"
	"github.com/jay-go/jay/websocket"
)

// TestGroupCost: sending to a member allocates nothing, and several messages
// of one turn reach it together: its first read has them all.
func TestGroupCost(t *testing.T) {
	const members, rounds, burst, size = 50, 40, 8, 256
	var g websocket.Group
	payload := websocket.Text(strings.Repeat("x", size))
	addr := serve(t, &websocket.Handler{
		OnOpen: func(c *websocket.Conn) { g.Add(c) },
		OnMessage: func(*websocket.Conn, websocket.Message) {
			for range burst {
				g.Send(payload)
			}
		},
	}, func(s *jay.Server) { s.Loop = "auto" }, oneLoop)
	peers := make([]*peer, members)
	for i := range peers {
		peers[i] = dial(t, addr)
	}
	trigger, buf := text("go"), make([]byte, burst*(4+size))
	send := func() {
		peers[0].write(trigger)
		n, err := peers[1].conn.Read(buf)
		if late.On {
			_, err = io.ReadFull(peers[1].conn, buf[n:])
		} else if n != len(buf) {
			t.Fatalf("the first read got %d of %d bytes, %v", n, len(buf), err)
		}
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range peers {
			if i == 1 {
				continue
			}
			if _, err := io.ReadFull(p.conn, buf); err != nil {
				t.Fatal(err)
			}
		}
	}
	send() // grows what is kept
	before := mallocs()
	for range rounds {
		send()
	}
	if n := mallocs() - before; n > rounds*members/2 && !late.On {
		t.Errorf("%d allocations for %d messages to %d members", n, rounds*burst, members)
	}
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}
