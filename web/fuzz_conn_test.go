package web_test

import (
	"io"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/http1test"
	"github.com/jay-go/jay/web"
)

// FuzzConn plays arbitrary bytes to a server, whole and in segments: the
// answers are the same, every one is well-formed, and nothing follows one that
// says close.
func FuzzConn(f *testing.F) {
	for _, c := range http1test.Cases(f) {
		if len(c.Raw) < 2000 {
			f.Add(c.Bytes(), uint8(len(c.Raw)))
		}
	}
	f.Add([]byte(get+head+get10), uint8(9))
	f.Add([]byte("PUT /no HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"+get), uint8(1))
	f.Add([]byte("PUT /noflush HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"+get), uint8(200))
	f.Add([]byte("PUT /noflush HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"+get), uint8(3))
	p := &web.Protocol{MaxBody: 1000, MaxHeader: 1000, MaxFields: 10, Handler: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		switch {
		case strings.HasPrefix(r.Path(), "/later"):
			l := w.Later()
			r.Conn().Loop().AfterFunc(0, func() { _, _ = l.Writer().Write(l.Request().BodyView()); _ = l.Finish() })
		case strings.HasPrefix(r.Path(), "/flush"):
			_, _ = w.Write(r.BodyView())
			_ = w.Flush()
		default:
			echoBody(w, r)
		}
	}), OnHead: func(w *web.ResponseWriter, r *web.Request) bool {
		if strings.HasSuffix(r.Path(), "flush") {
			_ = w.Flush()
		}
		return !strings.HasPrefix(r.Path(), "/no")
	}}
	// Not TCP: a client that is the first to be done leaves a TIME_WAIT.
	socket := filepath.Join(f.TempDir(), "s")
	serveWith(f, &jay.Server{Addr: "unix://" + socket, Protocol: p, OnError: quiet})
	f.Fuzz(func(t *testing.T, raw []byte, step uint8) {
		whole := converse(t, socket, [][]byte{raw})
		if cut := converse(t, socket, slices.Collect(slices.Chunk(raw, max(int(step), len(raw)/50+1)))); cut != whole {
			t.Fatalf("%q\nwhole %q\ncut   %q", raw, whole, cut)
		}
		if statusLine.Match(raw) {
			return // an echoed body may look like an answer
		}
		answers := statusLine.Split(whole, -1)
		if answers[0] != "" {
			t.Fatalf("%q\nbefore the first answer: %q", raw, answers[0])
		}
		for i, answer := range answers[1:] {
			head, _, ok := strings.Cut(answer, "||")
			if !ok {
				t.Fatalf("%q\nan answer without end: %q", raw, answer)
			}
			if strings.Contains(head, "Connection: close") && i < len(answers)-2 {
				t.Fatalf("%q\nsomething follows a close: %q", raw, whole)
			}
		}
	})
}

var statusLine = regexp.MustCompile(`HTTP/1\.1 \d\d\d `)

// converse is ask for a fuzz test: in pieces, without interim answers, which
// depend on what has arrived.
func converse(t *testing.T, socket string, pieces [][]byte) string {
	c, err := net.DialTimeout("unix", socket, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	for _, piece := range pieces {
		if _, err := c.Write(piece); err != nil {
			break
		}
	}
	_ = c.(*net.UnixConn).CloseWrite()
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return strings.ReplaceAll(plain(string(got)), "HTTP/1.1 100 Continue||", "")
}
