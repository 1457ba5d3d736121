package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// reflected is the answer of jay to a request that it received as text, with
// DATE where the date is.
func reflected(received string) string { return reflectedHead(received, "keep-alive") + received }

func reflectedHead(received, connection string) string {
	return "HTTP/1.1 200 OK\r\n" +
		"Server: nginx-jay\r\n" +
		"Connection: " + connection + "\r\n" +
		"Content-Type: text/html;charset=utf-8\r\n" +
		fmt.Sprintf("Content-Length: %d\r\n", len(received)) +
		"Date: DATE\r\n" +
		"X-Content-Type-Options: nosniff\r\n" +
		"Content-Security-Policy: sandbox; default-src 'none'\r\n\r\n"
}

// last is a request that ends the connection, and its answer.
const last = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

var lastAnswer = reflectedHead(last, "close") + last

var date = regexp.MustCompile(`\r\nDate: ([^\r\n]+)\r\n`)

// withoutDates replaces the dates by DATE, after checking that they are now.
func withoutDates(t *testing.T, answers string) string {
	t.Helper()
	for _, m := range date.FindAllStringSubmatch(answers, -1) {
		at, err := http.ParseTime(m[1])
		if age := time.Since(at); err != nil || age < -time.Second || age > patience {
			t.Errorf("date %q is not now (%v)", m[1], err)
		}
	}
	return date.ReplaceAllString(answers, "\r\nDate: DATE\r\n")
}

// talk sends pieces and returns all that comes until the server closes.
func talk(t *testing.T, addr string, pieces ...string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	sent := make(chan error, 1)
	go func() {
		for _, piece := range pieces {
			if _, err := io.WriteString(conn, piece); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Errorf("after %d bytes: %v", len(got), err)
	}
	if err := <-sent; err != nil {
		t.Errorf("sending: %v", err)
	}
	return string(got)
}

func TestReflect(t *testing.T) {
	s := start(t, "jay")
	const (
		get     = "GET /a?b=c HTTP/1.1\r\nHost: localhost\r\nUser-Agent: me\r\n\r\n"
		post    = "POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n0"
		chunked = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
			"3;x=y\r\nabc\r\n0010\r\n<script>alert(1)\r\n0\r\nChecksum: t\r\n\r\n"
		head = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
	)
	for _, tt := range []struct{ name, send, want string }{
		{"GET", get, reflected(get)},
		{"a body of 0", post, reflected(post)},
		{"chunked, as received", chunked, reflected(chunked)},
		{"HEAD without the body", head, reflectedHead(head, "keep-alive")},
		{"ten in one segment", strings.Repeat(post, 10), strings.Repeat(reflected(post), 10)},
		{"kinds mixed", head + chunked + get + post, reflectedHead(head, "keep-alive") + reflected(chunked) + reflected(get) + reflected(post)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := withoutDates(t, talk(t, s.addr, tt.send+last))
			if got != tt.want+lastAnswer {
				t.Errorf("got\n%q\nwant\n%q", got, tt.want+lastAnswer)
			}
		})
		t.Run(tt.name+", a byte a segment", func(t *testing.T) {
			got := withoutDates(t, talk(t, s.addr, strings.Split(tt.send+last, "")...))
			if got != tt.want+lastAnswer {
				t.Errorf("got\n%q\nwant\n%q", got, tt.want+lastAnswer)
			}
		})
	}
}

func TestReflectLargeBody(t *testing.T) {
	s := start(t, "jay")
	const limit = 10 << 20
	request := func(size int) string {
		return fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", size)
	}
	whole := request(limit) + strings.Repeat("0123456789abcdef", limit/16)
	want := reflectedHead(whole, "close") + whole
	if got := withoutDates(t, talk(t, s.addr, whole)); got != want {
		t.Errorf("of a body at the limit %d bytes came back, want %d", len(got), len(want))
	}
	got := talk(t, s.addr, request(limit+1))
	if !strings.HasPrefix(got, "HTTP/1.1 413 ") || !strings.Contains(got, "\r\nConnection: close\r\n") {
		t.Errorf("a body above the limit was answered with %.200q, want 413 and Connection: close", got)
	}
}
