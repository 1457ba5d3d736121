package web_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/reset"
	"github.com/jay-go/jay/web"
)

func quiet(*jay.Conn, error) {}

func TestEarlyAnswers(t *testing.T) {
	p := &web.Protocol{Handler: echoBody, OnHead: func(w *web.ResponseWriter, r *web.Request) bool {
		if r.Path() == "/no" {
			_ = w.SetStatus(403)
			return false
		}
		return true
	}}
	addr := serveWith(t, &jay.Server{Protocol: p, OnError: quiet})
	no := "HTTP/1.1 403 Forbidden|Content-Length: 0|Date: D|"
	ok := "HTTP/1.1 200 OK|Content-Length: 0|Date: D||"
	const put = "PUT /no HTTP/1.1\r\nHost: a\r\n"
	for name, c := range map[string]struct{ send, want string }{
		"no body":                     {put + "\r\n" + get, no + "|" + ok},
		"a small one is passed over":  {put + "Content-Length: 5\r\n\r\nGET /" + get, no + "|" + ok},
		"of a large one nothing runs": {put + "Content-Length: 100000\r\n\r\n" + get, no + "Connection: close||"},
		"chunked: nothing runs":       {put + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get, no + "Connection: close||"},
		"no 100 for what is refused":  {put + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", no + "Connection: close||"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ask(t, addr, c.send); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			for cut := range len(c.send) {
				conn := dial(t, addr)
				_, _ = io.WriteString(conn, c.send[:cut])
				_, _ = io.WriteString(conn, c.send[cut:])
				until(t, conn, c.want)
				reset.Close(conn)
			}
		})
	}
}

