package web_test

import (
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
)

// A response that is finished before the body has arrived is sent at once, and
// ends the request: the handler is not called, and the connection goes on as the
// head says.
func TestFinishedBeforeTheBody(t *testing.T) {
	const length, expect = "Content-Length: 10\r\n", "Expect: 100-continue\r\n"
	later := func(r *web.Request, fn func()) { r.Conn().Loop().AfterFunc(time.Millisecond, fn) }
	finish := func(l web.Later) {
		_ = l.Writer().SetStatus(403)
		_ = l.Finish()
	}
	onHead := func(w *web.ResponseWriter, r *web.Request) bool {
		if r.Path() == "/next" {
			return false
		}
		l := w.Later()
		r.OnBody(func(w *web.ResponseWriter, r *web.Request, b []byte) error {
			switch r.Path() {
			case "/paused":
				r.PauseBody()
				later(r, func() { finish(l) })
			case "/paused-flushed":
				r.PauseBody()
				_ = w.SetStatus(403)
				_ = w.Flush()
				later(r, func() { _ = l.Finish() })
			case "/in-OnBody":
				finish(l)
			case "/paused-in-OnBody":
				r.PauseBody()
				finish(l)
			}
			return nil
		})
		switch r.Path() {
		case "/in-OnHead":
			finish(l)
		case "/timer":
			later(r, func() { finish(l) })
		}
		return true
	}
	cases := map[string]struct {
		path, fields, body string // of it what is sent first
		rest               string // sent once the response has come
		keeps              bool
	}{
		"in OnHead":                {path: "/in-OnHead", fields: length, rest: "0123456789", keeps: true},
		"in OnHead, all there":     {path: "/in-OnHead", fields: length, body: "0123456789", keeps: true},
		"in OnHead, chunked":       {path: "/in-OnHead", fields: "Transfer-Encoding: chunked\r\n", rest: "a\r\n0123456789\r\n0\r\n\r\n"},
		"in OnHead, withheld":      {path: "/in-OnHead", fields: length + expect},
		"by a timer":               {path: "/timer", fields: length, body: "01", rest: "23456789", keeps: true},
		"by a timer, chunked":      {path: "/timer", fields: "Transfer-Encoding: chunked\r\n", body: "a\r\n01234"},
		"by a timer, too much":     {path: "/timer", fields: "Content-Length: 1000000\r\n", body: "01234"},
		"in OnBody":                {path: "/in-OnBody", fields: length, body: "01", rest: "23456789", keeps: true},
		"in OnBody, last piece":    {path: "/in-OnBody", fields: length, body: "0123456789", keeps: true},
		"in a pause":               {path: "/paused", fields: length, body: "01", rest: "23456789", keeps: true},
		"in a pause, behind Flush": {path: "/paused-flushed", fields: length, body: "01", rest: "23456789", keeps: true},
		"in a pause at the end":    {path: "/paused", fields: length, body: "0123456789", keeps: true},
		"in a pause, chunked":      {path: "/paused", fields: "Transfer-Encoding: chunked\r\n", body: "a\r\n01234"},
		"at once in a pause":       {path: "/paused-in-OnBody", fields: length, body: "01", rest: "23456789", keeps: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			handled := ""
			addr := serveWith(t, &jay.Server{OnError: quiet, Protocol: &web.Protocol{OnHead: onHead,
				Handler: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
					mu.Lock()
					defer mu.Unlock()
					handled += r.Path()
				})}})
			conn := dial(t, addr)
			_, _ = io.WriteString(conn, "PUT "+c.path+" HTTP/1.1\r\nHost: a\r\n"+c.fields+"\r\n"+c.body)
			first := make([]byte, len("HTTP/1.1 403"))
			if _, err := io.ReadFull(conn, first); err != nil || string(first) != "HTTP/1.1 403" {
				t.Fatalf("got %q, %v", first, err)
			}
			_, _ = io.WriteString(conn, c.rest+"GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			_ = conn.CloseWrite()
			got, err := io.ReadAll(conn)
			answers, closes := strings.Count(string(got), "HTTP/1.1 200"), strings.Count(string(got), "Connection: close")
			if c.keeps && answers != 1 || !c.keeps && answers != 0 || closes != 1 || err != nil {
				t.Errorf("kept %v, got %q, %v", c.keeps, got, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if handled != "" {
				t.Errorf("the handler was called for %s", handled)
			}
		})
	}
}

// What goes wrong when the client has the whole response already is reported; the
// connection goes on, as the client was told.
func TestMistakeBehindTheResponse(t *testing.T) {
	cases := map[string]func(w *web.ResponseWriter) error{
		"a field behind a head alone": func(w *web.ResponseWriter) error {
			_ = w.SetStatus(204)
			_ = w.Flush()
			return w.SetHeader("X", "1")
		},
		"more than the length": func(w *web.ResponseWriter) error {
			_ = w.SetHeader("Content-Length", "3")
			_, _ = w.WriteString("abc")
			_ = w.Flush()
			_, err := w.WriteString("d")
			return err
		},
		"an error of the program": func(w *web.ResponseWriter) error {
			_ = w.SetStatus(304)
			_ = w.Flush()
			return errors.New("too late")
		},
	}
	for name, does := range cases {
		for _, where := range []string{"handler", "OnHead", "OnBody"} {
			if where != "OnBody" && name == "an error of the program" {
				continue // which only OnBody returns
			}
			t.Run(name+" in "+where, func(t *testing.T) {
				reported := make(chan error, 5)
				p := &web.Protocol{OnHead: func(w *web.ResponseWriter, r *web.Request) bool {
					if r.Path() == "/first" && where == "OnHead" {
						_ = does(w)
						return false
					}
					if where == "OnBody" {
						r.OnBody(func(w *web.ResponseWriter, _ *web.Request, _ []byte) error { return does(w) })
					}
					return true
				}, Handler: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
					if r.Path() == "/first" && where == "handler" {
						_ = does(w)
					}
				})}
				addr := serveWith(t, &jay.Server{Protocol: p, OnError: func(c *jay.Conn, err error) { reported <- err }})
				got := ask(t, addr, "PUT /first HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"+getLast)
				if n := strings.Count(got, "HTTP/1.1 "); n != 2 || strings.Count(got, "Connection: close") != 1 || strings.Contains(got, "HTTP/1.1 5") {
					t.Errorf("got %q", got)
				}
				soon(t, reported, "OnError")
			})
		}
	}
}
