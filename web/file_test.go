package web_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/supervise"
	"github.com/jay-go/jay/web"
)

// contents is what the files of the tests below hold.
var contents = bytes.Repeat([]byte("0123456789abcdef"), 20_000)

func fileOf(t *testing.T, b []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// writeFile has a range of a file sent. That it is closed, whatever comes of it,
// the test of leaks sees at the end.
func writeFile(w *web.ResponseWriter, name string, off, n int64) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return w.WriteFile(f, off, n)
}

// A range of a file in a response is sent as other bytes of it are, and its length is
// known where nothing is written behind it.
func TestWriteFile(t *testing.T) {
	t.Parallel()
	name := fileOf(t, contents)
	whole := int64(len(contents))
	for title, c := range map[string]struct {
		request string
		write   func(w *web.ResponseWriter)
		head    string
		body    string // with chunks decoded
	}{
		"alone": {get, func(w *web.ResponseWriter) { _ = writeFile(w, name, 0, whole) },
			"Content-Length: 320000", string(contents)},
		"a range": {get, func(w *web.ResponseWriter) { _ = w.SetStatus(206); _ = writeFile(w, name, 5, 7) },
			"Content-Length: 7", "56789ab"},
		"behind bytes": {get, func(w *web.ResponseWriter) { w.WriteString("<"); _ = writeFile(w, name, 0, 16) },
			"Content-Length: 17", "<0123456789abcdef"},
		"between bytes": {get, func(w *web.ResponseWriter) {
			w.WriteString("<")
			_ = writeFile(w, name, 0, 16)
			w.WriteString(">")
			_, _ = w.Write([]byte("!"))
		}, "Transfer-Encoding: chunked", "<0123456789abcdef>!"},
		"two": {get, func(w *web.ResponseWriter) { _ = writeFile(w, name, 0, 2); _ = writeFile(w, name, 14, 2) },
			"Transfer-Encoding: chunked", "01ef"},
		"two of a known length": {get, func(w *web.ResponseWriter) {
			_ = w.SetHeader("Content-Length", "5")
			_ = writeFile(w, name, 0, 2)
			w.WriteString("-")
			_ = writeFile(w, name, 14, 2)
		}, "Content-Length: 5", "01-ef"},
		"flushed": {get, func(w *web.ResponseWriter) { _ = w.Flush(); _ = writeFile(w, name, 0, whole) },
			"Transfer-Encoding: chunked", string(contents)},
		"nothing of it": {get, func(w *web.ResponseWriter) { _ = writeFile(w, name, 3, 0) }, "Content-Length: 0", ""},
		"HEAD":          {head, func(w *web.ResponseWriter) { _ = writeFile(w, name, 0, whole) }, "Content-Length: 320000", ""},
		"HEAD, flushed": {head, func(w *web.ResponseWriter) { _ = writeFile(w, name, 0, 9); _ = w.Flush() }, "200 OK", ""},
		"304":           {get, func(w *web.ResponseWriter) { _ = w.SetStatus(304); _ = writeFile(w, name, 0, whole) }, "304 Not Modified", ""},
		"HTTP/1.0":      {get10, func(w *web.ResponseWriter) { _ = w.Flush(); _ = writeFile(w, name, 0, 5) }, "Connection: close", "01234"},
		"begun anew":    {get, func(w *web.ResponseWriter) { _ = writeFile(w, name, 0, whole); _ = w.Reset(); w.WriteString("new") }, "Content-Length: 3", "new"},
		"panic":         {get, func(w *web.ResponseWriter) { _ = writeFile(w, name, 0, whole); panic("after the file") }, "500 Internal Server Error", "Internal Server Error: the handler failed\n"},
		"no such range": {get, func(w *web.ResponseWriter) { _ = writeFile(w, name, -1, 1) }, "500 Internal Server Error", "Internal Server Error: the handler failed\n"},
		"more than was said": {get, func(w *web.ResponseWriter) { _ = w.SetHeader("Content-Length", "3"); _ = writeFile(w, name, 0, 4) },
			"500 Internal Server Error", "Internal Server Error: the handler failed\n"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			addr := serveWith(t, &jay.Server{OnError: quiet, Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
				c.write(w)
			})})
			got := ask(t, addr, c.request+c.request)
			kept := !strings.HasPrefix(c.head, "500") && c.request != get10
			rs := parseResponses([]byte(strings.ReplaceAll(got, "|", "\r\n")), []string{c.request[:strings.IndexByte(c.request, ' ')], c.request[:strings.IndexByte(c.request, ' ')]}, true)
			if want := map[bool]int{true: 2, false: 1}[kept]; len(rs) != want {
				t.Fatalf("%d responses, want %d: %.300q", len(rs), want, got)
			}
			for _, r := range rs {
				if r.body != c.body || !r.complete {
					t.Errorf("body of %d bytes, complete %v; want %d: %.50q", len(r.body), r.complete, len(c.body), r.body)
				}
			}
			if !strings.Contains(got, c.head) {
				t.Errorf("got %.300q, want %q in it", got, c.head)
			}
		})
	}
}

