package http1

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

var testDate = NewDateLine(time.Date(1994, 11, 6, 8, 49, 37, 0, time.UTC))

func TestResponseHeadOrder(t *testing.T) {
	set := func(h *ResponseHead, pairs ...string) {
		for i := 0; i < len(pairs); i += 2 {
			if err := h.Set(pairs[i], pairs[i+1]); err != nil {
				t.Error(err)
			}
		}
	}
	for name, c := range map[string]struct {
		build   func(h *ResponseHead)
		framing Framing
		want    string
	}{
		"nothing set": {func(h *ResponseHead) {}, Framing{Length: 3},
			"HTTP/1.1 200 OK|Content-Length: 3|Date: D||"},
		"in the order set": {func(h *ResponseHead) {
			set(h, "Server", "x", "Connection", "keep-alive", "Content-Type", "text/html", "Content-Length", "3")
		}, Framing{Length: 3},
			"HTTP/1.1 200 OK|Server: x|Connection: keep-alive|Content-Type: text/html|Content-Length: 3|Date: D||"},
		"the server must close": {func(h *ResponseHead) { set(h, "A", "b", "Connection", "keep-alive", "C", "d") }, Framing{Length: 0, Close: true},
			"HTTP/1.1 200 OK|A: b|Connection: close|C: d|Content-Length: 0|Date: D||"},
		"close": {func(h *ResponseHead) {}, Framing{Length: 0, Close: true},
			"HTTP/1.1 200 OK|Content-Length: 0|Date: D|Connection: close||"},
		"close beside another option": {func(h *ResponseHead) { set(h, "Connection", "Upgrade,, keep-alive", "Upgrade", "x") }, Framing{Close: true, Length: -1},
			"HTTP/1.1 200 OK|Connection: Upgrade, close|Upgrade: x|Date: D||"},
		"keep-alive for HTTP/1.0": {func(h *ResponseHead) {}, Framing{Length: 0, KeepAlive: true},
			"HTTP/1.1 200 OK|Content-Length: 0|Date: D|Connection: keep-alive||"},
		"chunked": {func(h *ResponseHead) {}, Framing{Chunked: true},
			"HTTP/1.1 200 OK|Transfer-Encoding: chunked|Date: D||"},
		"set again, added, removed": {func(h *ResponseHead) {
			set(h, "A", "1", "B", "2", "a", "3", "Content-Type", "x", "content-type", "y")
			if err := h.Add("B", "4"); err != nil {
				t.Error(err)
			}
			h.Del("x")
		}, Framing{Length: -1}, "HTTP/1.1 200 OK|B: 2|a: 3|content-type: y|B: 4|Date: D||"},
		"content type set again": {func(h *ResponseHead) {
			set(h, "Content-Type", "a", "B", "2")
			for _, value := range []string{"text/plain", "text/html; charset=utf-8"} {
				if err := h.SetContentType(value); err != nil {
					t.Error(err)
				}
			}
		}, Framing{Length: 100}, "HTTP/1.1 200 OK|B: 2|Content-Type: text/html; charset=utf-8|Content-Length: 100|Date: D||"},
		"own date": {func(h *ResponseHead) { set(h, "Date", "E") }, Framing{Length: -1}, "HTTP/1.1 200 OK|Date: E||"},
		"status": {func(h *ResponseHead) {
			if err := h.SetStatus(404); err != nil {
				t.Error(err)
			}
		}, Framing{Length: -1}, "HTTP/1.1 404 Not Found|Date: D||"},
		"status without a phrase": {func(h *ResponseHead) {
			if err := h.SetStatus(599); err != nil {
				t.Error(err)
			}
		}, Framing{Length: -1}, "HTTP/1.1 599 |Date: D||"},
	} {
		t.Run(name, func(t *testing.T) {
			h := new(ResponseHead)
			for range 2 { // a used one works like a new one
				h.Reset()
				c.build(h)
				got := string(h.Append([]byte("+"), c.framing, testDate))
				got = strings.ReplaceAll(strings.ReplaceAll(got, testDate.Value(), "D"), "\r\n", "|")
				if got != "+"+c.want {
					t.Errorf("got  %s\nwant %s", got, c.want)
				}
			}
		})
	}
}

func TestResponseHeadRefuses(t *testing.T) {
	for name, do := range map[string]func(h *ResponseHead) error{
		"CR LF in a value":     func(h *ResponseHead) error { return h.Set("A", "b\r\nSet-Cookie: c") },
		"LF":                   func(h *ResponseHead) error { return h.Add("A", "b\n") },
		"LF in a content type": func(h *ResponseHead) error { return h.SetContentType("text/plain\n") },
		"NUL":                  func(h *ResponseHead) error { return h.Set("A", "\x00") },
		"LF in a name":         func(h *ResponseHead) error { return h.Set("A\n", "b") },
		"colon in a name":      func(h *ResponseHead) error { return h.Set("A:", "b") },
		"no name":              func(h *ResponseHead) error { return h.Set("", "b") },
		"length not a number":  func(h *ResponseHead) error { return h.Set("Content-Length", "-1") },
		"transfer coding":      func(h *ResponseHead) error { return h.Set("transfer-encoding", "chunked") },
		"interim status":       func(h *ResponseHead) error { return h.SetStatus(100) },
		"status of two digits": func(h *ResponseHead) error { return h.SetStatus(99) },
		"second length": func(h *ResponseHead) error {
			if err := h.Set("Content-Length", "1"); err != nil {
				t.Error(err)
			}
			defer h.Del("Content-Length")
			return h.Add("content-length", "1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := new(ResponseHead)
			if err := do(h); err == nil {
				t.Error("accepted")
			}
			if got := string(h.Append(nil, Framing{Length: -1}, nil)); got != "HTTP/1.1 200 OK\r\n\r\n" {
				t.Errorf("it left something behind: %q", got)
			}
		})
	}
}

// What is looked at in words of eight bytes is what the table of bytes says.
func TestIsText(t *testing.T) {
	for n := range 20 {
		value := bytes.Repeat([]byte{'a'}, n)
		for i := range value {
			for c := range 256 {
				value[i] = byte(c)
				if got, want := isText(string(value)), all(value, text); got != want {
					t.Fatalf("isText(%q) = %t, want %t", value, got, want)
				}
			}
			value[i] = 'a'
		}
	}
}

func TestAppendDecimal(t *testing.T) {
	for _, n := range []int64{0, 1, 9, 10, 11, 99, 100, 101, 1e9, 1<<63 - 1} {
		if got := string(appendDecimal([]byte("x"), n)); got != "x"+strconv.FormatInt(n, 10) {
			t.Errorf("%d: %s", n, got)
		}
	}
}

func TestStatusLines(t *testing.T) {
	for code := 100; code <= 999; code++ {
		want := fmt.Sprintf("HTTP/1.1 %d %s\r\n", code, StatusText(code))
		if got := string(appendStatusLine(nil, code)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func BenchmarkResponseHead(b *testing.B) {
	h := new(ResponseHead)
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		h.Reset()
		if err := h.SetContentType("text/plain"); err != nil {
			b.Fatal(err)
		}
		dst = h.Append(dst[:0], Framing{Length: 13}, testDate)
		dst = append(dst, "Hello, World!"...)
	}
}
