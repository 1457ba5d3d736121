package web_test

import (
	"errors"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/reset"
	"github.com/jay-go/jay/web"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// dial connects to a server under test; the connection is closed at the end.
func dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reset.Close(c) })
	_ = c.SetDeadline(time.Now().Add(3 * patience)) // for a whole test
	return c.(*net.TCPConn)
}

// ask sends everything, says that it is done sending, and returns all that
// comes back, with dates as D and lines ended by |.
func ask(t testing.TB, addr, send string) string {
	t.Helper()
	c := dial(t, addr)
	if _, err := io.WriteString(c, send); err != nil {
		t.Fatal(err)
	}
	_ = c.CloseWrite()
	got, err := io.ReadAll(c)
	if err != nil {
		t.Errorf("read: %v", err)
	}
	return plain(string(got))
}

var dates = regexp.MustCompile(`Date: [^\r\n|]* GMT`)

func plain(s string) string {
	return strings.ReplaceAll(dates.ReplaceAllString(s, "Date: D"), "\r\n", "|")
}

// until reads from c until the end of what it has read is want.
func until(t testing.TB, c net.Conn, want string) {
	t.Helper()
	var got []byte
	b := make([]byte, 4096)
	for !strings.HasSuffix(plain(string(got)), want) {
		n, err := c.Read(b)
		got = append(got, b[:n]...)
		if err != nil {
			t.Fatalf("%v after %q, waiting for %q", err, plain(string(got)), want)
		}
	}
}

const (
	get     = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
	head    = "HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n"
	get10   = "GET / HTTP/1.0\r\n\r\n"
	keep10  = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
	getLast = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"

	failed = "Content-Type: text/plain; charset=utf-8|X-Content-Type-Options: nosniff|"
)

