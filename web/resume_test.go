package web_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/reset"
	"github.com/jay-go/jay/web"
)

// What a timer sets off is a callback of the connection all the same: when it
// panics, the client is told and the connection closes.
func TestPanicThatATimerSetsOff(t *testing.T) {
	t.Parallel()
	soonOn := func(r *web.Request, fn func()) { r.Conn().Loop().AfterFunc(time.Millisecond, fn) }
	p := &web.Protocol{OnHead: func(w *web.ResponseWriter, r *web.Request) bool {
		if r.Path() == "/pause" {
			r.OnBody(func(w *web.ResponseWriter, r *web.Request, b []byte) error {
				pause := r.PauseBody()
				soonOn(r, func() { _ = pause.Resume() })
				return nil
			})
		}
		return true
	}, Handler: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		if r.Path() == "/pause" {
			panic("in the handler")
		}
		_ = w.SetStatus(101)
		_ = w.Switch(&panicking{})
		l := w.Later()
		soonOn(r, func() { _ = l.Finish() })
	})}
	for path, want := range map[string]string{
		"/pause":  "HTTP/1.1 500 ",
		"/switch": "HTTP/1.1 101 ",
	} {
		t.Run(path, func(t *testing.T) {
			whose := make(chan *jay.Conn, 1)
			addr := serveWith(t, &jay.Server{Protocol: p, OnError: func(c *jay.Conn, err error) { whose <- c }})
			c := dial(t, addr)
			_, _ = io.WriteString(c, "PUT "+path+" HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\nContent-Length: 5\r\n\r\nhello")
			got, err := io.ReadAll(c)
			if !strings.HasPrefix(string(got), want) || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
			if soon(t, whose, "OnError") == nil {
				t.Error("OnError was not told of whose callback it was")
			}
		})
	}
}

// panicking is what an upgrade leads to.
type panicking struct{}

func (*panicking) Open(*jay.Conn)                          { panic("in Open") }
func (*panicking) Data(_ *jay.Conn, b []byte) (int, error) { return len(b), nil }
func (*panicking) Close(*jay.Conn, error)                  {}

// Full is about the response: a body that is paused, or a program that has stopped
// the reading, do not make it wait for an OnWritable that never comes.
func TestFullIsOfTheResponse(t *testing.T) {
	stops := map[string]func(r *web.Request) (goOn func()){
		"PauseBody": func(r *web.Request) func() {
			pause := r.PauseBody()
			return func() { _ = pause.Resume() }
		},
		"PauseRead": func(r *web.Request) func() {
			r.Conn().PauseRead()
			return r.Conn().ResumeRead
		},
	}
	for name, stop := range stops {
		t.Run(name, func(t *testing.T) {
			full := make(chan [2]bool, 1)
			p := &web.Protocol{OnHead: func(w *web.ResponseWriter, r *web.Request) bool {
				l := w.Later()
				r.OnBody(func(w *web.ResponseWriter, r *web.Request, b []byte) error {
					goOn := stop(r)
					before := l.Full()
					_ = w.SetHeader("Content-Length", itoa(2<<20)) // beyond the high-water mark
					_, _ = w.Write(make([]byte, 2<<20))
					full <- [2]bool{before, l.Full()}
					l.OnWritable(goOn)
					return nil
				})
				return true
			}, Handler: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {})}
			c := dial(t, serveWith(t, &jay.Server{Protocol: p, OnError: quiet}))
			_, _ = io.WriteString(c, "PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx")
			if got := soon(t, full, "the body"); got != [2]bool{false, true} {
				t.Errorf("Full before and after 2 MiB were written: %v", got)
			}
			reset.Close(c)
		})
	}
}
