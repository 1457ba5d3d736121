package http1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jay-go/jay/internal/http1test"
)

// stricter are the refusals that net/http does not share, each with the
// reason; docs/http.md tells users the same.
var stricter = map[error]string{
	errMethodTooLong: "net/http has no limit for it",
	errEmptyLines:    "net/http is not given those before the request line",
	errBareLF:        "net/http ends a line at LF alone",
	errBareCR:        "net/http passes a CR inside a value on, or trims it",
	errTarget:        "net/http takes any byte but SP and controls",
	errForm:          "net/http takes any scheme, and no port for CONNECT",
	errPercent:       "net/http's check of a path ends where an opaque part begins",
	errNUL:           "net/http decodes %00",
	errAuthority:     "net/http takes user information and any name",
	errVersion:       "net/http trims the line",
	errUnsupported:   "http.ReadRequest leaves this to the server",
	errHostMissing:   "http.ReadRequest leaves this to the server",
	errHostTwice:     "http.ReadRequest leaves this to the server",
	errHost:          "net/http takes an empty host and any characters of a URI",
	errFold:          "net/http unfolds",
	errValue:         "net/http takes control characters",
	errName:          "net/http drops some lines without a proper name",
	errLengthTwice:   "net/http takes equal ones",
	errBothFramings:  "net/http lets chunked win",
	errCoding10:      "net/http ignores it",
	errExpect:        "http.ReadRequest leaves this to the server",
	errHeadTooLarge:  "http.ReadRequest has no limit",
	errLineTooLong:   "http.ReadRequest has no limit",
	errTooManyFields: "http.ReadRequest has no limit",

	errChunkLine:     "net/http ignores what follows a size",
	errChunkLong:     "net/http's limit is larger",
	errChunkOverhead: "net/http's limit is relative to the body",
	errChunkSize:     "net/http trims white space",
	errBodyTooLarge:  "http.ReadRequest has no limit",
}

// message is what a request comes down to.
type message struct {
	method, target, host string
	path                 string // decoded, dot segments resolved
	fields               http.Header
	body                 string
}

// ours reads a request a given number of bytes at a time; complete is false
// when bytes are missing.
func ours(raw []byte, step int, limits Limits) (m *message, n int, complete bool, err error) {
	h := new(Head)
	for end := min(step, len(raw)); ; end = min(end+step, len(raw)) {
		if n, err = h.Parse(raw[:end:end], limits); n > 0 || err != nil || end == len(raw) {
			break
		}
	}
	if err != nil || n == 0 {
		return nil, 0, false, err
	}
	m = &message{method: h.Method(), target: h.Target(), host: h.Host(), path: h.Path(), fields: http.Header{}}
	for name, value := range h.Headers() {
		m.fields.Add(name, value)
	}
	m.fields.Del("Host")
	if h.Chunked() {
		body, used, _, err := decode(raw[n:], step, limits)
		m.body = string(body)
		return m, n + used, used >= 0, err
	}
	size := h.ContentLength()
	if size > limits.body() {
		return m, 0, false, errBodyTooLarge
	}
	if int64(len(raw)-n) < size {
		return m, 0, false, nil
	}
	m.body = string(raw[n : n+int(size)])
	return m, n + int(size), true, nil
}