func TestAnswers(t *testing.T) {
	hello := func(w *web.ResponseWriter, r *web.Request) { w.WriteString("hello") }
	status := func(code int) web.HandlerFunc {
		return func(w *web.ResponseWriter, r *web.Request) {
			_ = w.SetStatus(code)
			w.WriteString("hello")
		}
	}
	flushed := func(w *web.ResponseWriter, r *web.Request) {
		w.WriteString("hello")
		_ = w.Flush()
		_ = w.Flush() // nothing to send: must not end the chunks
		w.WriteString(" world")
	}
	field := func(name, value string, then web.HandlerFunc) web.HandlerFunc {
		return func(w *web.ResponseWriter, r *web.Request) {
			_ = w.SetHeader(name, value)
			then(w, r)
		}
	}
	for name, c := range map[string]struct {
		handler web.HandlerFunc
		send    string
		want    string
	}{
		"plain":             {hello, get, "HTTP/1.1 200 OK|Content-Length: 5|Date: D||hello"},
		"nothing":           {func(*web.ResponseWriter, *web.Request) {}, get, "HTTP/1.1 200 OK|Content-Length: 0|Date: D||"},
		"HEAD":              {hello, head, "HTTP/1.1 200 OK|Content-Length: 5|Date: D||"},
		"HEAD, not known":   {func(*web.ResponseWriter, *web.Request) {}, head, "HTTP/1.1 200 OK|Date: D||"},
		"HEAD, length set":  {field("Content-Length", "7", func(*web.ResponseWriter, *web.Request) {}), head, "HTTP/1.1 200 OK|Content-Length: 7|Date: D||"},
		"HEAD then GET":     {hello, head + get, "HTTP/1.1 200 OK|Content-Length: 5|Date: D||HTTP/1.1 200 OK|Content-Length: 5|Date: D||hello"},
		"204":               {status(204), get, "HTTP/1.1 204 No Content|Date: D||"},
		"204 with a length": {field("Content-Length", "5", status(204)), get, "HTTP/1.1 204 No Content|Date: D||"},
		"205":               {status(205), get + get, strings.Repeat("HTTP/1.1 205 Reset Content|Content-Length: 0|Date: D||", 2)},
		"205 with a length": {field("Content-Length", "5", status(205)), head + get, strings.Repeat("HTTP/1.1 205 Reset Content|Content-Length: 0|Date: D||", 2)},
		"205, flushed": {func(w *web.ResponseWriter, r *web.Request) { _ = w.SetStatus(205); flushed(w, r) }, get,
			"HTTP/1.1 205 Reset Content|Content-Length: 0|Date: D||"},
		"304":               {status(304), get, "HTTP/1.1 304 Not Modified|Date: D||"},
		"304 with a length": {field("Content-Length", "9", status(304)), get, "HTTP/1.1 304 Not Modified|Content-Length: 9|Date: D||"},
		"404":               {status(404), get, "HTTP/1.1 404 Not Found|Content-Length: 5|Date: D||hello"},
		"close":             {hello, getLast + get, "HTTP/1.1 200 OK|Content-Length: 5|Date: D|Connection: close||hello"},
		"HTTP/1.0":          {hello, get10 + get, "HTTP/1.1 200 OK|Content-Length: 5|Date: D|Connection: close||hello"},
		"HTTP/1.0 kept": {hello, keep10 + get10, "HTTP/1.1 200 OK|Content-Length: 5|Date: D|Connection: keep-alive||hello" +
			"HTTP/1.1 200 OK|Content-Length: 5|Date: D|Connection: close||hello"},
		"the handler closes":           {field("Connection", "close", hello), get + get, "HTTP/1.1 200 OK|Connection: close|Content-Length: 5|Date: D||hello"},
		"the handler closes in a list": {field("Connection", "x, Close", hello), get + get, "HTTP/1.1 200 OK|Connection: x, close|Content-Length: 5|Date: D||hello"},
		"the client closes, the handler keeps": {field("Connection", "keep-alive", hello), getLast,
			"HTTP/1.1 200 OK|Connection: close|Content-Length: 5|Date: D||hello"},
		"flushed":        {flushed, get + get, strings.Repeat("HTTP/1.1 200 OK|Transfer-Encoding: chunked|Date: D||5|hello|6| world|0||", 2)},
		"flushed, 1.0":   {flushed, keep10 + get, "HTTP/1.1 200 OK|Date: D|Connection: close||hello world"},
		"flushed, HEAD":  {flushed, head, "HTTP/1.1 200 OK|Date: D||"},
		"flushed, 204":   {func(w *web.ResponseWriter, r *web.Request) { _ = w.SetStatus(204); _ = w.Flush() }, get, "HTTP/1.1 204 No Content|Date: D||"},
		"flushed, known": {field("Content-Length", "11", flushed), get + get, strings.Repeat("HTTP/1.1 200 OK|Content-Length: 11|Date: D||hello world", 2)},
		"response splitting": {field("X", "a\r\nSet-Cookie: b=c", hello), get + get,
			"HTTP/1.1 500 Internal Server Error|" + failed + "Content-Length: 42|Date: D|Connection: close||Internal Server Error: the handler failed\n"},
		"length too small": {field("Content-Length", "3", hello), get,
			"HTTP/1.1 500 Internal Server Error|" + failed + "Content-Length: 42|Date: D|Connection: close||Internal Server Error: the handler failed\n"},
		"length too small, flushed": {field("Content-Length", "3", flushed), get,
			"HTTP/1.1 500 Internal Server Error|" + failed + "Content-Length: 42|Date: D|Connection: close||Internal Server Error: the handler failed\n"},
		"length too large, flushed": {field("Content-Length", "12", flushed), get + get, "HTTP/1.1 200 OK|Content-Length: 12|Date: D||hello world"},
		"101 without Switch": {status(101), get,
			"HTTP/1.1 500 Internal Server Error|" + failed + "Content-Length: 42|Date: D|Connection: close||Internal Server Error: the handler failed\n"},
		"CONNECT answered like GET": {hello, "CONNECT a.test:1 HTTP/1.1\r\nHost: a.test\r\n\r\n" + get,
			"HTTP/1.1 405 Method Not Allowed|" + failed + "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS|Content-Length: 49|Date: D|Connection: close||" +
				"Method Not Allowed: this server makes no tunnels\n"},
		"panic": {func(w *web.ResponseWriter, r *web.Request) { w.WriteString("half"); panic("x") }, get + get,
			"HTTP/1.1 500 Internal Server Error|" + failed + "Content-Length: 42|Date: D|Connection: close||Internal Server Error: the handler failed\n"},
		"panic after Flush": {func(w *web.ResponseWriter, r *web.Request) { flushed(w, r); panic("x") }, get,
			"HTTP/1.1 200 OK|Transfer-Encoding: chunked|Date: D||5|hello|6| world|"},
		"interim": {func(w *web.ResponseWriter, r *web.Request) {
			_ = w.SetHeader("Content-Length", "1")
			_ = w.SetHeader("Link", "</a>")
			_ = w.SendInterim(103)
			w.WriteString("x")
		}, get + get10, "HTTP/1.1 103 Early Hints|Link: </a>||HTTP/1.1 200 OK|Content-Length: 1|Link: </a>|Date: D||x" +
			"HTTP/1.1 200 OK|Content-Length: 1|Link: </a>|Date: D|Connection: close||x"},
		"cookies": {func(w *web.ResponseWriter, r *web.Request) {
			_ = w.SetCookie(&web.Cookie{Name: "a", Value: "b"})
			_ = w.SetCookie(&web.Cookie{Name: "c"})
		}, get, "HTTP/1.1 200 OK|Set-Cookie: a=b; Path=/; HttpOnly; SameSite=Lax|Set-Cookie: c=; Path=/; HttpOnly; SameSite=Lax|Content-Length: 0|Date: D||"},
		"own date place": {func(w *web.ResponseWriter, r *web.Request) {
			_ = w.SetDate()
			_ = w.SetHeader("X-Last", "y")
		}, get, "HTTP/1.1 200 OK|Date: D|X-Last: y|Content-Length: 0||"},
		"error to HEAD": {hello, "HEAD / HTTP/1.1\r\nBad\r\n\r\n", "HTTP/1.1 400 Bad Request|" + failed + "Content-Length: 70|Date: D|Connection: close||"},
	} {
		t.Run(name, func(t *testing.T) {
			quiet := func(*jay.Conn, error) {}
			addr := serveWith(t, &jay.Server{Protocol: c.handler, OnError: quiet})
			if got := ask(t, addr, c.send); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// What the program did wrong goes to OnError, with what was tried.
func TestMistakesAreReported(t *testing.T) {
	errs := make(chan error, 10)
	addr := serveWith(t, &jay.Server{OnError: func(_ *jay.Conn, err error) { errs <- err },
		Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
			switch r.Path() {
			case "/field":
				if err := w.SetHeader("X", "a\nb"); err == nil {
					t.Error("LF was accepted")
				}
				if _, err := w.WriteString("hidden"); err == nil {
					t.Error("Write went on after a refused field")
				}
			case "/late":
				_ = w.Flush()
				_ = w.SetStatus(404)
			case "/panic":
				panic("boom")
			}
		})})
	for path, want := range map[string]string{"/field": "control character", "/late": "head of the response has been sent", "/panic": "boom", "/%zz": "two hexadecimal digits"} {
		ask(t, addr, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n")
		select {
		case err := <-errs:
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q in it", path, err, want)
			}
		case <-time.After(patience):
			t.Errorf("%s: OnError was not called", path)
		}
	}
}

func TestRequestsOfOneSegmentAreAnsweredOnceEach(t *testing.T) {
	addr := serve(t, echoBody)
	send, want := "", ""
	for _, body := range []string{"0", "", "hello", "0\r\n\r\n", strings.Repeat("x", 9999)} {
		send += "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: " + itoa(len(body)) + "\r\n\r\n" + body
		send += "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
		if body != "" {
			send += hex(len(body)) + "\r\n" + body + "\r\n"
		}
		send += "0\r\n\r\n"
		want += strings.Repeat("HTTP/1.1 200 OK|Content-Length: "+itoa(len(body))+"|Date: D||"+strings.ReplaceAll(body, "\r\n", "|"), 2)
	}
	if got := ask(t, addr, send); got != want {
		t.Errorf("got  %.3000q\nwant %.3000q", got, want)
	}
}

func TestTenMebibytesAreEchoed(t *testing.T) {
	addr := serve(t, echoBody)
	body := make([]byte, 10<<20)
	for i := range body {
		body[i] = byte(i * 7 >> 3)
	}
	for name, framing := range map[string]string{"length": "Content-Length: " + itoa(len(body)) + "\r\n\r\n", "chunked": "Transfer-Encoding: chunked\r\n\r\n"} {
		c := dial(t, addr)
		go func() {
			_, _ = io.WriteString(c, "PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"+framing)
			if name == "length" {
				_, _ = c.Write(body)
				return
			}
			for rest := body; len(rest) > 0; {
				n := min(len(rest), 77_777)
				_, _ = io.WriteString(c, hex(n)+"\r\n"+string(rest[:n])+"\r\n")
				rest = rest[n:]
			}
			_, _ = io.WriteString(c, "0\r\n\r\n")
		}()
		got, err := io.ReadAll(c)
		_, echoed, _ := strings.Cut(string(got), "\r\n\r\n")
		if echoed != string(body) || err != nil {
			t.Errorf("%s: %d bytes came back, %v", name, len(echoed), err)
		}
	}
}

// A client that sends more than is allowed reads the answer all the same: no
// reset destroys it.
func TestTooLargeABodyIsAnsweredBeforeTheClose(t *testing.T) {
	addr := serveWith(t, &jay.Server{Protocol: &web.Protocol{Handler: echoBody, MaxBody: 1000}, OnError: func(*jay.Conn, error) {}})
	for name, start := range map[string]string{
		"length":  "Content-Length: 10000000\r\n\r\n",
		"chunked": "Transfer-Encoding: chunked\r\n\r\n989680\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, addr)
			if _, err := io.WriteString(c, "PUT / HTTP/1.1\r\nHost: a\r\n"+start); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write(make([]byte, 10_000_000)); err != nil {
				t.Errorf("sending: %v", err)
			}
			_ = c.CloseWrite()
			got, err := io.ReadAll(c)
			if !strings.HasPrefix(string(got), "HTTP/1.1 413 Content Too Large\r\n") || err != nil {
				t.Errorf("%.100q, %v", got, err)
			}
		})
	}
}

