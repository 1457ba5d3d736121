package web_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
)

// TestUploadsThatTheServerHoldsUp: while this side does not read, whatever the
// reason, no time of the client's passes. What it has is little more than a busy
// machine needs, and the pauses are longer.
func TestUploadsThatTheServerHoldsUp(t *testing.T) {
	if testing.Short() {
		t.Skip("pauses uploads for some seconds")
	}
	t.Parallel()
	const timeout, pause = 3 * time.Second, 4 * time.Second
	const large = 8 << 20 // more than kernels take
	for name, hold := range map[string]func(w *web.ResponseWriter, r *web.Request){
		"PauseBody": func(w *web.ResponseWriter, r *web.Request) {
			p := r.PauseBody()
			r.Conn().Loop().AfterFunc(pause, func() { _ = p.Resume() })
		},
		"PauseRead": func(w *web.ResponseWriter, r *web.Request) {
			c := r.Conn()
			c.PauseRead()
			c.Loop().AfterFunc(pause, c.ResumeRead)
		},
		"a response that the client has to take first": func(w *web.ResponseWriter, r *web.Request) {
			_, _ = w.Write(make([]byte, large))
			_ = w.Flush()
		},
	} {
		for limit, p := range map[string]*web.Protocol{
			"BodyTimeout": {BodyTimeout: timeout},
			"IdleTimeout": {IdleTimeout: timeout},
		} {
			t.Run(name+", "+limit, func(t *testing.T) {
				t.Parallel()
				first := true
				p.OnHead = func(w *web.ResponseWriter, r *web.Request) bool {
					r.OnBody(func(w *web.ResponseWriter, r *web.Request, b []byte) error {
						if first {
							first = false
							hold(w, r)
						}
						return nil
					})
					return true
				}
				p.Handler = web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) { w.WriteString("done") })
				c := dial(t, serve(t, p))
				_, _ = io.WriteString(c, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n12345")
				time.Sleep(pause) // the client's part of it
				_, _ = io.WriteString(c, "6789")
				response, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil {
					t.Fatal(err)
				}
				if body, err := io.ReadAll(response.Body); response.StatusCode != 200 || !strings.HasSuffix(string(body), "done") {
					t.Errorf("%d, %d bytes, %v", response.StatusCode, len(body), err)
				}
			})
		}
	}
}

// After a pause the client's time goes on where it was.
func TestTimeGoesOnAfterAPause(t *testing.T) {
	t.Parallel()
	p := &web.Protocol{Handler: echoBody, BodyTimeout: time.Second, OnHead: func(w *web.ResponseWriter, r *web.Request) bool {
		r.OnBody(func(w *web.ResponseWriter, r *web.Request, b []byte) error {
			pause := r.PauseBody()
			r.Conn().Loop().AfterFunc(time.Second/2, func() { _ = pause.Resume() })
			return nil
		})
		return true
	}}
	addr := serveWith(t, &jay.Server{Protocol: p, OnError: quiet})
	began := time.Now()
	c := dial(t, addr)
	_, _ = io.WriteString(c, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n12345")
	if got := closedAfter(t, c, began, 1500*time.Millisecond); !strings.HasPrefix(got, "HTTP/1.1 408 ") {
		t.Errorf("got %q", got)
	}
}

// The time between two requests begins when the response has left.
func TestSlowReaderIsNotIdle(t *testing.T) {
	if testing.Short() {
		t.Skip("reads slowly for some seconds")
	}
	t.Parallel()
	const size = 12 << 20
	p := &web.Protocol{IdleTimeout: 2 * time.Second, Handler: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		if r.Path() == "/large" {
			_, _ = w.Write(make([]byte, size))
		}
	})}
	c := dial(t, serve(t, p))
	_, _ = io.WriteString(c, strings.Replace(get, "/", "/large", 1))
	time.Sleep(3 * time.Second)
	in := bufio.NewReader(c)
	for _, want := range []int{size, 0} {
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(response.Body); len(body) != want || response.Close || err != nil {
			t.Fatalf("%d of %d bytes, close %v, %v", len(body), want, response.Close, err)
		}
		_, _ = io.WriteString(c, get)
	}
}
