package web_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
)

// What the program of TestEndsBeforeTheBody does with a request is its query.
var (
	// headGoesOut is when the response's head is sent.
	headGoesOut = []string{"end", "flush-in-OnHead", "large-in-OnHead", "flush-in-OnBody", "large-in-OnBody"}

	// exchangeEnds is how the program ends its part.
	exchangeEnds = []string{"handler", "OnHead-false", "OnHead-later", "OnHead-panic", "OnHead-switch",
		"OnBody-error", "OnBody-panic", "pause", "pause-error", "later", "panic"}
)

// bodySent is how the body of a request is framed, and what of it the client
// sends.
type bodySent struct {
	name    string
	length  int // of the body
	chunked bool
	expect  bool // Expect: 100-continue, and the body waits for it
}

var bodiesSent = []bodySent{
	{name: "none"},
	{name: "length", length: 400},
	{name: "length-large", length: 100_000},
	{name: "chunked", length: 400, chunked: true},
	{name: "chunked-large", length: 100_000, chunked: true},
	{name: "withheld", length: 400, expect: true},
	{name: "withheld-chunked", length: 400, chunked: true, expect: true},
}

func (b bodySent) query(out, ends string) string {
	return "head=" + out + "&ends=" + ends + "&body=" + b.name
}

const hiddenRequest = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"

// request returns the head and the body, which is full of requests that must
// never be read as such.
func (b bodySent) request(out, ends string) (head, body string) {
	head = "PUT /first?" + b.query(out, ends) + " HTTP/1.1\r\nHost: a\r\n"
	if b.expect {
		head += "Expect: 100-continue\r\n"
	}
	if ends == "OnHead-switch" {
		head += "Connection: Upgrade\r\nUpgrade: shout\r\n"
	}
	body = strings.Repeat(hiddenRequest, b.length/len(hiddenRequest)+1)[:b.length]
	switch {
	case b.chunked:
		head += "Transfer-Encoding: chunked\r\n"
		half := len(body) / 2
		body = hex(half) + "\r\n" + body[:half] + "\r\n" + hex(len(body)-half) + "\r\n" + body[half:] + "\r\n0\r\n\r\n"
	case b.length > 0:
		head += "Content-Length: " + itoa(b.length) + "\r\n"
	}
	return head + "\r\n", body
}

// keeps is the rule of docs/http.md: whether the connection can be used after
// the response, and whether that does not depend on how the bytes were cut.
func (b bodySent) keeps(out, ends string) (keeps, sure bool) {
	known := !b.chunked && !b.expect && b.length <= 64<<10
	fails := isFailure(ends)
	if strings.HasPrefix(ends, "OnBody") || strings.HasPrefix(ends, "pause") {
		fails = fails && (b.length > 0 || out == "large-in-OnHead") // it is called, or the length was wrong
	}
	switch {
	case fails:
		return false, true
	case strings.HasSuffix(out, "in-OnHead"), strings.HasPrefix(ends, "OnHead"):
		return known, true
	case strings.HasSuffix(out, "in-OnBody"):
		return true, known
	}
	return true, true
}

func isFailure(ends string) bool {
	for _, how := range []string{"error", "panic", "switch"} {
		if strings.HasSuffix(ends, how) {
			return true
		}
	}
	return false
}

// endings is the program under test.
type endings struct {
	mu   sync.Mutex
	seen map[string][]string // by the query of the first request: paths of requests
}

func (e *endings) note(c *jay.Conn, path string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	key, _ := c.Value().(string)
	e.seen[key] = append(e.seen[key], path)
}

func (e *endings) paths(key string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.seen[key], " ")
}

// sendHead has the head go out in the way that the query says, if this is where.
// Of a large response all is sent where the exchange ends well; otherwise the
// client has to see that it was cut short.
func sendHead(w *web.ResponseWriter, r *web.Request, where string) {
	out, ends := r.Query("head"), r.Query("ends")
	switch out {
	case "flush-in-" + where:
		_ = w.Flush()
	case "large-in-" + where:
		if w.Header("Content-Length") != "" {
			return // a later piece
		}
		const size = 70_000
		length := size
		if isFailure(ends) {
			length++
		}
		_ = w.SetHeader("Content-Length", itoa(length))
		_, _ = w.Write(make([]byte, size))
	}
}

