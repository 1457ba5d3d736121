package web_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
)

// logged has what is logged by default while the test runs.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func captureLog(t *testing.T) *logged {
	before, l := slog.Default(), new(logged)
	slog.SetDefault(slog.New(slog.NewTextHandler(l, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return l
}

// What a program does about a field that was refused. A line break is what a
// client would pass on to split the response.
var refusedFields = map[string]struct {
	handler web.HandlerFunc
	status  int
	body    string
	logged  string // "" for nothing
}{
	"a field, ignored": {func(w *web.ResponseWriter, r *web.Request) {
		_ = w.SetHeader("X-A", "hidden\r\n")
		w.WriteString("not sent")
	}, 500, "Internal Server Error: the handler failed\n", "set field X-A"},
	"a field, ignored before others": {func(w *web.ResponseWriter, r *web.Request) {
		_ = w.SetHeader("X-A", "hidden\r\n")
		_ = w.SetHeader("X-B", "b")
		_ = w.SetStatus(201)
	}, 500, "Internal Server Error: the handler failed\n", "set field X-A"},
	"a cookie, ignored": {func(w *web.ResponseWriter, r *web.Request) {
		_ = w.SetCookie(&web.Cookie{Name: "a", Value: "hidden;"})
	}, 500, "Internal Server Error: the handler failed\n", "set cookie"},
	"a status, ignored": {func(w *web.ResponseWriter, r *web.Request) { _ = w.SetStatus(99) },
		500, "Internal Server Error: the handler failed\n", "set status 99"},
	"two fields, one set after all": {func(w *web.ResponseWriter, r *web.Request) {
		_ = w.SetHeader("X-A", "hidden\r\n")
		_ = w.SetHeader("X-B", "hidden\r\n")
		_ = w.SetHeader("X-A", "a")
	}, 500, "Internal Server Error: the handler failed\n", "set field X-A"},

	"a field, answered 400": {func(w *web.ResponseWriter, r *web.Request) {
		if err := w.SetHeader("X-A", "hidden\r\n"); err != nil {
			_ = w.SetStatus(400)
			w.WriteString("no such name")
		}
	}, 400, "no such name", ""},
	"a cookie, answered 400": {func(w *web.ResponseWriter, r *web.Request) {
		if err := w.SetCookie(&web.Cookie{Name: "a", Value: "hidden;"}); err != nil {
			_ = w.SetStatus(400)
			_ = w.SetContentType("text/plain")
			w.WriteString("no such name")
		}
	}, 400, "no such name", ""},
	"a field, encoded then": {func(w *web.ResponseWriter, r *web.Request) {
		if w.SetHeader("X-A", "hidden\r\n") != nil {
			_ = w.SetHeader("x-a", "encoded")
		}
		w.WriteString(w.Header("X-A"))
	}, 200, "encoded", ""},
	"a cookie, encoded then": {func(w *web.ResponseWriter, r *web.Request) {
		if w.SetCookie(&web.Cookie{Name: "a", Value: "hidden;"}) != nil {
			_ = w.SetCookie(&web.Cookie{Name: "a", Value: "b"})
		}
	}, 200, "", ""},
	"a field, done without": {func(w *web.ResponseWriter, r *web.Request) {
		if w.AddHeader("X-A", "hidden\r\n") != nil {
			_ = w.DelHeader("X-A")
		}
		w.WriteString("ok")
	}, 200, "ok", ""},
	"a status, another then": {func(w *web.ResponseWriter, r *web.Request) {
		if w.SetStatus(99) != nil {
			_ = w.SetStatus(202)
		}
	}, 202, "", ""},
	"begun anew": {func(w *web.ResponseWriter, r *web.Request) {
		_ = w.SetHeader("Content-Length", "3")
		w.WriteString("a list that")
		if w.SetHeader("X-A", "hidden\r\n") != nil && w.Reset() == nil {
			w.WriteString("nothing")
		}
	}, 200, "nothing", ""},
	"an upgrade that was not offered": {func(w *web.ResponseWriter, r *web.Request) {
		if w.Switch(&shout{}) != nil {
			_ = w.SetStatus(426)
		}
	}, 426, "", ""},
}

// A field that may not be sent: who ignores the error gets 500 for his client
// and a line in the log; who looks at it can answer what he likes.
func TestRefusedFields(t *testing.T) {
	for name, c := range refusedFields {
		t.Run(name, func(t *testing.T) {
			log := captureLog(t)
			addr := serve(t, c.handler)
			client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
			response, err := client.Get("http://" + addr + "/")
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			if response.StatusCode != c.status || string(body) != c.body || err != nil {
				t.Errorf("%d, %q, %v; want %d, %q", response.StatusCode, body, err, c.status, c.body)
			}
			text := log.String()
			if c.logged == "" && text != "" || !strings.Contains(text, c.logged) || strings.Contains(text, "hidden") {
				t.Errorf("logged %q, want %q in it", text, c.logged)
			}
		})
	}
}

// Without an OnError the log has what the program has done wrong, once, and
// nothing of what a client has.
func TestWhatIsLoggedByDefault(t *testing.T) {
	p := &web.Protocol{Handler: echoBody, MaxBody: 10, OnHead: func(w *web.ResponseWriter, r *web.Request) bool {
		switch r.Path() {
		case "/disk":
			r.OnBody(func(*web.ResponseWriter, *web.Request, []byte) error { return errors.New("the disk is full") })
		case "/media":
			r.OnBody(func(*web.ResponseWriter, *web.Request, []byte) error {
				return &web.Error{Status: 415, Reason: "no"}
			})
		}
		return true
	}}
	for name, c := range map[string]struct{ send, want string }{
		"no request":      {"nonsense\r\n\r\n", ""},
		"no version":      {"GET / HTTP/3.0\r\n\r\n", ""},
		"a long body":     {"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n", ""},
		"half a body":     {"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nx", ""},
		"a refused body":  {"PUT /media HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", ""},
		"our own failure": {"PUT /disk HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "the disk is full"},
	} {
		t.Run(name, func(t *testing.T) {
			log := captureLog(t)
			addr, stop := start(t, &jay.Server{Protocol: p})
			ask(t, addr, c.send)
			stop()
			if text := log.String(); c.want == "" && text != "" || c.want != "" && strings.Count(text, c.want) != 1 {
				t.Errorf("logged %q, want %q in it", text, c.want)
			}
		})
	}
}
