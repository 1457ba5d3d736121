// Wscoder is coder/websocket, doing what wsjay does but the broadcast, which
// it leaves to its user.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/coder/websocket"

	"github.com/jay-go/jay/bench/internal/inuse"
)

func main() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("listening", ln.Addr())
	fmt.Fprintln(os.Stderr, http.Serve(ln, http.HandlerFunc(serve)))
}

func serve(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionNoContextTakeover})
	if err != nil {
		return
	}
	defer c.CloseNow()
	ctx := context.Background()
	for {
		kind, b, err := c.Read(ctx)
		if err != nil {
			return
		}
		if len(b) == len("memory") {
			b = []byte(inuse.Report())
		}
		if c.Write(ctx, kind, b) != nil {
			return
		}
	}
}
