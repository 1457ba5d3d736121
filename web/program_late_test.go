package web_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
)

// A response that never comes is bounded, whatever it is that is waited for: the
// client gets 504, or sees that its response was cut short, OnError and OnGone
// are told.
func TestResponsesThatNeverCome(t *testing.T) {
	t.Parallel()
	gone := make(chan string, 10)
	p := &web.Protocol{ResponseTimeout: time.Second, Handler: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		path := r.Path()
		if path == "/half" {
			w.WriteString("half")
			_ = w.Flush()
		}
		w.Later().OnGone(func() { gone <- path })
	}), OnHead: func(w *web.ResponseWriter, r *web.Request) bool {
		switch r.Path() {
		case "/early":
			w.Later().OnGone(func() { gone <- "/early" })
			return false
		case "/pause":
			r.OnBody(func(w *web.ResponseWriter, r *web.Request, b []byte) error {
				r.PauseBody()
				return nil
			})
		}
		return true
	}}
	for path, want := range map[string]string{
		"/later": "HTTP/1.1 504 ",
		"/early": "HTTP/1.1 504 ",
		"/pause": "HTTP/1.1 504 ",
		"/half":  "HTTP/1.1 200 OK|Transfer-Encoding: chunked|Date: D||4|half|",
	} {
		t.Run(path, func(t *testing.T) {
			reported := make(chan error, 1)
			addr := serveWith(t, &jay.Server{Protocol: p, OnError: func(_ *jay.Conn, err error) { reported <- err }})
			began := time.Now()
			c := dial(t, addr)
			_, _ = io.WriteString(c, "PUT "+path+" HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"+get)
			got := closedAfter(t, c, began, time.Second)
			if !strings.HasPrefix(got, want) || path == "/half" && got != want || path != "/half" && !strings.Contains(got, "Connection: close") {
				t.Errorf("got %q", got)
			}
			if err := soon(t, reported, "OnError"); !strings.Contains(err.Error(), "did not give the response in time") {
				t.Errorf("OnError got %v", err)
			}
			if path != "/pause" {
				if who := soon(t, gone, "OnGone"); who != path {
					t.Errorf("OnGone of %s", who)
				}
			}
		})
	}
}

// An event stream may last as long as it likes.
func TestAStreamThatGoesOn(t *testing.T) {
	if testing.Short() {
		t.Skip("streams for some seconds")
	}
	t.Parallel()
	const timeout, events, every = 2 * time.Second, 40, 100 * time.Millisecond
	p := &web.Protocol{ResponseTimeout: timeout, Handler: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		l, sent := w.Later(), 0
		var next func()
		next = func() {
			if sent++; sent > events {
				_ = l.Finish()
				return
			}
			l.Writer().WriteString("event ")
			_ = l.Writer().Flush()
			r.Conn().Loop().AfterFunc(every, next)
		}
		next()
	})}
	c := dial(t, serve(t, p))
	_, _ = io.WriteString(c, getLast)
	got, err := io.ReadAll(c)
	if n := strings.Count(string(got), "event "); n != events || !strings.HasSuffix(string(got), "0\r\n\r\n") || err != nil {
		t.Errorf("%d of %d events, %v", n, events, err)
	}
}
