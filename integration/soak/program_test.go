package soak

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/exampletest"
	"github.com/jay-go/jay/web"
	"github.com/jay-go/jay/websocket"
)

func TestMain(m *testing.M) { exampletest.Main(m, program) }

// program is the service under load. Every answer begins with the pid of the
// worker that it is from.
func program() {
	echo := &websocket.Handler{
		Deflate: &websocket.Deflate{},
		OnMessage: func(c *websocket.Conn, m websocket.Message) {
			c.SendText(fmt.Sprintf("%d %s", os.Getpid(), m.Text()))
		},
	}
	jay.Main(&jay.Server{
		Name:    "soak",
		Addr:    "tcp://127.0.0.1:0",
		Workers: 4,
		Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
			switch r.Path() {
			case "/ws":
				echo.Serve(w, r)
			case "/later":
				later := w.Later()
				r.Conn().Loop().AfterFunc(20*time.Millisecond, func() {
					if !later.Gone() {
						fmt.Fprintf(later.Writer(), "%d", os.Getpid())
						later.Finish()
					}
				})
			default:
				fmt.Fprintf(w, "%d %d", os.Getpid(), len(r.Body()))
				w.Write(r.Body())
			}
		}),
	})
}
