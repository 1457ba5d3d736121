// Package codec parses and serialises the same messages with jay, fasthttp
// and net/http, to compare what that costs.
package codec

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/jay-go/jay/internal/http1"
	"github.com/valyala/fasthttp"
)

// An Implementation does its work once with each call of what New returns,
// and keeps between two calls what a server would keep.
type Implementation struct {
	Name string
	New  func() (once func() error)
}

// Request is what a browser sends for a page: 12 fields.
const Request = "GET /articles/2026/11/event-loops?page=2&sort=newest HTTP/1.1\r\n" +
	"Host: www.example.com\r\n" +
	"Connection: keep-alive\r\n" +
	"Cache-Control: max-age=0\r\n" +
	"Upgrade-Insecure-Requests: 1\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8\r\n" +
	"Sec-Fetch-Site: same-origin\r\n" +
	"Sec-Fetch-Mode: navigate\r\n" +
	"Referer: https://www.example.com/articles/2026/11/event-loops?page=1\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n" +
	"Cookie: session=0f3c9a7be1d24c58a6b2; theme=dark\r\n\r\n"

// Body is that of the response that is serialised.
const Body = "Hello, World!"

var errMessage = errors.New("the message is not what it should be")

// Parsers read Request; each looks at the method afterwards, so that it has
// to be there.
func Parsers() []Implementation {
	return []Implementation{{"jay", parseJay}, {"fasthttp", parseFast}, {"net/http", parseNet}}
}

func parseJay() func() error {
	raw := []byte(Request)
	var head http1.Head
	return func() error {
		head.Reset()
		n, err := head.Parse(raw, http1.Limits{})
		if err == nil && (n != len(raw) || string(head.MethodView()) != "GET") {
			err = errMessage
		}
		return err
	}
}

func parseFast() func() error {
	raw := []byte(Request)
	from, reader := readers()
	var head fasthttp.RequestHeader
	return func() error {
		from.Reset(raw)
		reader.Reset(from)
		err := head.Read(reader)
		if err == nil && string(head.Method()) != "GET" {
			err = errMessage
		}
		return err
	}
}

func parseNet() func() error {
	raw := []byte(Request)
	from, reader := readers()
	return func() error {
		from.Reset(raw)
		reader.Reset(from)
		r, err := http.ReadRequest(reader)
		if err == nil && r.Method != "GET" {
			err = errMessage
		}
		return err
	}
}

func readers() (*bytes.Reader, *bufio.Reader) {
	from := bytes.NewReader(nil)
	return from, bufio.NewReader(from)
}

// Serialisers write a 200 with Content-Type, Content-Length, Date and Body.
func Serialisers() []Implementation {
	return []Implementation{{"jay", writeJay}, {"fasthttp", writeFast}, {"net/http", writeNet}}
}

// NamedFields are what FieldSerialisers set besides, as a handler does: by
// name.
var NamedFields = [][2]string{
	{"Server", "example"},
	{"Content-Type", "text/html; charset=utf-8"},
	{"Cache-Control", "public, max-age=3600"},
	{"Vary", "Accept-Encoding"},
	{"X-Content-Type-Options", "nosniff"},
}

// FieldSerialisers write a 200 with NamedFields, Content-Length, Date and
// Body.
func FieldSerialisers() []Implementation {
	return []Implementation{{"jay", writeFieldsJay}, {"fasthttp", writeFieldsFast}, {"net/http", writeFieldsNet}}
}

func writeJay() func() error {
	var head http1.ResponseHead
	var dst []byte
	var dates http1.DateCache
	now := time.Now() // a server has one time for a turn of its loop
	return func() error {
		head.Reset()
		if err := head.SetContentType("text/plain"); err != nil {
			return err
		}
		dst = head.Append(dst[:0], http1.Framing{Length: int64(len(Body))}, dates.At(now))
		dst = append(dst, Body...)
		return nil
	}
}

func writeFieldsJay() func() error {
	var head http1.ResponseHead
	var dst []byte
	var dates http1.DateCache
	now := time.Now()
	return func() error {
		head.Reset()
		for _, f := range NamedFields {
			if err := head.Set(f[0], f[1]); err != nil {
				return err
			}
		}
		dst = head.Append(dst[:0], http1.Framing{Length: int64(len(Body))}, dates.At(now))
		dst = append(dst, Body...)
		return nil
	}
}

func writeFast() func() error {
	var dst []byte
	var head fasthttp.ResponseHeader
	return func() error {
		head.Reset()
		head.SetContentType("text/plain")
		head.SetContentLength(len(Body))
		dst = head.AppendBytes(dst[:0]) // with Server and Date
		dst = append(dst, Body...)
		return nil
	}
}

func writeFieldsFast() func() error {
	var dst []byte
	var head fasthttp.ResponseHeader
	return func() error {
		head.Reset()
		for _, f := range NamedFields {
			head.Set(f[0], f[1])
		}
		head.SetContentLength(len(Body))
		dst = head.AppendBytes(dst[:0])
		dst = append(dst, Body...)
		return nil
	}
}

func writeNet() func() error { return writeNetFields([][2]string{{"Content-Type", "text/plain"}}) }

func writeFieldsNet() func() error { return writeNetFields(NamedFields) }

func writeNetFields(fields [][2]string) func() error {
	date := time.Now().UTC().Format(http.TimeFormat)
	return func() error {
		r := http.Response{
			StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(Body)),
			Header: http.Header{"Date": {date}},
			Body:   io.NopCloser(bytes.NewReader([]byte(Body))),
		}
		for _, f := range fields {
			r.Header.Set(f[0], f[1])
		}
		return r.Write(io.Discard)
	}
}
