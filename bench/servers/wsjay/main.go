// Wsjay is the WebSocket server that is measured: an echo, a broadcast to all
// for "broadcast N" (N times 256 bytes in one turn), and its memory for
// "memory".
package main

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/bench/internal/inuse"
	"github.com/jay-go/jay/websocket"
)

func main() {
	var all websocket.Group
	payload := websocket.Text(strings.Repeat("0123456789abcdef", 16))
	jay.Main(&jay.Server{
		Name: "wsjay",
		Addr: "tcp://127.0.0.1:9996",
		Protocol: &websocket.Handler{
			Deflate:      &websocket.Deflate{},
			PingInterval: 10 * time.Minute, // the load answers no pings
			OnOpen:       func(c *websocket.Conn) { all.Add(c) },
			OnMessage: func(c *websocket.Conn, m websocket.Message) {
				if n, ok := bytes.CutPrefix(m.View(), []byte("broadcast ")); ok && m.Len() < 20 {
					times, _ := strconv.Atoi(string(n))
					for range times {
						all.Send(payload)
					}
				} else if m.Len() == len("memory") {
					c.SendText(inuse.Report())
				} else {
					c.Send(m)
				}
			},
		},
	})
}
