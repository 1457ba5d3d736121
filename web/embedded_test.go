package web_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
)

// noted is a protocol that adds to HTTP by embedding it. Neither it nor its
// handlers can be compared.
type noted struct {
	*web.Protocol
	opened chan string
	_      []string
}

func (p noted) NewConn(c *jay.Conn) jay.Handler {
	return notedConn{Handler: p.Protocol.NewConn(c), opened: p.opened}
}

type notedConn struct {
	jay.Handler
	opened chan string
	_      []string
}

func (h notedConn) Open(c *jay.Conn)    { h.opened <- "open"; h.Handler.Open(c) }
func (h notedConn) Unwrap() jay.Handler { return h.Handler }

// TestEmbedded: who embeds the protocol and its handlers has all of HTTP, its
// optional methods too: pipelining, deadlines, a client that has finished sending.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	p := noted{Protocol: &web.Protocol{Handler: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) { w.WriteString(r.Path()) }), HeaderTimeout: 2 * time.Second}, opened: make(chan string, 3)}
	addr := serveWith(t, &jay.Server{Protocol: p, OnError: quiet})
	for name, tt := range map[string]struct {
		send string
		fin  bool
		want []string
	}{
		"pipelined":        {get + strings.Replace(get, "GET / ", "GET /two ", 1) + "GET /three HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false, []string{"/", "/two", "/three"}},
		"a slow head":      {"GET / HTTP/1.1\r\nHost: a\r\n", false, []string{"HTTP/1.1 408 "}},
		"half a request":   {"GET / HTTP/1.1\r\nHost: a\r\n", true, []string{"HTTP/1.1 400 "}},
		"finished sending": {get, true, []string{"HTTP/1.1 200 "}},
	} {
		c := dial(t, addr)
		_, _ = io.WriteString(c, tt.send)
		if tt.fin {
			_ = c.CloseWrite()
		}
		_ = c.SetReadDeadline(time.Now().Add(patience))
		got, err := io.ReadAll(c)
		for _, want := range tt.want {
			if err != nil || !strings.Contains(string(got), want) {
				t.Errorf("%s: got %q, %v; want %q in it", name, got, err, want)
			}
		}
		<-p.opened
	}
}
