package load_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/leak"
	"github.com/jay-go/jay/internal/load"
)

func TestMain(m *testing.M) { leak.Main(m) }

const good = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// serve accepts connections until the test ends and hands each to play.
func serve(t *testing.T, play func(*net.TCPConn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			play(conn.(*net.TCPConn))
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
	})
	return ln.Addr().String()
}

// answer reads one request and sends text.
func answer(c *net.TCPConn, text string) {
	if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
		c.Write([]byte(text))
	}
}

func reset(c *net.TCPConn) { c.SetLinger(0) }

// first runs one request, or as many as it takes to get other than Answered
// when again is set, and returns its result.
func first(t *testing.T, l *load.Load, again bool) load.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var got load.Result
	l.Observe = func(r load.Result) {
		if ctx.Err() == nil && (!again || r.Outcome != load.Answered) {
			got = r
			cancel()
		}
	}
	l.Run(ctx)
	return got
}

func TestOutcomes(t *testing.T) {
	for _, tt := range []struct {
		name  string
		play  func(*net.TCPConn)
		again bool // the first answer is good
		want  load.Outcome
	}{
		{"answered", func(c *net.TCPConn) { answer(c, good) }, false, load.Answered},
		{"closed at once", func(c *net.TCPConn) { answer(c, "") }, false, load.EOFBefore},
		{"reset at once", func(c *net.TCPConn) { answer(c, ""); reset(c) }, false, load.Reset},
		{"head cut", func(c *net.TCPConn) { answer(c, good[:20]) }, false, load.Cut},
		{"body cut", func(c *net.TCPConn) { answer(c, good[:len(good)-1]) }, false, load.Cut},
		{"not HTTP", func(c *net.TCPConn) { answer(c, "220 smtp\r\n\r\n") }, false, load.Wrong},
		{"status 500", func(c *net.TCPConn) { answer(c, strings.Replace(good, "200", "500", 1)) }, false, load.Wrong},
		{"closed while idle", func(c *net.TCPConn) { answer(c, good) }, true, load.KeepAliveRace},
		{"reset while idle", func(c *net.TCPConn) { answer(c, good); answer(c, ""); reset(c) }, true, load.KeepAliveRace},
		{"cut at the second answer", func(c *net.TCPConn) { answer(c, good); answer(c, good[:9]) }, true, load.Cut},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := first(t, &load.Load{Addr: serve(t, tt.play)}, tt.again)
			if got.Outcome != tt.want {
				t.Errorf("outcome %v, want %v", got, tt.want)
			}
			if (got.Err == nil) != (tt.want == load.Answered) {
				t.Errorf("error %v", got.Err)
			}
		})
	}
}

func TestTimeout(t *testing.T) {
	release := make(chan struct{})
	addr := serve(t, func(*net.TCPConn) { <-release })
	got := first(t, &load.Load{Addr: addr, Timeout: 20 * time.Millisecond}, false)
	close(release)
	if got.Outcome != load.Timeout {
		t.Errorf("outcome %v, want a timeout", got)
	}
}

func TestConnectFail(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if got := first(t, &load.Load{Addr: ln.Addr().String()}, false); got.Outcome != load.ConnectFail {
		t.Errorf("outcome %v, want connect_fail", got)
	}
}

func TestAnnouncedCloseIsNoFailure(t *testing.T) {
	closing := strings.Replace(good, "Content", "Connection: close\r\nContent", 1)
	three := make(chan struct{})
	n := 0
	l := load.Load{
		Addr: serve(t, func(c *net.TCPConn) { answer(c, closing) }),
		Observe: func(load.Result) {
			if n++; n == 3 {
				close(three)
			}
		},
	}
	end := l.Start()
	<-three
	if r := end(); r.Failed() != 0 || r.Counts[load.Answered] < 3 {
		t.Errorf("%v; want three answered and none failed", r)
	}
}

func TestPerConnAndCheck(t *testing.T) {
	addr := serve(t, func(c *net.TCPConn) { answer(c, good); answer(c, good); answer(c, good) })
	ordinals := map[int]int{}
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	l := load.Load{
		Addr: addr, PerConn: 2,
		Check: func(r load.Result) error {
			if string(r.Body) != "ok" {
				return errors.New("body is not ok")
			}
			return nil
		},
		Observe: func(r load.Result) {
			ordinals[r.Ordinal]++
			if n++; n == 6 {
				cancel()
			}
		},
	}
	r := l.Run(ctx)
	if r.Failed() != 0 || len(ordinals) != 2 || ordinals[0] != 3 || ordinals[1] != 3 {
		t.Errorf("%v, ordinals %v; want three connections with two requests each", r, ordinals)
	}
}
