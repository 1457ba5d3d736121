package http1_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jay-go/jay/internal/http1"
)

// Parse is called again with more bytes until it returns a length.
func ExampleHead_Parse() {
	request := "GET /a%20b/../c?x=1 HTTP/1.1\r\nHost: a.test\r\nCookie: k=v\r\n\r\n"
	h := new(http1.Head)
	for _, arrived := range []int{20, 40, len(request)} {
		n, err := h.Parse([]byte(request[:arrived]), http1.Limits{})
		fmt.Println(n, err)
	}
	cookie, _ := h.Cookie("k")
	fmt.Println(h.Method(), h.Path(), h.Query("x"), h.Header("HOST"), cookie)
	// Output:
	// 0 <nil>
	// 0 <nil>
	// 59 <nil>
	// GET /c 1 a.test v
}

func ExampleError() {
	_, err := new(http1.Head).Parse([]byte("GET / HTTP/1.1\r\nHost : a.test\r\n\r\n"), http1.Limits{})
	if e, ok := errors.AsType[*http1.Error](err); ok {
		fmt.Println(e.Status, e.Reason)
	}
	// Output:
	// 400 a field name is not a token followed directly by a colon
}

func ExampleChunked_Next() {
	body := []byte("5\r\nhello\r\n7;ext=1\r\n, world\r\n0\r\nDigest: x\r\n\r\n")
	d, text := new(http1.Chunked), ""
	for !d.Done() {
		data, n, err := d.Next(body, http1.Limits{})
		if err != nil || n == 0 {
			break // refused, or more is needed
		}
		text += string(data)
		body = body[n:]
	}
	fmt.Println(text, d.Trailer("digest"))
	// Output:
	// hello, world x
}

func ExampleResponseHead() {
	h := new(http1.ResponseHead)
	_ = h.SetStatus(404)
	_ = h.Set("Content-Type", "text/plain")
	fmt.Print(strings.ReplaceAll(string(h.Append(nil, http1.Framing{Length: 3, Close: true}, nil)), "\r\n", "\n"))
	fmt.Println(h.Set("X-Name", "a\r\nSet-Cookie: b=c"))
	// Output:
	// HTTP/1.1 404 Not Found
	// Content-Type: text/plain
	// Content-Length: 3
	// Connection: close
	//
	// set field X-Name: the value holds the control character 0x0d, at byte 1
}