// The client that did not stop sending reads its early answer all the same.
func TestEarlyAnswerIsNotDestroyedByAReset(t *testing.T) {
	p := &web.Protocol{Handler: echoBody, OnHead: func(w *web.ResponseWriter, r *web.Request) bool {
		w.WriteString("stop")
		return false
	}}
	addr := serve(t, p)
	c := dial(t, addr)
	_, _ = io.WriteString(c, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n")
	if _, err := c.Write(make([]byte, 20_000_000)); err != nil {
		t.Errorf("sending: %v", err)
	}
	_ = c.CloseWrite()
	if got, err := io.ReadAll(c); !strings.HasSuffix(string(got), "\r\n\r\nstop") || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// What was flushed before the body has come is the head of the answer; no
// 100 follows it, so nobody knows what the client does with the body.
func TestAnswerThatBeginsBeforeTheBody(t *testing.T) {
	p := &web.Protocol{Handler: echoBody, OnHead: func(w *web.ResponseWriter, r *web.Request) bool {
		return w.Flush() == nil
	}}
	addr := serve(t, p)
	c := dial(t, addr)
	_, _ = io.WriteString(c, "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	until(t, c, "HTTP/1.1 200 OK|Transfer-Encoding: chunked|Date: D|Connection: close||")
	_, _ = io.WriteString(c, "hello"+getLast)
	if got := toTheEnd(t, c); got != "5|hello|0||" {
		t.Errorf("got %q", got)
	}

	c = dial(t, addr)
	_, _ = io.WriteString(c, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
	until(t, c, "HTTP/1.1 200 OK|Transfer-Encoding: chunked|Date: D||")
	_, _ = io.WriteString(c, "hello"+getLast)
	until(t, c, "5|hello|0||HTTP/1.1 200 OK|Transfer-Encoding: chunked|Date: D|Connection: close||0||")
}

func TestExpect100(t *testing.T) {
	addr := serveWith(t, &jay.Server{Protocol: &web.Protocol{Handler: echoBody, MaxBody: 10}, OnError: quiet})
	head := func(fields string) string {
		return "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" + fields + "\r\n"
	}
	const goOn = "HTTP/1.1 100 Continue||"
	for name, c := range map[string]struct{ first, answer, then, final string }{
		"the body is wanted":   {head("Content-Length: 5\r\n"), goOn, "hello", "HTTP/1.1 200 OK|Content-Length: 5|Date: D||hello"},
		"chunked":              {head("Transfer-Encoding: chunked\r\n"), goOn, "1\r\nx\r\n0\r\n\r\n", "HTTP/1.1 200 OK|Content-Length: 1|Date: D||x"},
		"it is there already":  {head("Content-Length: 5\r\n") + "hello", "HTTP/1.1 200 OK|Content-Length: 5|Date: D||hello", "", ""},
		"it began already":     {head("Content-Length: 5\r\n") + "he", "", "llo", "HTTP/1.1 200 OK|Content-Length: 5|Date: D||hello"},
		"no body":              {head("Content-Length: 0\r\n"), "HTTP/1.1 200 OK|Content-Length: 0|Date: D||", "", ""},
		"the body is too long": {head("Content-Length: 11\r\n"), "HTTP/1.1 413 ", "", ""},
		"another expectation":  {strings.Replace(head(""), "100-", "200-", 1), "HTTP/1.1 417 ", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, addr)
			_, _ = io.WriteString(conn, c.first)
			b := make([]byte, len(c.answer)+len("||||||")) // lines are two bytes here
			if c.answer != "" {
				n, err := io.ReadAtLeast(conn, b, len("HTTP/1.1 413 "))
				if got := plain(string(b[:n])); !strings.HasPrefix(got, c.answer[:min(len(c.answer), 13)]) || err != nil {
					t.Fatalf("got %q, %v; want %q", got, err, c.answer)
				}
			}
			if c.then != "" {
				_, _ = io.WriteString(conn, c.then)
				until(t, conn, c.final)
			}
		})
	}
}

// A body is taken as it arrives, at the program's pace: 8 MiB with pauses.
func TestBodyAsItArrives(t *testing.T) {
	const total = 8 << 20
	sum, pieces, inPause := 0, 0, false
	p := &web.Protocol{
		MaxBody: 1000,
		OnHead: func(w *web.ResponseWriter, r *web.Request) bool {
			r.SetMaxBody(-1)
			r.OnBody(func(w *web.ResponseWriter, r *web.Request, b []byte) error {
				if inPause {
					t.Error("a piece came in the pause")
				}
				sum += len(b)
				if pieces++; pieces%16 == 0 {
					inPause = true
					pause := r.PauseBody()
					r.PauseBody() // once more changes nothing
					r.Conn().Loop().AfterFunc(5*time.Millisecond, func() { inPause = false; _ = pause.Resume() })
				}
				return nil
			})
			return true
		},
		Handler: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
			fmt.Fprintf(w, "%d bytes, %d kept, paused %v", sum, len(r.BodyView()), inPause)
			sum = 0
		}),
	}
	addr := serve(t, p)
	for name, framing := range map[string]string{
		"length":  "Content-Length: " + itoa(total) + "\r\n\r\n" + strings.Repeat("x", total),
		"chunked": "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("100000\r\n"+strings.Repeat("x", 1<<20)+"\r\n", 8) + "0\r\n\r\n",
	} {
		if got := ask(t, addr, "PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"+framing); !strings.HasSuffix(got, "||"+itoa(total)+" bytes, 0 kept, paused false") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// The handler is called after a pause that began with the last piece, and the
// body's deadlines rest meanwhile.
func TestPauseAtTheEndOfABody(t *testing.T) {
	t.Parallel()
	for name, framing := range map[string]string{"length": "Content-Length: 5\r\n\r\nhello", "chunked": "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			paused := false
			p := &web.Protocol{
				IdleTimeout: time.Second,
				OnHead: func(w *web.ResponseWriter, r *web.Request) bool {
					r.OnBody(func(w *web.ResponseWriter, r *web.Request, b []byte) error {
						paused = true
						pause := r.PauseBody()
						r.Conn().Loop().AfterFunc(1500*time.Millisecond, func() { paused = false; _ = pause.Resume() })
						return nil
					})
					return true
				},
				Handler: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) { fmt.Fprint(w, "paused: ", paused) }),
			}
			addr := serve(t, p)
			want := "HTTP/1.1 200 OK|Content-Length: 13|Date: D||paused: false"
			if got := ask(t, addr, "PUT / HTTP/1.1\r\nHost: a\r\n"+framing+"PUT / HTTP/1.1\r\nHost: a\r\n"+framing); got != want+want {
				t.Errorf("%q", got)
			}
		})
	}
}

