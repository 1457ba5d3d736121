package websocket_test

import (
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/websocket"
)

// TestDropNewestAtTheBudget sends, from goroutines, messages of sizes around
// what the budget has room for: each is queued whole or not at all, also where
// its header alone would have room.
func TestDropNewestAtTheBudget(t *testing.T) {
	const header = 10
	queued := make(chan int, 1)
	whole, dropped := 0, 0
	for size := 480 << 10; size < 540<<10; size += 1000 {
		addr := serve(t, &websocket.Handler{OnMessage: func(c *websocket.Conn, _ websocket.Message) {
			written := func() int { return int(c.Conn().BytesOut()) + c.Conn().Buffered() }
			before := written()
			done := make(chan error)
			go func() { done <- c.Ref().Send(websocket.Binary(make([]byte, size))) }()
			<-done
			_ = c.Ref().Do(func(*websocket.Conn) { queued <- written() - before })
		}}, func(s *jay.Server) { s.MaxBuffered, s.Conn.DropNewest = 1<<20, true })
		p := dial(t, addr)
		p.send(text("go"))
		switch n := within(t, queued, "the message"); n {
		case 0:
			dropped++
		case size + header:
			whole++
		default:
			t.Errorf("%d bytes of a message of %d were queued", n, size+header)
		}
		p.conn.Close()
	}
	t.Logf("%d whole, %d dropped", whole, dropped)
}
