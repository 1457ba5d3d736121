package web_test

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
)

// lingersAlways: the loop does not know whether bytes are unread.
var lingersAlways = !closesAtOnce || os.Getenv("JAY_LOOP") == "goroutine"

// TestAnnouncedClose: to a client that has announced the close, and sent all of
// its request, the server closes without waiting for it; one that has sent, or
// may send, something else keeps its response all the same.
func TestAnnouncedClose(t *testing.T) {
	get := func(fields string) string { return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" }
	announced := get("Connection: close\r\n")
	for name, c := range map[string]struct {
		send  string
		code  string
		waits bool
	}{
		"announced":                       {send: announced},
		"HTTP/1.0":                        {send: "GET / HTTP/1.0\r\n\r\n"},
		"with a body":                     {send: "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"},
		"with chunks":                     {send: "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"},
		"behind another":                  {send: get("") + announced},
		"given later":                     {send: strings.Replace(announced, "/", "/later", 1)},
		"another behind":                  {send: announced + get(""), waits: true},
		"another behind, given later":     {send: strings.Replace(announced, "/", "/later", 1) + get(""), waits: true},
		"an empty line behind":            {send: announced + "\r\n", waits: true},
		"a body that is not read":         {send: "POST /refuse HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 9\r\n\r\nhi", code: "403", waits: true},
		"a body that has not begun":       {send: "POST /refuse HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 9\r\n\r\n", code: "403", waits: true},
		"a head that is malformed":        {send: "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", code: "400", waits: true},
		"the close is the server's alone": {send: strings.Replace(get(""), "/", "/close", 1), waits: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			closed := make(chan error, 1)
			body := strings.Repeat("response", 10<<10)
			addr := serveWith(t, &jay.Server{
				Protocol: &web.Protocol{
					OnHead: func(w *web.ResponseWriter, r *web.Request) bool {
						if r.Path() == "/refuse" {
							w.SetStatus(403)
							w.WriteString(body)
							return false
						}
						return true
					},
					Handler: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
						w.WriteString(body)
						switch r.Path() {
						case "/close":
							w.SetHeader("Connection", "close")
						case "/later":
							l := w.Later()
							r.Conn().Loop().AfterFunc(10*time.Millisecond, func() { l.Finish() })
						}
					}),
				},
				Conn:    jay.ConnConfig{CloseTimeout: -1},
				OnClose: func(_ *jay.Conn, err error) { closed <- err },
			})
			conn := dial(t, addr)
			io.WriteString(conn, c.send)
			got, err := io.ReadAll(conn)
			code := c.code
			if code == "" {
				code = "200"
			}
			if !strings.HasPrefix(string(got), "HTTP/1.1 "+code) || code != "400" && !strings.HasSuffix(string(got), body) || err != nil {
				t.Fatalf("got %d bytes, %.40q, then %v", len(got), got, err)
			}
			if c.waits || lingersAlways {
				select {
				case err := <-closed:
					t.Errorf("the connection was closed (%v) while the client may have been sending", err)
				case <-time.After(20 * time.Millisecond):
				}
				conn.Close()
			}
			select {
			case <-closed:
			case <-time.After(patience):
				t.Error("the server waits for the client")
			}
		})
	}
}
