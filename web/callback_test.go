package web_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
)

// What was set can be taken back by nil, also when the client has left already.
func TestCallbacksTakenBack(t *testing.T) {
	t.Parallel()
	p := &web.Protocol{Handler: echoBody, OnHead: func(w *web.ResponseWriter, r *web.Request) bool {
		r.OnBody(func(*web.ResponseWriter, *web.Request, []byte) error { return errors.New("not taken back") })
		r.OnBody(nil)
		return true
	}}
	addr := serveWith(t, &jay.Server{OnError: quiet, Protocol: p})
	const put = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
	if got := ask(t, addr, put); !strings.HasPrefix(got, "HTTP/1.1 200 OK|") {
		t.Errorf("OnBody(nil): %q", got)
	}
	done := make(chan error, 1)
	addr = serveWith(t, &jay.Server{OnError: quiet, Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		l := w.Later()
		l.OnGone(func() {
			l.OnGone(nil) // the client has left by now
			w.WriteString("there")
			done <- l.Finish()
		})
	})})
	if got := ask(t, addr, get); !strings.HasSuffix(got, "|there") {
		t.Errorf("OnGone(nil): %q", got)
	}
	if err := soon(t, done, "OnGone"); err != nil {
		t.Error(err)
	}
}

// A status that is no error cannot be that of an Error: the client would take the
// response for another.
func TestErrorOfNoErrorStatus(t *testing.T) {
	t.Parallel()
	for _, status := range []int{-1, 0, 100, 101, 200, 204, 304, 1000} {
		p := &web.Protocol{Handler: echoBody, OnHead: func(w *web.ResponseWriter, r *web.Request) bool {
			r.OnBody(func(*web.ResponseWriter, *web.Request, []byte) error { return &web.Error{Status: status, Reason: "x"} })
			return true
		}}
		addr := serveWith(t, &jay.Server{OnError: quiet, Protocol: p})
		if got := ask(t, addr, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"); got != alone500 {
			t.Errorf("%d: %q", status, got)
		}
	}
}
