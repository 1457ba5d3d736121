// Wsecho sends every WebSocket message back to where it came from, at / and
// at /ws. It is what the WebSocket conformance cases are played against.
//
//	go run ./examples/wsecho start --listen 127.0.0.1:8081
package main

import (
	"flag"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
	"github.com/jay-go/jay/websocket"
)

func main() {
	echo := &websocket.Handler{
		OnMessage:    func(c *websocket.Conn, m websocket.Message) { c.Send(m) },
		Deflate:      &websocket.Deflate{},
		MaxMessage:   32 << 20,
		MaxFragments: -1, // the limit of the message is enough here
	}
	flag.BoolVar(&echo.Deflate.ServerTakeover, "server-takeover", false, "let compressed messages refer to earlier ones")
	flag.BoolVar(&echo.Deflate.ClientTakeover, "client-takeover", false, "allow clients to do that")
	flag.IntVar(&echo.Deflate.ServerWindowBits, "server-bits", 0, "bound of the window of messages sent, 9 to 15 (0: 15)")
	flag.IntVar(&echo.Deflate.ClientWindowBits, "client-bits", 0, "bound of the window of messages received, 9 to 15 (0: 15)")
	flag.DurationVar(&echo.PingInterval, "ping-interval", 0, "after how long a silence to ping (0: 30s)")
	flag.Func("origin", "allow pages of this origin too, as https://*.example.com (repeatable)", func(origin string) error {
		echo.Origins = append(echo.Origins, origin)
		return nil
	})
	jay.Main(&jay.Server{
		Name: "wsecho",
		Addr: "tcp://127.0.0.1:9997",
		Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
			switch r.Path() {
			case "/", "/ws":
				echo.Serve(w, r)
			default:
				w.SetStatus(404)
			}
		}),
	})
}
