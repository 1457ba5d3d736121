package web_test

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
)

// soon waits for a value that must come.
func soon[T any](t testing.TB, ch <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(patience):
		t.Fatalf("%s did not come within %v", what, patience)
	}
	return v
}

// Answers leave in the order of their requests whoever finishes them, and the
// request that waits keeps its bytes although others have come since.
func TestLaterKeepsOrderAndRequest(t *testing.T) {
	waiting := make(chan web.Ref, 10)
	addr := serve(t, web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		if r.Path() == "/later" {
			waiting <- w.Later().Ref()
			return
		}
		w.WriteString(r.Path())
	}))
	c := dial(t, addr)
	body := "5;x\r\nhello\r\n0\r\nSum: 42\r\n\r\n"
	go func() {
		for range 3 {
			_, _ = io.WriteString(c, "PUT /later?q HTTP/1.1\r\nHost: a\r\nX: kept\r\nTransfer-Encoding: chunked\r\n\r\n"+body+
				"PUT /later HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /now HTTP/1.1\r\nHost: a\r\n\r\n")
		}
		_ = c.CloseWrite()
	}()
	for range 6 {
		remote := soon(t, waiting, "the request")
		select {
		case <-waiting:
			t.Fatal("a second request was handled before the first was answered")
		case <-time.After(10 * time.Millisecond):
		}
		err := remote.Finish(func(w *web.ResponseWriter, r *web.Request) {
			w.WriteString(r.Target() + " " + r.Header("x") + " " + string(r.BodyView()) + " " + r.Trailer("sum"))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	got, err := io.ReadAll(c)
	answer := func(body string) string {
		return "HTTP/1.1 200 OK|Content-Length: " + itoa(len(body)) + "|Date: D||" + body
	}
	if want := strings.Repeat(answer("/later?q kept hello 42")+answer("/later  abc ")+answer("/now"), 3); plain(string(got)) != want || err != nil {
		t.Errorf("got  %q, %v\nwant %q", plain(string(got)), err, want)
	}
}

func TestLaterFinishedAtOnceOrTwice(t *testing.T) {
	addr := serve(t, web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		l := w.Later()
		l.Writer().WriteString("a")
		if l.Gone() || l.Finish() != nil || l.Finish() != nil {
			t.Error("a live handle reports that it is void")
		}
	}))
	want := strings.Repeat("HTTP/1.1 200 OK|Content-Length: 1|Date: D||a", 3)
	if got := ask(t, addr, get+get+get); got != want {
		t.Errorf("got %q", got)
	}
}

// A handle that outlives its exchange touches nothing of the next one.
func TestLaterIsVoidAfterwards(t *testing.T) {
	var old web.Later
	addr := serve(t, web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		if !old.Gone() || old.Writer() != nil || old.Request() != nil || !errors.Is(old.Finish(), jay.ErrClosed) {
			t.Errorf("%s: the handle of the last request works on this one", r.Path())
		}
		old = w.Later()
		_ = old.Finish()
	}))
	if got := ask(t, addr, strings.ReplaceAll(get+get+get, "GET /", "GET /1")); strings.Count(got, "200 OK") != 3 {
		t.Errorf("got %q", got)
	}
}

func TestLaterReportsThatTheClientHasLeft(t *testing.T) {
	waiting, gone := make(chan web.Ref, 1), make(chan bool, 1)
	addr := serve(t, web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		l := w.Later()
		l.OnGone(func() { gone <- true })
		waiting <- l.Ref()
	}))
	c := dial(t, addr)
	_, _ = io.WriteString(c, get)
	remote := soon(t, waiting, "the request")
	_ = c.SetLinger(0)
	_ = c.Close()
	for {
		err := remote.Do(func(w *web.ResponseWriter, r *web.Request) {
			_, _ = w.Write(make([]byte, 1<<16))
			_ = w.Flush()
		})
		if errors.Is(err, jay.ErrClosed) {
			break
		}
		runtime.Gosched()
	}
	soon(t, gone, "OnGone")
	if err := remote.Finish(nil); !errors.Is(err, jay.ErrClosed) {
		t.Errorf("Finish: %v", err)
	}
}

func TestHalfClosedClientGetsItsLaterAnswer(t *testing.T) {
	addr := serve(t, web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		l := w.Later()
		r.Conn().Loop().AfterFunc(50*time.Millisecond, func() {
			l.Writer().WriteString("late")
			_ = l.Finish()
		})
	}))
	if got := ask(t, addr, get); got != "HTTP/1.1 200 OK|Content-Length: 4|Date: D||late" {
		t.Errorf("got %q", got)
	}
}

// A stream of 48 MiB to a client that does not read at first: what is
// buffered stays bounded, and all of it arrives.
func TestStreamWithBackpressure(t *testing.T) {
	const total, piece = 48 << 20, 64 << 10
	peak := make(chan int, 1)
	stalled := make(chan bool, 1)
	addr := serve(t, web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		l, sent, most := w.Later(), 0, 0
		more := func() {
			for w := l.Writer(); sent < total && !l.Full(); sent += piece {
				_, _ = w.Write(make([]byte, piece))
				_ = w.Flush()
				most = max(most, r.Conn().Buffered())
			}
			if sent == total {
				peak <- most
				_ = l.Finish()
				return
			}
			select {
			case stalled <- true:
			default:
			}
		}
		l.OnWritable(more)
		more()
	}))
	c := dial(t, addr)
	_, _ = io.WriteString(c, getLast)
	soon(t, stalled, "the high-water mark")
	body := 0
	got, err := io.ReadAll(c)
	_, rest, _ := strings.Cut(string(got), "\r\n\r\n")
	for {
		line, after, _ := strings.Cut(rest, "\r\n")
		if line == "0" {
			break
		}
		if line != hex(piece) || len(after) < piece+2 {
			t.Fatalf("chunk %q after %d bytes, %v", line, body, err)
		}
		body += piece
		rest = after[piece+2:]
	}
	if body != total || err != nil {
		t.Errorf("%d of %d bytes, %v", body, total, err)
	}
	if most := soon(t, peak, "the end of the stream"); most > 2<<20 {
		t.Errorf("%d bytes were buffered for a client that did not read", most)
	}
}

func TestPanicInALaterCallback(t *testing.T) {
	waiting := make(chan web.Ref, 1)
	addr := serveWith(t, &jay.Server{OnError: func(*jay.Conn, error) {}, Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		waiting <- w.Later().Ref()
	})})
	go func() {
		remote := <-waiting
		_ = remote.Finish(func(*web.ResponseWriter, *web.Request) { panic("x") })
	}()
	if got := ask(t, addr, get); !strings.HasPrefix(got, "HTTP/1.1 500 ") {
		t.Errorf("got %q", got)
	}
}
