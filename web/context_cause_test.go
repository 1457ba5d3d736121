package web_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
)

// A response that is complete ends its context as such, also where it is the last one
// of its connection; one that is not complete does not.
func TestCauseOfAContext(t *testing.T) {
	t.Parallel()
	upgrade := strings.Replace(get, "\r\n\r\n", "\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\n", 1)
	for title, c := range map[string]struct {
		request string
		handler web.HandlerFunc
		cause   error
	}{
		"kept":              {get, func(*web.ResponseWriter, *web.Request) {}, context.Canceled},
		"Connection: close": {getLast, func(*web.ResponseWriter, *web.Request) {}, context.Canceled},
		"HTTP/1.0":          {get10, func(*web.ResponseWriter, *web.Request) {}, context.Canceled},
		"the program closes": {get, func(w *web.ResponseWriter, _ *web.Request) { _ = w.SetHeader("Connection", "close") },
			context.Canceled},
		"Switch": {upgrade, func(w *web.ResponseWriter, _ *web.Request) { _ = w.SetStatus(101); _ = w.Switch(&shout{}) },
			context.Canceled},
		"a panic":   {get, func(*web.ResponseWriter, *web.Request) { panic("x") }, jay.ErrClosed},
		"a mistake": {get, func(w *web.ResponseWriter, _ *web.Request) { _ = w.SetHeader("X", "\n") }, jay.ErrClosed},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			contexts := make(chan context.Context, 1)
			addr := serveWith(t, &jay.Server{OnError: quiet, Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
				contexts <- r.Context()
				c.handler(w, r)
			})})
			conn := dial(t, addr)
			_, _ = io.WriteString(conn, c.request)
			ctx := soon(t, contexts, "the request")
			select {
			case <-ctx.Done():
			case <-time.After(time.Minute):
				t.Fatal("the context goes on")
			}
			if got := context.Cause(ctx); got != c.cause {
				t.Errorf("its cause is %v, want %v", got, c.cause)
			}
		})
	}
}
