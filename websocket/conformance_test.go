package websocket_test

import (
	"sync"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/websocket"
)

// The cases in this process, on both backends and with the race detector
// where that is on.
func TestConformance(t *testing.T) {
	for _, backend := range []string{"auto", "goroutine"} {
		t.Run(backend, func(t *testing.T) {
			h := echo()
			h.MaxMessage = 32 << 20
			playAll(t, serve(t, h, func(s *jay.Server) { s.Loop = backend }))
		})
	}
}

func TestHandshakeCases(t *testing.T) { playHandshakes(t, serve(t, echo())) }

// TestPlayerFails: against a server that does not echo the cases do not pass.
func TestPlayerFails(t *testing.T) {
	h := &websocket.Handler{OnMessage: func(c *websocket.Conn, m websocket.Message) { _ = c.SendText("no echo") }}
	addr := serve(t, h)
	var players sync.WaitGroup
	for _, c := range loadLines[wsCase](t, "testdata/websocket.jsonl", 140) {
		if c.ID != "1.1.3" && c.ID != "1.2.2" && c.ID != "5.3" && c.ID != "6.2.3" {
			continue
		}
		players.Go(func() {
			if len(play(t, addr, c, 500*time.Millisecond)) == 0 {
				t.Errorf("%s passes against a server that does not echo", c.ID)
			}
		})
	}
	players.Wait()
}
