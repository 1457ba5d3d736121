package web_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
)

// contextStates are what a request may be in when its client leaves: each has the
// context told, and goes on.
var contextStates = map[string]struct {
	send    string
	handler web.HandlerFunc
	onHead  func(w *web.ResponseWriter, r *web.Request) bool
}{
	"a response given later": {send: get, handler: func(w *web.ResponseWriter, r *web.Request) { w.Later() }},
	"a body and a response given later": {send: "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
		handler: func(w *web.ResponseWriter, r *web.Request) { w.Later() }},
	"a response that is streamed": {send: get, handler: func(w *web.ResponseWriter, r *web.Request) {
		w.Later()
		w.WriteString("begin")
		_ = w.Flush()
	}},
	"a response that is not taken": {send: get, handler: func(w *web.ResponseWriter, r *web.Request) {
		l := w.Later()
		for !l.Full() {
			_, _ = w.Write(contents)
			_ = w.Flush()
		}
	}},
	"a body that is arriving": {send: "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe",
		onHead: func(w *web.ResponseWriter, r *web.Request) bool { return true }},
	"a body that is withheld": {send: "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
		onHead: func(w *web.ResponseWriter, r *web.Request) bool { return true }},
	"a body that is paused": {send: "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe",
		onHead: func(w *web.ResponseWriter, r *web.Request) bool {
			r.OnBody(func(w *web.ResponseWriter, r *web.Request, b []byte) error { r.PauseBody(); return nil })
			return true
		}},
	"a response given later, before the body": {send: "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe",
		onHead: func(w *web.ResponseWriter, r *web.Request) bool { w.Later(); return false }},
}

// A request's context ends when its client leaves, whatever the request is in then
// and whether bytes lie in the way that nobody reads.
func TestContextEndsWhenTheClientLeaves(t *testing.T) {
	for state, c := range contextStates {
		for _, leave := range []string{"close", "half-close", "reset"} {
			for name, unread := range map[string]string{"nothing unread": "", "bytes unread": strings.Repeat(get, 20)} {
				if unread != "" && strings.HasPrefix(state, "a body that is") && !strings.HasSuffix(state, "paused") {
					continue // that would be the body
				}
				t.Run(state+", "+leave+", "+name, func(t *testing.T) {
					t.Parallel()
					contexts, refs := make(chan context.Context, 1), make(chan jay.Ref, 1)
					note := func(r *web.Request) {
						select {
						case contexts <- r.Context():
							refs <- r.Conn().Ref()
						default:
						}
					}
					p := &web.Protocol{Handler: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
						note(r)
						if c.handler != nil {
							c.handler(w, r)
						}
					})}
					if c.onHead != nil {
						p.OnHead = func(w *web.ResponseWriter, r *web.Request) bool { note(r); return c.onHead(w, r) }
					}
					addr := serveWith(t, &jay.Server{OnError: quiet, Protocol: p, Conn: jay.ConnConfig{MaxOutput: -1}})
					conn := dial(t, addr)
					_, _ = io.WriteString(conn, c.send)
					ctx := soon(t, contexts, "the request")
					if err := ctx.Err(); err != nil {
						t.Fatalf("it has ended before the client left: %v", err)
					}
					_, _ = io.WriteString(conn, unread)
					left := leaveBy(conn, leave)
					ref := <-refs
					defer func() { _ = ref.Do(func(c *jay.Conn) { c.Abort() }) }() // the stop would wait for the response
					select {
					case <-ctx.Done():
						t.Logf("%v after the client left", time.Since(left))
					case <-time.After(patience):
						t.Fatal("the context goes on")
					}
					if cause := context.Cause(ctx); !errors.Is(cause, jay.ErrClosed) {
						t.Errorf("its cause is %v", cause)
					}
				})
			}
		}
	}
}

func leaveBy(c *net.TCPConn, how string) time.Time {
	switch how {
	case "half-close":
		_ = c.CloseWrite()
	case "reset":
		_ = c.SetLinger(0)
		fallthrough
	default:
		_ = c.Close()
	}
	return time.Now()
}

// With the response a context ends, too, and one that is asked for when all is over
// has ended.
func TestContextEndsWithTheResponse(t *testing.T) {
	t.Parallel()
	type seen struct {
		ctx  context.Context
		same bool
	}
	requests := make(chan seen, 4)
	var kept *web.Request
	addr := serveWith(t, &jay.Server{Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		if kept != nil && r.Path() == "/kept" {
			requests <- seen{kept.Context(), true}
			return
		}
		kept = r
		ctx := r.Context()
		if ctx.Err() != nil {
			t.Error("it has ended before the request")
		}
		requests <- seen{ctx, ctx == r.Context()}
		if r.Path() == "/later" {
			l := w.Later()
			r.Conn().Loop().AfterFunc(time.Millisecond, func() {
				if ctx.Err() != nil {
					t.Error("it has ended before the response")
				}
				_ = l.Finish()
			})
		}
	})})
	c := dial(t, addr)
	for _, path := range []string{"/", "/later", "/"} {
		_, _ = io.WriteString(c, strings.Replace(get, "/", path, 1))
		until(t, c, "||")
		r := soon(t, requests, "the request")
		select {
		case <-r.ctx.Done():
		case <-time.After(patience):
			t.Fatalf("%s: the context goes on", path)
		}
		if !r.same || !errors.Is(context.Cause(r.ctx), context.Canceled) {
			t.Errorf("%s: the same again %v, cause %v", path, r.same, context.Cause(r.ctx))
		}
	}
}