// A pause that outlives its request, or its connection, says so.
func TestPauseOutlivesTheClient(t *testing.T) {
	resumed := make(chan error, 1)
	p := &web.Protocol{Handler: echoBody, OnHead: func(w *web.ResponseWriter, r *web.Request) bool {
		r.OnBody(func(w *web.ResponseWriter, r *web.Request, b []byte) error {
			c, pause := r.Conn(), r.PauseBody()
			c.Loop().AfterFunc(10*time.Millisecond, c.Abort)
			c.Loop().AfterFunc(50*time.Millisecond, func() { resumed <- pause.Resume() })
			return nil
		})
		return true
	}}
	addr := serveWith(t, &jay.Server{Protocol: p, OnError: func(_ *jay.Conn, err error) { t.Errorf("OnError: %v", err) }})
	_, _ = io.WriteString(dial(t, addr), "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel")
	if err := soon(t, resumed, "the end of the pause"); !errors.Is(err, jay.ErrClosed) {
		t.Errorf("Resume: %v", err)
	}
}

func TestIncompleteRequestOfAClientThatIsDone(t *testing.T) {
	addr := serveWith(t, &jay.Server{Protocol: echoBody, OnError: quiet})
	for _, send := range []string{get[:len(get)-1], "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell"} {
		if got := ask(t, addr, send); !strings.HasPrefix(got, "HTTP/1.1 400 ") {
			t.Errorf("%q: %q", send, got)
		}
	}
}

func TestBodyCallbackRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"with a status": {&web.Error{Status: 415, Reason: "no"}, "HTTP/1.1 415 "},
		"otherwise":     {errors.New("disk full"), "HTTP/1.1 500 "},
	} {
		reported := make(chan error, 1)
		p := &web.Protocol{Handler: echoBody, OnHead: func(w *web.ResponseWriter, r *web.Request) bool {
			r.OnBody(func(*web.ResponseWriter, *web.Request, []byte) error { return c.err })
			return true
		}}
		addr := serveWith(t, &jay.Server{Protocol: p, OnError: func(_ *jay.Conn, err error) { reported <- err }})
		if got := ask(t, addr, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"+get); !strings.HasPrefix(got, c.want) || strings.Count(got, "HTTP/1.1") != 1 {
			t.Errorf("%s: %q", name, got)
		}
		if err := soon(t, reported, "OnError"); !errors.Is(err, c.err) {
			t.Errorf("%s: OnError got %v", name, err)
		}
	}
}

func TestLimitOfOneRequestsBody(t *testing.T) {
	p := &web.Protocol{Handler: echoBody, MaxBody: 3, OnHead: func(w *web.ResponseWriter, r *web.Request) bool {
		if r.Path() == "/upload" {
			r.SetMaxBody(5)
		}
		return true
	}}
	addr := serveWith(t, &jay.Server{Protocol: p, OnError: quiet})
	for path, want := range map[string]string{"/upload": "HTTP/1.1 200 ", "/": "HTTP/1.1 413 "} {
		for _, framing := range []string{"Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"} {
			if got := ask(t, addr, "PUT "+path+" HTTP/1.1\r\nHost: a\r\n"+framing); !strings.HasPrefix(got, want) {
				t.Errorf("%s %.20q: %q", path, framing, got)
			}
		}
	}
}

// The limit does not pass from one request of a connection to the next.
func TestLimitIsOfOneRequest(t *testing.T) {
	p := &web.Protocol{Handler: echoBody, MaxBody: 3, OnHead: func(w *web.ResponseWriter, r *web.Request) bool {
		if r.Path() == "/upload" {
			r.SetMaxBody(100)
		}
		return true
	}}
	addr := serveWith(t, &jay.Server{Protocol: p, OnError: quiet})
	request := "PUT /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
	got := ask(t, addr, request+strings.Replace(request, "/upload", "/", 1))
	if !strings.HasPrefix(got, "HTTP/1.1 200 ") || !strings.Contains(got, "HTTP/1.1 413 ") {
		t.Errorf("got %q", got)
	}
}
