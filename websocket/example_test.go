package websocket_test

import (
	"fmt"
	"io"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
	"github.com/jay-go/jay/websocket"
)

// A service that is nothing but WebSocket.
func ExampleHandler() {
	server := &jay.Server{
		Addr: "tcp://0.0.0.0:8080",
		Protocol: &websocket.Handler{
			OnOpen:    func(c *websocket.Conn) { c.SendText("welcome") },
			OnMessage: func(c *websocket.Conn, m websocket.Message) { c.Send(m) },
			OnClose: func(c *websocket.Conn, code websocket.Code, reason string) {
				fmt.Println(c.RemoteAddr(), "has left:", code, reason)
			},
		},
	}
	_ = server // jay.Main(server) runs it
}

// WebSocket on one path; who may connect, and as whom, is decided before the
// upgrade.
func ExampleHandler_Serve() {
	ws := &websocket.Handler{
		Origins:      []string{"https://*.example.com"},
		Subprotocols: []string{"orders.v2", "orders.v1"},
		OnUpgrade: func(w *web.ResponseWriter, r *web.Request) (user any, ok bool) {
			name, _ := r.Cookie("user")
			if name == "" {
				w.SetStatus(401)
				w.WriteString("log in first\n")
			}
			return name, name != ""
		},
		OnOpen: func(c *websocket.Conn) {
			c.SendText("hello " + c.Value().(string) + ", we speak " + c.Subprotocol())
		},
	}
	server := &jay.Server{
		Addr: "tcp://0.0.0.0:8080",
		Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
			if r.Path() == "/orders" {
				ws.Serve(w, r)
				return
			}
			w.SetStatus(404)
		}),
	}
	_ = server // jay.Main(server) runs it
}

// News go to everybody but their sender. Who reads too slowly misses some.
func ExampleGroup() {
	all := websocket.Group{ // of this worker
		OnSlow: func(*websocket.Conn) websocket.SlowPolicy { return websocket.SkipMessage },
	}
	ws := &websocket.Handler{
		Deflate: &websocket.Deflate{},
		OnOpen:  func(c *websocket.Conn) { all.Add(c) },
		OnMessage: func(c *websocket.Conn, m websocket.Message) {
			n, _ := all.Send(m, c)
			c.SendText(fmt.Sprint("sent to ", n, " others"))
		},
	}
	_ = ws
}

// What takes long is done on another goroutine, which answers by a Ref.
func ExampleRef() {
	ws := &websocket.Handler{
		OnMessage: func(c *websocket.Conn, m websocket.Message) {
			question, ref := m.Text(), c.Ref() // a copy: m is valid only here
			go func() {
				answer := "after long thought: " + question
				if err := ref.Send(websocket.Text(answer)); err != nil {
					fmt.Println("the client did not wait:", err)
				}
			}()
		},
	}
	_ = ws
}

// A large message is sent as it is read, and no faster than the client takes
// it: above the high-water mark Reading is false, and OnWritable follows.
func ExampleConn_SendPart() {
	ws := &websocket.Handler{
		OnUpgrade: func(*web.ResponseWriter, *web.Request) (any, bool) {
			return io.LimitReader(zeros{}, 1<<30), true
		},
		OnOpen:     sendSome,
		OnWritable: sendSome,
	}
	_ = ws
}

func sendSome(c *websocket.Conn) {
	r := c.Value().(io.Reader)
	for chunk := make([]byte, 64<<10); c.Conn().Reading(); {
		n, err := r.Read(chunk)
		if c.SendPart(websocket.Binary(chunk[:n]), err != nil) != nil || err != nil {
			return
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// An order as the program knows it is a text message as JSON to the client.
func ExampleMessage_Decode() {
	var order struct {
		Item  string
		Count int
	}
	m := websocket.Text(`{"item": "tea", "count": 2}`)
	fmt.Println(m.Decode(&order), order)

	answer, err := websocket.JSON(map[string]int{"price": 7})
	fmt.Println(answer.Text(), answer.IsText(), err)
	// Output:
	// <nil> {tea 2}
	// {"price":7} true <nil>
}

// Limits and waits as a service of small messages would have them.
func ExampleHandler_limits() {
	ws := &websocket.Handler{
		MaxMessage:     4 << 10,
		MaxFragments:   16,
		MaxControlRate: 10,
		PingInterval:   20 * time.Second,
		PongTimeout:    5 * time.Second,
		CloseTimeout:   time.Second,
	}
	_ = ws
}
