package web_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
)

// How a response is written that has no room; each returns the error that the
// program was told.
var tooLong = map[string]struct {
	write   func(w *web.ResponseWriter) error
	started bool // the head is out before there is no room
}{
	"written": {func(w *web.ResponseWriter) error {
		_, err := w.WriteString(strings.Repeat("x", 8000))
		return err
	}, false},
	"more than is kept": {func(w *web.ResponseWriter) error {
		_, err := w.Write(make([]byte, 100_000))
		return err
	}, false},
	"in pieces": {func(w *web.ResponseWriter) (err error) {
		for range 100_000 / 1000 {
			if _, err = w.WriteString(strings.Repeat("x", 1000)); err != nil {
				break
			}
		}
		return err
	}, false},
	"of known length": {func(w *web.ResponseWriter) error {
		_ = w.SetHeader("Content-Length", "100000")
		_, err := w.Write(make([]byte, 100_000))
		return err
	}, false},
	"a string of known length": {func(w *web.ResponseWriter) error {
		_ = w.SetHeader("Content-Length", "100000")
		_, err := w.WriteString(strings.Repeat("x", 100_000))
		return err
	}, false},
	"the first chunk": {func(w *web.ResponseWriter) error {
		_, _ = w.Write(make([]byte, 8000))
		return w.Flush()
	}, false},
	"a chunk": {func(w *web.ResponseWriter) error {
		w.WriteString("begin")
		_ = w.Flush()
		_, err := w.Write(make([]byte, 8000))
		w.WriteString("end")
		return err
	}, true},
	"a piece of known length": {func(w *web.ResponseWriter) error {
		_ = w.SetHeader("Content-Length", "8008")
		w.WriteString("begin")
		_ = w.Flush()
		_, err := w.Write(make([]byte, 8000))
		w.WriteString("end")
		return err
	}, true},
}

// A response that has no room is replaced by 500 while nothing of it was sent,
// and ends the connection otherwise, whatever becomes of other output: no
// part of it is dropped, and nothing behind it passes for it.
func TestResponseWithoutRoom(t *testing.T) {
	for name, c := range tooLong {
		for _, drop := range []bool{false, true} {
			for _, version := range []string{"1.1", "1.0"} {
				t.Run(name+", "+version+map[bool]string{true: ", drop newest"}[drop], func(t *testing.T) {
					told, reported := make(chan error, 1), make(chan error, 10)
					addr := serveWith(t, &jay.Server{Conn: jay.ConnConfig{MaxOutput: 4096, DropNewest: drop},
						OnError: func(_ *jay.Conn, err error) { reported <- err },
						Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
							if r.Path() == "/long" {
								told <- c.write(w)
								return
							}
							w.WriteString("short")
						})})
					conn := dial(t, addr)
					ask := func(path string) string {
						return "GET " + path + " HTTP/" + version + "\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"
					}
					_, _ = io.WriteString(conn, ask("/")+ask("/long")+ask("/"))
					checkWithoutRoom(t, conn, c.started)
					if err := soon(t, told, "the end of the handler"); !errors.Is(err, jay.ErrOutputLimit) {
						t.Errorf("the handler was told %v", err)
					}
					if err := soon(t, reported, "OnError"); !errors.Is(err, jay.ErrOutputLimit) {
						t.Errorf("OnError got %v", err)
					}
					if len(reported) > 0 {
						t.Errorf("OnError was called again, with %v", <-reported)
					}
				})
			}
		}
	}
}

// checkWithoutRoom expects a short response, then what becomes of one that has
// no room, then the end.
func checkWithoutRoom(t *testing.T, conn net.Conn, started bool) {
	t.Helper()
	in := bufio.NewReader(conn)
	first, err := http.ReadResponse(in, nil)
	if err != nil {
		if started && !errors.Is(err, io.EOF) {
			return // the reset has overtaken it
		}
		t.Fatal(err)
	}
	if body, err := io.ReadAll(first.Body); string(body) != "short" {
		t.Fatalf("the response before: %q, %v", body, err)
	}
	second, err := http.ReadResponse(in, nil)
	if started {
		if err == nil {
			if body, err := io.ReadAll(second.Body); err == nil {
				t.Errorf("%d with %d bytes, as if it were whole", second.StatusCode, len(body))
			}
		}
		return
	}
	if err != nil || second.StatusCode != 500 || !second.Close {
		t.Fatalf("%v, %v; want 500 and close", second, err)
	}
	_, _ = io.Copy(io.Discard, second.Body)
	if b, err := in.ReadByte(); err != io.EOF {
		t.Errorf("behind the 500 that said close: %q, %v", b, err)
	}
}
