package web_test

import (
	"io"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
)

// A pause that begins with the last piece of a raw body ends after others were
// served: the trailer section is still this request's.
func TestTrailerAfterAPause(t *testing.T) {
	pauses, handled := make(chan func(), 1), make(chan bool, 1)
	p := &web.Protocol{RawBody: true, OnHead: func(w *web.ResponseWriter, r *web.Request) bool {
		if r.Method() != "PUT" {
			return true
		}
		r.OnBody(func(w *web.ResponseWriter, r *web.Request, b []byte) error {
			pause, c := r.PauseBody(), r.Conn().Ref()
			pauses <- func() { _ = c.Do(func(*jay.Conn) { _ = pause.Resume() }) }
			return nil
		})
		return true
	}, Handler: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		if r.Method() != "PUT" {
			return
		}
		for name, value := range r.Trailers() {
			w.WriteString(name + "=" + value + ";")
		}
		w.WriteString(r.Trailer("sum") + r.Header("x"))
		handled <- true
	})}
	addr := serve(t, p)
	c, other := dial(t, addr), dial(t, addr)
	const request = "PUT / HTTP/1.1\r\nHost: a\r\nX: mine\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nSum: 42\r\nAnother: field\r\n\r\n"
	for cut := 0; cut < len(request); cut += 3 {
		_, _ = io.WriteString(c, request[:cut])
		_, _ = io.WriteString(c, request[cut:])
		for waiting := true; waiting; {
			select {
			case resume := <-pauses:
				_, _ = io.WriteString(other, "GET /"+strings.Repeat("/another-client", 50)+" HTTP/1.1\r\nHost: a\r\n\r\n")
				until(t, other, "HTTP/1.1 200 OK|Content-Length: 0|Date: D||")
				resume()
			case <-handled:
				waiting = false
			case <-time.After(patience):
				t.Fatal("the handler was not called")
			}
		}
		until(t, c, "HTTP/1.1 200 OK|Content-Length: 27|Date: D||Sum=42;Another=field;42mine")
	}
}

// What is iterated over when its request is over yields nothing, and not what
// is there of the next one.
func TestIteratorsEndWithTheirRequest(t *testing.T) {
	var old map[string]iter.Seq2[string, string] // loop only
	addr := serve(t, web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		for name, seq := range old {
			for k, v := range seq {
				t.Errorf("%s yields %q, %q in another request", name, k, v)
			}
		}
		old = map[string]iter.Seq2[string, string]{"Headers": r.Headers(), "Cookies": r.Cookies(), "Queries": r.Queries(), "Trailers": r.Trailers()}
		for name, seq := range old {
			n := 0
			for range seq {
				n++
			}
			if n == 0 {
				t.Errorf("%s yields nothing in its request", name)
			}
		}
		if r.Path() == "/finish" { // the request ends while it is gone through
			l := w.Later()
			for range r.Headers() {
				_ = l.Finish()
			}
		}
	}))
	c := dial(t, addr)
	for _, path := range []string{"/a", "/finish", "/a", "/a"} {
		_, _ = io.WriteString(c, "PUT "+path+"?q=1 HTTP/1.1\r\nHost: a\r\nCookie: a=b\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n")
		until(t, c, "HTTP/1.1 200 OK|Content-Length: 0|Date: D||")
	}
}
