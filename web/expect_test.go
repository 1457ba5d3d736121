package web_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
)

// headWrites are what OnHead may do with its response before it returns: what the
// client gets of that, and what is written.
var headWrites = []struct {
	name, want string
	write      func(w *web.ResponseWriter, file func() *os.File)
}{
	{"nothing", "", func(*web.ResponseWriter, func() *os.File) {}},
	{"a body", "early ", func(w *web.ResponseWriter, _ func() *os.File) { _, _ = w.WriteString("early ") }},
	{"Flush", "", func(w *web.ResponseWriter, _ func() *os.File) { _ = w.Flush() }},
	{"a body and Flush", "early ", func(w *web.ResponseWriter, _ func() *os.File) { _, _ = w.WriteString("early "); _ = w.Flush() }},
	{"Flush, a body and Flush", "early late ", func(w *web.ResponseWriter, _ func() *os.File) {
		_, _ = w.WriteString("early ")
		_ = w.Flush()
		_, _ = w.WriteString("late ")
		_ = w.Flush()
	}},
	{"so much that it is sent", strings.Repeat("x", 70_000), func(w *web.ResponseWriter, _ func() *os.File) {
		_ = w.SetHeader("Content-Length", itoa(70_000+len(bodyOfHandler)))
		_, _ = w.WriteString(strings.Repeat("x", 70_000))
	}},
	{"files", "before file between file behind ", func(w *web.ResponseWriter, file func() *os.File) {
		for _, words := range []string{"before ", "between "} {
			_, _ = w.WriteString(words)
			_ = w.WriteFile(file(), 0, int64(len("file ")))
		}
		_, _ = w.WriteString("behind ")
		_ = w.Flush()
	}},
	{"an interim response", "", func(w *web.ResponseWriter, _ func() *os.File) { _ = w.SendInterim(103) }},
	{"an interim response and Flush", "early ", func(w *web.ResponseWriter, _ func() *os.File) {
		_ = w.SendInterim(103)
		_, _ = w.WriteString("early ")
		_ = w.Flush()
	}},
}

const bodyOfHandler = "8 bytes of body" // what the handler says of bodyOfClient

// expectation is what a client announces of its body, and does with it.
type expectation struct {
	expect  bool
	chunked bool
	there   string // of the body, when the head comes: "none", "part", "all"
	old     bool   // HTTP/1.0, where an expectation is ignored
}

func (e expectation) String() string {
	return fmt.Sprintf("expect %t, chunked %t, %s there, old %t", e.expect, e.chunked, e.there, e.old)
}

// waits reports whether the client sends its body only when it is asked for it.
func (e expectation) waits() bool { return e.expect && e.there == "none" && !e.old }

func (e expectation) request(path string) (head, body string) {
	head = "PUT " + path + " HTTP/1.1\r\nHost: a\r\n"
	if e.old {
		head = "PUT " + path + " HTTP/1.0\r\nHost: a\r\n"
	}
	if e.expect {
		head += "Expect: 100-continue\r\n"
	}
	if e.chunked {
		return head + "Transfer-Encoding: chunked\r\n\r\n", "8\r\n12345678\r\n0\r\n\r\n"
	}
	return head + "Content-Length: 8\r\n\r\n", "12345678"
}

// A client that waits before it sends its body hears what to do, whatever OnHead
// does: 100 and then the response where the body is wanted, the response alone where
// it is not. It never sends a byte that it was not asked for, so a
// server that waits for one waits for ever. Others get the same response without 100.
func TestExpectIsAnswered(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte("file "), 0o600); err != nil {
		t.Fatal(err)
	}
	open := func() *os.File {
		f, err := os.Open(name)
		if err != nil {
			t.Error(err)
		}
		return f
	}
	for i, writes := range headWrites {
		for _, ends := range []string{"true", "false", "later, true", "later, false"} {
			t.Run(writes.name+", "+ends, func(t *testing.T) {
				p := &web.Protocol{OnHead: func(w *web.ResponseWriter, r *web.Request) bool {
					headWrites[i].write(w, open)
					if strings.HasPrefix(ends, "later") {
						l := w.Later()
						if ends == "later, false" {
							r.Conn().Loop().AfterFunc(0, func() { _, _ = l.Writer().WriteString(bodyOfHandler); _ = l.Finish() })
						}
					} else if ends == "false" {
						_, _ = w.WriteString(bodyOfHandler)
					}
					return strings.HasSuffix(ends, "true")
				}, Handler: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
					fmt.Fprintf(w, "%d bytes of body", len(r.BodyView()))
					if ends == "later, true" {
						_ = w.Later().Finish()
					}
				})}
				addr := serveWith(t, &jay.Server{Protocol: p})
				for _, there := range []string{"none", "part", "all"} {
					for _, e := range []expectation{{false, false, there, false}, {false, true, there, false}, {true, false, there, false}, {true, true, there, false}, {true, false, there, true}} {
						checkExpect(t, addr, e, strings.HasSuffix(ends, "true"), writes.want+bodyOfHandler)
					}
				}
			})
		}
	}
}

