// Held takes bodies and WebSocket messages of up to 10 MiB, whole, with a
// memory budget of 32 MiB for all of them.
package main

import (
	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
	"github.com/jay-go/jay/websocket"
)

func main() {
	ws := &websocket.Handler{MaxMessage: 10 << 20, MaxFrame: 10 << 20}
	jay.Main(&jay.Server{
		Name:        "held",
		Addr:        "tcp://127.0.0.1:9994",
		MaxBuffered: 32 << 20,
		Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
			if r.Path() == "/ws" {
				ws.Serve(w, r)
			}
		}),
		OnError: func(*jay.Conn, error) {}, // those that the budget refuses
	})
}
