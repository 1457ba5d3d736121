package web_test

import (
	"errors"
	"math"
	"os"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
)

const (
	alone500 = "HTTP/1.1 500 Internal Server Error|" + failed + "Content-Length: 42|Date: D|Connection: close||Internal Server Error: the handler failed\n"
	hints    = "HTTP/1.1 103 Early Hints|Link: x|"
)

// fileOrders are what a program may do about a file besides sending it. Each opens its
// files by open, and each of those has to be closed in the end.
var fileOrders = map[string]struct {
	write func(w *web.ResponseWriter, open func() *os.File)
	want  string
}{
	"an interim response behind it": {func(w *web.ResponseWriter, open func() *os.File) {
		_ = w.SetHeader("Link", "x")
		_ = w.WriteFile(open(), 0, 5)
		_ = w.SendInterim(103)
	}, hints + "|HTTP/1.1 200 OK|Link: x|Content-Length: 5|Date: D||01234"},
	"nothing written behind it": {func(w *web.ResponseWriter, open func() *os.File) {
		_ = w.WriteFile(open(), 0, 5)
		_, _ = w.Write(nil)
		w.WriteString("")
	}, "HTTP/1.1 200 OK|Content-Length: 5|Date: D||01234"},
	"nothing of it, bytes behind": {func(w *web.ResponseWriter, open func() *os.File) {
		_ = w.WriteFile(open(), 0, 0)
		w.WriteString("tail")
	}, "HTTP/1.1 200 OK|Content-Length: 4|Date: D||tail"},
	"too long, then another response": {func(w *web.ResponseWriter, open func() *os.File) {
		_ = w.SetHeader("Content-Length", "3")
		if w.WriteFile(open(), 0, 4) != nil {
			_ = w.SetStatus(404)
			w.WriteString("no!")
		}
	}, "HTTP/1.1 404 Not Found|Content-Length: 3|Date: D||no!"},
	"longer than a file can be": {func(w *web.ResponseWriter, open func() *os.File) {
		w.WriteString("ab")
		_ = w.WriteFile(open(), 0, math.MaxInt64)
	}, alone500},
	"longer than a file can be, of a known length": {func(w *web.ResponseWriter, open func() *os.File) {
		_ = w.SetHeader("Content-Length", "9")
		w.WriteString("ab")
		_ = w.WriteFile(open(), 0, math.MaxInt64-1)
	}, alone500},
	"Switch behind it": {func(w *web.ResponseWriter, open func() *os.File) {
		_ = w.WriteFile(open(), 0, 5)
		_ = w.Switch(&shout{})
	}, alone500},
	"one file, two ranges, the second refused": {func(w *web.ResponseWriter, open func() *os.File) {
		f := open()
		_ = w.SetHeader("Content-Length", "5")
		_ = w.WriteFile(f, 0, 5)
		_ = w.WriteFile(f, 0, 5)
		_ = w.WriteFile(f, -1, 5)
	}, "HTTP/1.1 200 OK|Content-Length: 5|Date: D||01234"},
}

// Whatever a program does with a file, the client gets responses that it can tell
// apart, and the file is closed.
func TestFileOrders(t *testing.T) {
	t.Parallel()
	name := fileOf(t, contents[:100])
	for title, c := range fileOrders {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			files := make(chan *os.File, 8)
			addr := serveWith(t, &jay.Server{OnError: quiet, Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
				c.write(w, func() *os.File {
					f, err := os.Open(name)
					if err != nil {
						t.Error(err)
					}
					files <- f
					return f
				})
			})})
			if got := ask(t, addr, get); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			for end := time.Now().Add(time.Minute); len(files) > 0; {
				f := <-files
				for _, err := f.Stat(); !errors.Is(err, os.ErrClosed); _, err = f.Stat() {
					if time.Now().After(end) {
						t.Fatal("a file is open")
					}
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
}