func checkExpect(t *testing.T, addr string, e expectation, wanted bool, want string) {
	t.Helper()
	c := dial(t, addr)
	defer c.Close()
	head, body := e.request("/")
	sent := map[string]string{"none": "", "part": body[:len(body)/2], "all": body}[e.there]
	_, _ = io.WriteString(c, head+sent)
	if rest := body[len(sent):]; !e.waits() {
		_, _ = io.WriteString(c, rest)
	}
	in, asked := bufio.NewReader(c), 0
	for {
		resp, err := http.ReadResponse(in, &http.Request{Method: "PUT"})
		if err != nil {
			t.Errorf("%v: %v", e, err)
			return
		}
		switch resp.StatusCode {
		case 100:
			if asked++; e.waits() {
				_, _ = io.WriteString(c, body)
			}
			continue
		case 103:
			continue
		}
		got, err := io.ReadAll(resp.Body)
		if err != nil || string(got) != want || resp.StatusCode != 200 {
			t.Errorf("%v: %s, %.60q, %v; want %.60q", e, resp.Status, got, err, want)
		}
		if n := map[bool]int{true: 1}[e.waits() && wanted]; asked != n {
			t.Errorf("%v: 100 came %d times ahead of the response, want %d", e, asked, n)
		}
		if e.waits() && !wanted && !resp.Close {
			t.Errorf("%v: nobody knows whether the body comes, and the response does not say close", e)
		}
		return
	}
}

// What OnHead has sent while the client waits is let go when OnHead does not return
// in order: the client sees an end, and no file is left open, which TestMain
// sees.
func TestExpectIsAnsweredInTheEnd(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte("file "), 0o600); err != nil {
		t.Fatal(err)
	}
	const maxOutput = 100_000
	for how, act := range map[string]func(w *web.ResponseWriter, r *web.Request) bool{
		"panic":                func(*web.ResponseWriter, *web.Request) bool { panic("in OnHead") },
		"aborted":              func(_ *web.ResponseWriter, r *web.Request) bool { r.Conn().Abort(); return true },
		"aborted, and a panic": func(_ *web.ResponseWriter, r *web.Request) bool { r.Conn().Abort(); panic("in OnHead") },
		"closed":               func(_ *web.ResponseWriter, r *web.Request) bool { r.Conn().Close(); return true },
		"too much": func(w *web.ResponseWriter, _ *web.Request) bool {
			if _, err := w.Write(make([]byte, maxOutput+1)); !errors.Is(err, jay.ErrOutputLimit) {
				t.Errorf("Write: %v, want ErrOutputLimit", err)
			}
			return true
		},
		"a body too large": func(_ *web.ResponseWriter, r *web.Request) bool { r.SetMaxBody(7); return true },
	} {
		t.Run(how, func(t *testing.T) {
			addr := serveWith(t, &jay.Server{OnError: quiet,
				Conn: jay.ConnConfig{MaxOutput: maxOutput},
				Protocol: &web.Protocol{Handler: echoBody, OnHead: func(w *web.ResponseWriter, r *web.Request) bool {
					for range 2 {
						f, err := os.Open(name)
						if err != nil {
							t.Error(err)
						}
						_, _ = w.WriteString("early ")
						_ = w.WriteFile(f, 0, 5)
						_ = w.WriteFile(f, 0, 5)
					}
					_ = w.Flush()
					return act(w, r)
				}}})
			c := dial(t, addr)
			head, body := expectation{expect: true}.request("/")
			_, _ = io.WriteString(c, head)
			in := bufio.NewReader(c)
			if b, _ := in.Peek(len("HTTP/1.1 100")); strings.HasSuffix(string(b), " 100") {
				_, _ = io.WriteString(c, body)
			}
			if got, err := io.ReadAll(in); errors.Is(err, os.ErrDeadlineExceeded) || strings.HasSuffix(string(got), "0\r\n\r\n") {
				t.Errorf("got %q, %v, want a response that is cut short, or none", got, err)
			}
		})
	}
}