func TestRawRequest(t *testing.T) {
	reflect := func(w *web.ResponseWriter, r *web.Request) {
		_, _ = w.Write(r.RawHead())
		_, _ = w.Write(r.BodyView())
		w.WriteString(r.Trailer("x"))
	}
	addr := serveWith(t, &jay.Server{Protocol: &web.Protocol{Handler: web.HandlerFunc(reflect), RawBody: true, MaxBody: 100}, OnError: func(*jay.Conn, error) {}})
	request := "POST /a?b HTTP/1.1\r\nhost:a\r\nTRANSFER-encoding:   chunked\t\r\n\r\n5;x\r\nhello\r\n00\r\nX: y\r\n\r\n"
	for i := range len(request) {
		c := dial(t, addr)
		_, _ = io.WriteString(c, "\r\n"+request[:i])
		time.Sleep(time.Millisecond) // a hint to the kernel to make it two segments
		_, _ = io.WriteString(c, request[i:])
		want := plain("HTTP/1.1 200 OK\r\nContent-Length: " + itoa(len(request)+1) + "\r\nDate: D\r\n\r\n" + request + "y")
		until(t, c, want)
	}
	many := "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\nx\r\n", 50) + "0\r\n\r\n"
	if got := ask(t, addr, many); !strings.HasPrefix(got, "HTTP/1.1 413 ") {
		t.Errorf("300 raw bytes of 50: %q", got)
	}
}