// A file that is shorter than was said: the client must not take what it has for the
// whole.
func TestFileThatIsTooShort(t *testing.T) {
	t.Parallel()
	name, told := fileOf(t, contents[:1000]), make(chan error, 1)
	addr := serveWith(t, &jay.Server{OnError: func(_ *jay.Conn, err error) { told <- err },
		Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) { _ = writeFile(w, name, 0, 1001) })})
	c := dial(t, addr)
	_, _ = io.WriteString(c, get)
	if got, err := io.ReadAll(c); err == nil {
		t.Errorf("a proper end behind %d bytes", len(got))
	}
	if err := soon(t, told, "OnError"); !strings.Contains(err.Error(), "it ends at 1000 or before") {
		t.Errorf("OnError got %v", err)
	}
}

// Pipelined requests for files, of which the client takes nothing, do not open file
// after file; once it does, all are sent.
func TestFilesThatWait(t *testing.T) {
	t.Parallel()
	name := fileOf(t, bytes.Repeat(contents, 8)) // a few are more than the kernel takes
	var asked atomic.Int64
	addr := serveWith(t, &jay.Server{OnError: quiet, Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		asked.Add(1)
		_ = writeFile(w, name, 0, int64(8*len(contents)))
	})})
	const requests = 60
	c := dial(t, addr)
	_, _ = io.WriteString(c, strings.Repeat(get, requests))
	other := dial(t, addr) // one turn after the other
	for range 5 {
		_, _ = io.WriteString(other, strings.Replace(head, "HEAD / ", "HEAD /other ", 1))
		until(t, other, "||")
	}
	if n := asked.Load() - 5; n < 1 || n > 30 {
		t.Errorf("%d of %d requests were handled while nothing was taken", n, requests)
	}
	want := requests * int64(8*len(contents))
	_ = c.SetDeadline(time.Now().Add(2 * time.Minute))
	if n, err := io.CopyN(io.Discard, c, want); err != nil {
		t.Fatalf("%v after %d of %d bytes", err, n, want)
	}
	if n := asked.Load() - 5; n != requests {
		t.Errorf("%d of %d requests were handled", n, requests)
	}
}

// A file that is being sent when the worker is replaced, or stopped, is sent to its
// end; what its client asks for next is answered with close, or not at all.
func TestFileDuringADrain(t *testing.T) {
	for name, d := range map[string]*supervise.Drain{"stop": {Reason: supervise.DrainStop}, "reload": {Reason: supervise.DrainReload}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d.Deadline = time.Now().Add(30 * time.Second)
			file, sent := fileOf(t, bytes.Repeat(contents, 60)), make(chan int64, 1)
			addr, drain := drainable(t, &jay.Server{Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
				_ = writeFile(w, file, 0, int64(60*len(contents)))
				c := r.Conn()
				c.Loop().AfterFunc(50*time.Millisecond, func() { sent <- c.BufferedFiles() })
			})})
			c := dial(t, addr)
			_, _ = io.WriteString(c, get)
			if n := soon(t, sent, "the file"); n == 0 {
				t.Error("all of it was sent at once")
			}
			drain(d)
			response, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(response.Body)
			if err != nil || !bytes.Equal(got, bytes.Repeat(contents, 60)) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}
