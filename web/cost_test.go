//go:build !race && !jaypoison && !jaylate

// The race detector makes pools forget and so allocates, as does a build in which
// they keep nothing, and one in which completions wait.

package web_test

import (
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
)

// A request, with a path to decode, a query, a cookie and fields of the
// answer, allocates nothing here. Sixteen come in a segment, so that what the
// connection does once a turn hardly counts.
func TestRequestsDoNotAllocate(t *testing.T) {
	const pipelined, rounds = 16, 500
	addr := serveWith(t, &jay.Server{Loop: "auto", Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		if len(r.HeaderView("Cookie")) == 0 || r.Method() != "GET" || r.Path() != "/a/b" {
			t.Error("not what was sent")
		}
		_ = w.SetHeader("Content-Type", "text/plain")
		w.WriteString("Hello, World!")
	})})
	c := dial(t, addr)
	request := strings.Repeat("GET /a/%62?b=c HTTP/1.1\r\nHost: a.test\r\nUser-Agent: x\r\nCookie: d=e\r\n\r\n", pipelined)
	answer := "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\nHello, World!"
	send, receive := []byte(request), make([]byte, pipelined*len(answer))
	round := func() {
		if _, err := c.Write(send); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, receive); err != nil {
			t.Fatal(err)
		}
	}
	round()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rounds {
		round()
	}
	runtime.ReadMemStats(&after)
	each := float64(after.Mallocs-before.Mallocs) / (pipelined * rounds)
	t.Logf("%.3f allocations a request", each)
	if each > 0.2 {
		t.Errorf("%.3f allocations a request, want none", each)
	}
}