func TestClientLearnsThatAStreamWasCutShort(t *testing.T) {
	addr := serveWith(t, &jay.Server{OnError: func(*jay.Conn, error) {}, Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		w.WriteString("half")
		_ = w.Flush()
		panic("x")
	})})
	c := dial(t, addr)
	_, _ = io.WriteString(c, get10)
	got, err := io.ReadAll(c)
	if err == nil {
		t.Errorf("%q, and then an end like that of a whole answer", got)
	}
	var netErr *net.OpError
	if !errors.As(err, &netErr) {
		t.Error(err)
	}
}

// The path of a request is its own, whatever the connection was asked for
// before.
func TestPathsAreNotMixedUp(t *testing.T) {
	addr := serve(t, web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		w.WriteString(r.Path() + " " + r.Path() + ";")
	}))
	long := "/" + strings.Repeat("a", 1000)
	targets := []string{"/a", "/a", "/%61", "/a/../b", "/a", "http://a.test", "http://a.test/%61", "http://a.test?/a", "/", long, long + "b", "/a"}
	paths := []string{"/a", "/a", "/a", "/b", "/a", "/", "/a", "/", "/", long, long + "b", "/a"}
	var send, want strings.Builder
	for i, target := range targets {
		send.WriteString(strings.Replace(get, "/", target, 1))
		want.WriteString(paths[i] + " " + paths[i] + ";")
	}
	send.WriteString("OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n")
	want.WriteString("* *;")
	var got strings.Builder
	for _, r := range parseResponses([]byte(strings.ReplaceAll(ask(t, addr, send.String()), "|", "\r\n")), nil, true) {
		got.WriteString(r.body)
	}
	if got.String() != want.String() {
		t.Errorf("got  %s\nwant %s", got.String(), want.String())
	}
}