// theirs reads a request with net/http, which knows no empty lines before it.
func theirs(raw []byte) (*message, error) {
	for bytes.HasPrefix(raw, []byte("\r\n")) {
		raw = raw[2:]
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	path := r.URL.Path
	switch {
	case r.Method == "CONNECT":
		path = ""
	case path == "":
		path = "/"
	case path[0] == '/':
		p := []byte(path)
		path = string(p[:removeDots(p)])
	}
	return &message{method: r.Method, target: r.RequestURI, host: r.Host, path: path, fields: r.Header, body: string(body)}, nil
}

func sameMessage(a, b *message) bool {
	return a.method == b.method && a.target == b.target && a.host == b.host && a.path == b.path && a.body == b.body &&
		sameFields(a.fields, b.fields)
}

// sameFields compares what is the program's. net/http removes the framing
// fields that it has acted upon.
func sameFields(a, b http.Header) bool {
	for _, h := range []http.Header{a, b} {
		for _, name := range []string{"Transfer-Encoding", "Content-Length", "Trailer", "Pragma", "Cache-Control", "Connection"} {
			h.Del(name)
		}
	}
	if len(a) != len(b) {
		return false
	}
	for name, values := range a {
		if !slices.Equal(values, b[name]) {
			return false
		}
	}
	return true
}

func addCases(f *testing.F) {
	for _, c := range http1test.Cases(f) {
		if len(c.Raw) < 4000 {
			f.Add(c.Bytes(), uint8(len(c.Raw)))
		}
	}
	f.Add(browserRequest, uint8(7))
	f.Add([]byte("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\"b\"\r\nhello\r\n0\r\nX: y\r\n\r\n"), uint8(3))
}

// FuzzHead holds a whole message, in whatever segments it comes, to the
// result of one segment, and that to net/http's.
func FuzzHead(f *testing.F) {
	addCases(f)
	f.Fuzz(func(t *testing.T, raw []byte, step uint8) {
		limits := Limits{Head: 2000, Fields: 20, Body: 2000}
		m, n, complete, err := ours(raw, max(len(raw), 1), limits)
		m2, n2, complete2, err2 := ours(raw, int(step)+1, limits)
		if n != n2 || complete != complete2 || err != err2 || m != nil && m2 != nil && err == nil && !sameMessage(m, m2) {
			t.Fatalf("whole: %+v %d %v %v\n%d bytes at a time: %+v %d %v %v", m, n, complete, err, int(step)+1, m2, n2, complete2, err2)
		}
		want, theirErr := theirs(raw)
		switch {
		case err != nil:
			if theirErr == nil && stricter[err] == "" {
				t.Fatalf("refused without a reason on the list: %v\n%q\nnet/http: %+v", err, raw, want)
			}
		case complete && theirErr != nil:
			if rule := laxer[theirErr.Error()]; rule == nil || !rule.Match(raw) {
				t.Fatalf("accepted, but net/http says %v\n%q\n%+v", theirErr, raw, m)
			}
		case complete && !sameMessage(m, want):
			t.Fatalf("%q\nours     %+v\nnet/http %+v", raw, m, want)
		}
	})
}

// laxer are the errors of net/http for what the RFC allows, each with what
// the message must have in it.
var laxer = map[string]*regexp.Regexp{
	"http chunk length too large":  regexp.MustCompile(`\n0[0-9A-Fa-f]{16,}`),   // leading zeros
	"invalid byte in chunk length": regexp.MustCompile(`\n[0-9A-Fa-f]+[ \t]+;`), // white space before an extension
}

// FuzzChunked holds the decoder to the same result however its input is cut,
// and every accepted body to what net/http makes of it.
func FuzzChunked(f *testing.F) {
	for _, c := range http1test.Cases(f) {
		if _, body, ok := bytes.Cut(c.Bytes(), []byte("\r\n\r\n")); ok && c.Group == "chunked" {
			f.Add(body, uint8(1))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte, step uint8) {
		limits := Limits{Head: 500, Fields: 5, Body: 1000}
		body, n, _, err := decode(raw, max(len(raw), 1), limits)
		body2, n2, _, err2 := decode(raw, int(step)+1, limits)
		if n != n2 || err != err2 || err == nil && !bytes.Equal(body, body2) {
			t.Fatalf("whole: %q %d %v\ncut: %q %d %v", body, n, err, body2, n2, err2)
		}
		if int64(len(body)) > limits.Body || n > len(raw) {
			t.Fatalf("%d bytes of body, %d of %d used", len(body), n, len(raw))
		}
		if err != nil || n < 0 {
			return
		}
		head := []byte("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
		if m, err := theirs(append(head, raw...)); err == nil && m.body != string(body) {
			t.Fatalf("%q\nours %q\nnet/http %q", raw, body, m.body)
		}
	})
}

// FuzzTarget checks what every accepted target promises.
func FuzzTarget(f *testing.F) {
	for _, s := range []string{"/", "/a%20b/../c?d=e", "http://a.test:80/x?y", "*", "a:1", "/%2e%2e/%2e%2e/etc", "http://[::1]/"} {
		f.Add("GET", s)
		f.Add("CONNECT", s)
		f.Add("OPTIONS", s)
	}
	f.Fuzz(func(t *testing.T, method, target string) {
		h := new(Head)
		n, err := h.Parse([]byte(method+" "+target+" HTTP/1.1\r\nHost: x\r\n\r\n"), Limits{})
		if err != nil || n == 0 || strings.ContainsAny(method+target, " \r\n") {
			return
		}
		path := h.Path()
		if h.Method() != method || h.Target() != target || !strings.HasPrefix(target[len(target)-len(h.RawQuery()):], h.RawQuery()) {
			t.Fatalf("%q %q: %s", method, target, describe(h, n, err))
		}
		if strings.ContainsRune(path, 0) || h.Host() == "" || path == "" != (method == "CONNECT") {
			t.Fatalf("%q: path %q, host %q", target, path, h.Host())
		}
		for segment := range strings.SplitSeq(path, "/") {
			if segment == "." || segment == ".." {
				t.Fatalf("%q: path %q has a dot segment", target, path)
			}
		}
		if got := string(h.AppendPath([]byte("x"))); got != "x"+path {
			t.Fatalf("AppendPath %q, Path %q", got[1:], path)
		}
		for name, value := range h.Queries() {
			if first := h.Query(name); first != value && !strings.Contains(target, "&") {
				t.Fatalf("%q: Query(%q) = %q, Queries has %q", target, name, first, value)
			}
		}
	})
}

// FuzzCookies holds cookies to what they are: tokens, and values without the
// separator.
func FuzzCookies(f *testing.F) {
	f.Add("a=1; b=\"two\"")
	f.Add("a=1;b")
	f.Fuzz(func(t *testing.T, field string) {
		for k, v := range cookiePairs([]byte(field)) {
			if len(k) == 0 || !all(k, token) || bytes.ContainsAny(v, ";") {
				t.Fatalf("%q: %q=%q", field, k, v)
			}
		}
	})
}
