package websocket_test

import (
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/websocket"
)

// noted is a protocol that adds to WebSocket by embedding it. Neither it nor the
// handlers that it makes can be compared.
type noted struct {
	*websocket.Handler
	_ []string
}

func (p noted) NewConn(c *jay.Conn) jay.Handler { return notedConn{Handler: p.Handler.NewConn(c)} }

type notedConn struct {
	jay.Handler
	_ []string
}

func (h notedConn) Unwrap() jay.Handler { return h.Handler }

// TestEmbedded: who embeds the protocol, and the handlers that serve until the
// upgrade, has all of WebSocket, messages behind the handshake too.
func TestEmbedded(t *testing.T) {
	h := &websocket.Handler{OnMessage: func(c *websocket.Conn, m websocket.Message) { _ = c.Send(m) }}
	p := dialRaw(t, serve(t, noted{Handler: h}))
	p.write(append([]byte(request()), text("behind")...))
	p.upgraded()
	p.expect(fin|opText, "behind")
	p.alive()
}