func (e *endings) onHead(w *web.ResponseWriter, r *web.Request) bool {
	if r.Path() == "/first" {
		r.Conn().SetValue(r.RawQuery())
	}
	e.note(r.Conn(), r.Path())
	sendHead(w, r, "OnHead")
	switch r.Query("ends") {
	case "OnHead-false":
		return false
	case "OnHead-later":
		l := w.Later()
		r.Conn().Loop().AfterFunc(0, func() { _ = l.Finish() })
		return false
	case "OnHead-panic":
		panic("in OnHead")
	case "OnHead-switch":
		_ = w.SetStatus(101)
		_ = w.Switch(&shout{})
		return false
	}
	r.OnBody(e.onBody)
	return true
}

func (e *endings) onBody(w *web.ResponseWriter, r *web.Request, b []byte) error {
	sendHead(w, r, "OnBody")
	switch r.Query("ends") {
	case "OnBody-error":
		return errors.New("no more")
	case "OnBody-panic":
		panic("in OnBody")
	case "pause", "pause-error":
		pause := r.PauseBody()
		r.Conn().Loop().AfterFunc(0, func() { _ = pause.Resume() })
		if r.Query("ends") == "pause-error" {
			return errors.New("no more")
		}
	}
	return nil
}

func (e *endings) handle(w *web.ResponseWriter, r *web.Request) {
	switch r.Query("ends") {
	case "later":
		l := w.Later()
		r.Conn().Loop().AfterFunc(0, func() { _ = l.Finish() })
	case "panic":
		panic("in the handler")
	}
}

// Whatever ends before its body has been read: no byte of a body is read as a
// request, and the response says close if and only if the connection closes.
func TestEndsBeforeTheBody(t *testing.T) {
	for _, raw := range []bool{false, true} {
		e := &endings{seen: map[string][]string{}}
		addr := serveWith(t, &jay.Server{OnError: quiet,
			Protocol: &web.Protocol{Handler: web.HandlerFunc(e.handle), OnHead: e.onHead, RawBody: raw}})
		for _, body := range bodiesSent {
			for _, out := range headGoesOut {
				for _, ends := range exchangeEnds {
					query := body.query(out, ends)
					if problem := converseEarly(addr, body, out, ends); problem != nil {
						t.Errorf("%s, raw %v: %v", query, raw, problem)
					}
					if seen := e.paths(query); seen != "/first" && seen != "/first /next" {
						t.Errorf("%s, raw %v: read as requests: %q", query, raw, seen)
					}
				}
			}
		}
	}
}

// converseEarly sends the request and another one behind it, and says what is
// wrong with what comes back.
func converseEarly(addr string, b bodySent, out, ends string) error {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	head, body := b.request(out, ends)
	in := bufio.NewReader(c)
	next := "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
	if !b.expect {
		_, _ = io.WriteString(c, head+body+next)
		_ = c.(*net.TCPConn).CloseWrite()
	} else {
		_, _ = io.WriteString(c, head)
	}
	first, err := http.ReadResponse(in, &http.Request{Method: "PUT"})
	goOn := err == nil && first.StatusCode == 100
	if goOn {
		_, _ = io.WriteString(c, body)
		first, err = http.ReadResponse(in, &http.Request{Method: "PUT"})
	}
	if err != nil {
		return fmt.Errorf("the first response: %w", err)
	}
	if b.expect { // without 100 the client goes on as if it had no body to send
		if !goOn {
			next += strings.Repeat(hiddenRequest, 20)
		}
		_, _ = io.WriteString(c, next)
		_ = c.(*net.TCPConn).CloseWrite()
	}
	if first.StatusCode == 101 && b.length == 0 {
		return nil
	}
	if _, err := io.Copy(io.Discard, first.Body); err != nil {
		first.Close = true // it was cut short, which the client knows
	}
	if keeps, sure := b.keeps(out, ends); sure && first.Close == keeps {
		return fmt.Errorf("close is %v in %d", first.Close, first.StatusCode)
	}
	second, err := http.ReadResponse(in, &http.Request{Method: "GET"})
	switch {
	case first.Close && err == nil:
		return fmt.Errorf("%d said close, and then came %d", first.StatusCode, second.StatusCode)
	case !first.Close && err != nil:
		return fmt.Errorf("%d did not say close, and then came %v", first.StatusCode, err)
	case !first.Close && (second.StatusCode != 200 || second.Close):
		return fmt.Errorf("%d did not say close, and then came %d, close %v", first.StatusCode, second.StatusCode, second.Close)
	case first.Close && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("behind the %d that said close: %w", first.StatusCode, err)
	}
	return nil
}
