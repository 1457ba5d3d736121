package web_test

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/reset"
	"github.com/jay-go/jay/supervise"
	"github.com/jay-go/jay/web"
)

// toTheEnd reads to the end and returns what came before it.
func toTheEnd(t *testing.T, c net.Conn) string {
	t.Helper()
	got, err := io.ReadAll(c)
	if err != nil {
		t.Errorf("read: %v, want the end", err)
	}
	return plain(string(got))
}

// closedAfter is toTheEnd of what the server closes when so much time has passed
// since a moment before the connection was made.
func closedAfter(t *testing.T, c net.Conn, began time.Time, least time.Duration) string {
	t.Helper()
	got := toTheEnd(t, c)
	if took := time.Since(began); took < least {
		t.Errorf("closed after %v, want %v at least", took, least)
	}
	return got
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	short, long := time.Second, 2*patience // short is long enough for a busy machine to send
	put := "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
	later := "PUT /later HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
	for name, c := range map[string]struct {
		limits *web.Protocol
		send   string
		drip   string // sent a byte every 50 ms
		want   string // how the answer begins
	}{
		"nothing is sent":            {&web.Protocol{IdleTimeout: short, HeaderTimeout: long}, "", "", ""},
		"after an answer":            {&web.Protocol{IdleTimeout: short, HeaderTimeout: long}, get, "", "HTTP/1.1 200 "},
		"half a head":                {&web.Protocol{IdleTimeout: long, HeaderTimeout: short}, get[:20], "", "HTTP/1.1 408 "},
		"half a head, second":        {&web.Protocol{IdleTimeout: long, HeaderTimeout: short}, get + get[:20], "", "HTTP/1.1 200 "},
		"empty lines alone":          {&web.Protocol{IdleTimeout: long, HeaderTimeout: short}, "\r\n\r\n", "", ""},
		"a head that trickles":       {&web.Protocol{IdleTimeout: long, HeaderTimeout: short}, "GET / HTTP/1.1\r\nX: ", strings.Repeat("a", 30), "HTTP/1.1 408 "},
		"half a body":                {&web.Protocol{IdleTimeout: long, BodyTimeout: short}, put + "he", "", "HTTP/1.1 408 "},
		"half a body, silence":       {&web.Protocol{IdleTimeout: short, BodyTimeout: long}, put + "he", "", "HTTP/1.1 408 "},
		"a body that trickles":       {&web.Protocol{IdleTimeout: long, BodyTimeout: short}, strings.Replace(put, "5", "99", 1), strings.Repeat("a", 30), "HTTP/1.1 408 "},
		"the rest of a refused body": {&web.Protocol{IdleTimeout: short, OnHead: refuseAll}, put + "he", "", "HTTP/1.1 403 "},
		"no limit but silence":       {&web.Protocol{IdleTimeout: short, BodyTimeout: -1, HeaderTimeout: -1}, put + "he", "", "HTTP/1.1 408 "},
		"an answer given later":      {&web.Protocol{IdleTimeout: short, HeaderTimeout: short}, later + "hello", "", "HTTP/1.1 200 "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.limits.Handler = web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
				if r.Path() == "/later" { // the client's deadlines rest while the answer is ours
					l := w.Later()
					r.Conn().Loop().AfterFunc(2*short, func() { _ = l.Finish() })
				}
			})
			addr := serveWith(t, &jay.Server{Protocol: c.limits, OnError: quiet})
			began := time.Now()
			conn := dial(t, addr)
			_, _ = io.WriteString(conn, c.send)
			if c.drip != "" {
				go func() {
					for i := range c.drip {
						if _, err := io.WriteString(conn, c.drip[i:i+1]); err != nil {
							return
						}
						time.Sleep(50 * time.Millisecond)
					}
				}()
			}
			got := closedAfter(t, conn, began, short)
			if !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if name == "half a head, second" && !strings.Contains(got, "||HTTP/1.1 408 ") {
				t.Errorf("the second head was not answered 408: %q", got)
			}
		})
	}
}

func refuseAll(w *web.ResponseWriter, r *web.Request) bool {
	_ = w.SetStatus(403)
	return false
}

func TestMinBodyRate(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the grace of 5 s")
	}
	t.Parallel()
	addr := serveWith(t, &jay.Server{Protocol: &web.Protocol{Handler: echoBody, MinBodyRate: 1000}, OnError: quiet})
	began := time.Now()
	c := dial(t, addr)
	_, _ = io.WriteString(c, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n"+strings.Repeat("x", 500))
	if got := closedAfter(t, c, began, 5*time.Second); !strings.HasPrefix(got, "HTTP/1.1 408 ") {
		t.Errorf("got %q", got)
	}
}

// drainable is a server that tests drain for a reason.
func drainable(t *testing.T, s *jay.Server) (addr string, drain func(*supervise.Drain)) {
	s.Addr, s.Loop = "tcp://127.0.0.1:0", cmp.Or(s.Loop, os.Getenv("JAY_LOOP"))
	ctx, cancel := context.WithCancelCause(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	s.OnReady = func(a []net.Addr) { ready <- a[0].String() }
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel(nil)
		if err := soon(t, ended, "the end of Serve"); err != nil {
			t.Error(err)
		}
	})
	return soon(t, ready, "the address"), func(d *supervise.Drain) { cancel(d) }
}

// refused waits until nobody listens any more: the drain has begun.
func refused(t *testing.T, addr string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		_ = reset.Close(c)
		if time.Now().After(end) {
			t.Fatal("the drain does not begin")
		}
	}
}

// On a stop, connections at rest are closed and requests of which a byte was
// read are answered, with close.
func TestStop(t *testing.T) {
	waiting := make(chan web.Ref, 1)
	opened := make(chan bool, 10)
	addr, drain := drainable(t, &jay.Server{OnConnect: func(*jay.Conn) { opened <- true }, Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		if r.Path() == "/later" {
			waiting <- w.Later().Ref()
			return
		}
		_, _ = w.Write(r.BodyView())
	})})
	fresh, rested, inHead, inBody, later := dial(t, addr), dial(t, addr), dial(t, addr), dial(t, addr), dial(t, addr)
	for range 5 {
		soon(t, opened, "the connection")
	}
	const ok = "HTTP/1.1 200 OK|Content-Length: 0|Date: D||"
	for _, c := range []net.Conn{rested, inHead, inBody, later} {
		_, _ = io.WriteString(c, get)
		until(t, c, ok)
	}
	_, _ = io.WriteString(inHead, get+get[:9])
	until(t, inHead, ok)
	_, _ = io.WriteString(inBody, get+"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
	until(t, inBody, ok)
	_, _ = io.WriteString(later, strings.Replace(get, "/", "/later", 1))
	remote := soon(t, waiting, "the request")
	drain(&supervise.Drain{Reason: supervise.DrainStop, Deadline: time.Now().Add(patience)})
	for name, c := range map[string]net.Conn{"fresh": fresh, "rested": rested} {
		if got := toTheEnd(t, c); got != "" {
			t.Errorf("%s: got %q", name, got)
		}
	}
	_, _ = io.WriteString(inHead, get[9:])
	_, _ = io.WriteString(inBody, "llo"+get)
	if err := remote.Finish(nil); err != nil {
		t.Error(err)
	}
	for name, c := range map[string]struct {
		conn net.Conn
		want string
	}{
		"in a head":      {inHead, "HTTP/1.1 200 OK|Content-Length: 0|Date: D|Connection: close||"},
		"in a body":      {inBody, "HTTP/1.1 200 OK|Content-Length: 5|Date: D|Connection: close||hello"},
		"answered later": {later, "HTTP/1.1 200 OK|Content-Length: 0|Date: D|Connection: close||"},
	} {
		if got := toTheEnd(t, c.conn); got != c.want {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// What is pending is not closed with the rest shortly before the deadline.
func TestStopWaitsForAPendingAnswer(t *testing.T) {
	t.Parallel()
	asked := make(chan time.Time, 1)
	addr, drain := drainable(t, &jay.Server{Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		if r.Path() == "/later" {
			l := w.Later()
			asked <- time.Now()
			r.Conn().Loop().AfterFunc(4500*time.Millisecond, func() { l.Finish() })
		}
	}), OnError: quiet})
	c, inHead := dial(t, addr), dial(t, addr)
	_, _ = io.WriteString(inHead, get+get[:9])
	until(t, inHead, "HTTP/1.1 200 OK|Content-Length: 0|Date: D||")
	_, _ = io.WriteString(c, strings.Replace(get, "/", "/later", 1))
	began := soon(t, asked, "the request")
	drain(&supervise.Drain{Reason: supervise.DrainStop, Deadline: began.Add(5 * time.Second)})
	toTheEnd(t, inHead) // at the last call, 1 s before the deadline
	if got := toTheEnd(t, c); got != "HTTP/1.1 200 OK|Content-Length: 0|Date: D|Connection: close||" {
		t.Errorf("got %q", got)
	}
}

// An upload that the program has paused goes on after a drain has begun.
func TestDrainDuringAPausedBody(t *testing.T) {
	for name, d := range map[string]*supervise.Drain{"stop": {Reason: supervise.DrainStop}, "reload": {Reason: supervise.DrainReload}} {
		t.Run(name, func(t *testing.T) {
			d.Deadline = time.Now().Add(patience)
			paused, resume := make(chan web.BodyPause, 1), make(chan bool)
			p := &web.Protocol{Handler: echoBody, OnHead: func(w *web.ResponseWriter, r *web.Request) bool {
				first := true
				r.OnBody(func(w *web.ResponseWriter, r *web.Request, b []byte) error {
					_, _ = w.Write(b)
					if first {
						first = false
						pause, c := r.PauseBody(), r.Conn().Ref()
						paused <- pause
						go func() {
							<-resume
							_ = c.Do(func(*jay.Conn) { _ = pause.Resume() })
						}()
					}
					return nil
				})
				return true
			}}
			addr, drain := drainable(t, &jay.Server{Protocol: p})
			c := dial(t, addr)
			_, _ = io.WriteString(c, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel")
			soon(t, paused, "the pause")
			drain(d)
			refused(t, addr)
			close(resume)
			time.Sleep(100 * time.Millisecond) // for what must not happen
			_, _ = io.WriteString(c, "lo")
			if got := toTheEnd(t, c); got != "HTTP/1.1 200 OK|Content-Length: 5|Date: D|Connection: close||hello" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// On a reload nobody is closed without having been told: connections at rest
// stay, their next answer says close.
func TestReload(t *testing.T) {
	waiting := make(chan web.Ref, 1)
	addr, drain := drainable(t, &jay.Server{Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		if r.Path() == "/stream" {
			_ = w.Flush() // the head says nothing of a close
			waiting <- w.Later().Ref()
		}
	})})
	rested, streamed := dial(t, addr), dial(t, addr)
	_, _ = io.WriteString(rested, get)
	until(t, rested, "HTTP/1.1 200 OK|Content-Length: 0|Date: D||")
	_, _ = io.WriteString(streamed, strings.Replace(get, "/", "/stream", 1))
	remote := soon(t, waiting, "the request")
	drain(&supervise.Drain{Reason: supervise.DrainReload, Deadline: time.Now().Add(patience)})
	refused(t, addr)
	time.Sleep(200 * time.Millisecond) // for what must not happen
	if err := remote.Finish(nil); err != nil {
		t.Error(err)
	}
	until(t, streamed, "Transfer-Encoding: chunked|Date: D||0||")
	time.Sleep(200 * time.Millisecond)
	for name, c := range map[string]net.Conn{"rested": rested, "streamed": streamed} {
		_, _ = io.WriteString(c, get)
		if got := toTheEnd(t, c); got != "HTTP/1.1 200 OK|Content-Length: 0|Date: D|Connection: close||" {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// shout is what a test upgrades to: it answers in capitals.
type shout struct{ greeting string }

func (s *shout) Open(c *jay.Conn) { _, _ = c.WriteString(s.greeting) }
func (s *shout) Data(c *jay.Conn, b []byte) (int, error) {
	_, err := c.WriteString(strings.ToUpper(string(b)))
	return len(b), err
}
func (s *shout) Close(*jay.Conn, error) {}

func TestSwitch(t *testing.T) {
	addr := serveWith(t, &jay.Server{OnError: quiet, Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		switch {
		case r.Method() == "CONNECT":
			_ = w.SetHeader("Content-Length", "0") // a tunnel has none
			_ = w.Switch(&shout{"hi "})
		case r.Path() == "/later":
			l := w.Later()
			r.Conn().Loop().AfterFunc(10*time.Millisecond, func() {
				_ = l.Writer().SetStatus(101)
				_ = l.Writer().SetHeader("Upgrade", "shout")
				_ = l.Writer().Switch(&shout{"hi "})
				_ = l.Finish()
			})
		case r.Path() == "/refused":
			_ = w.Switch(&shout{"hi "})
			_ = w.SetStatus(403)
		case r.Path() == "/flushed", r.Path() == "/written", r.Path() == "/before":
			if r.Path() == "/before" {
				w.WriteString("x")
			}
			_ = w.SetStatus(101)
			_ = w.Switch(&shout{"hi "})
			if r.Path() == "/flushed" {
				_ = w.Flush()
			} else if r.Path() == "/written" {
				w.WriteString("x")
			}
		case r.Path() == "/forced" || r.Upgrade() == "shout":
			_ = w.SetStatus(101)
			_ = w.SetHeader("Upgrade", "shout")
			_ = w.Switch(&shout{"hi "})
		}
	})})
	const offer = "Connection: Upgrade\r\nUpgrade: shout\r\n\r\n"
	const switched = "HTTP/1.1 101 Switching Protocols|Upgrade: shout|Connection: Upgrade|Date: D||hi "
	for name, c := range map[string]struct{ send, want string }{
		"upgrade":          {"GET / HTTP/1.1\r\nHost: a\r\n" + offer + "abc", switched + "ABC"},
		"given later":      {"GET /later HTTP/1.1\r\nHost: a\r\n" + offer + "abc", switched + "ABC"},
		"behind a body":    {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n" + offer + "xyzabc", switched + "ABC"},
		"with close":       {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + offer + "abc", switched + "ABC"},
		"not with 403":     {"GET /refused HTTP/1.1\r\nHost: a\r\n" + offer + "abc", "HTTP/1.1 500 "},
		"flushed":          {"GET /flushed HTTP/1.1\r\nHost: a\r\n" + offer, "HTTP/1.1 500 "},
		"a body":           {"GET /written HTTP/1.1\r\nHost: a\r\n" + offer, "HTTP/1.1 500 "},
		"a body before":    {"GET /before HTTP/1.1\r\nHost: a\r\n" + offer, "HTTP/1.1 500 "},
		"not offered":      {"GET /forced HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 500 "},
		"another protocol": {"GET / HTTP/1.1\r\nHost: a\r\n" + strings.Replace(offer, "shout", "x", 1) + getLast, "HTTP/1.1 200 OK|Content-Length: 0|Date: D||HTTP/1.1 200 "},
		"CONNECT":          {"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\nabc", "HTTP/1.1 200 OK|Date: D||hi ABC"},
		"upgrade from 1.0": {"GET /forced HTTP/1.0\r\n" + offer, "HTTP/1.1 500 "},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ask(t, addr, c.send); !strings.HasPrefix(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			if !strings.HasPrefix(c.want, switched) {
				return
			}
			for cut := range len(c.send) { // however it arrives, no byte is lost
				conn := dial(t, addr)
				_, _ = io.WriteString(conn, c.send[:cut])
				_, _ = io.WriteString(conn, c.send[cut:])
				until(t, conn, c.want)
				reset.Close(conn)
			}
		})
	}
}

func TestTooManyConnections(t *testing.T) {
	addr := serveWith(t, &jay.Server{Protocol: echoBody, MaxConns: 1})
	first := dial(t, addr)
	_, _ = io.WriteString(first, get)
	until(t, first, "HTTP/1.1 200 OK|Content-Length: 0|Date: D||")
	answer, err := http.ReadResponse(bufio.NewReader(dial(t, addr)), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	if answer.StatusCode != 503 || !answer.Close || string(text) != "Service Unavailable: too many connections\n" || err != nil {
		t.Errorf("%d, close %v, %q, %v", answer.StatusCode, answer.Close, text, err)
	}
}

// net/http's client, a stranger, agrees with every answer.
func TestAgainstNetHTTPClient(t *testing.T) {
	addr := serve(t, web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		_ = w.SetHeader("X-Path", r.Path())
		_, _ = w.Write(r.BodyView())
		if r.Query("flush") != "" {
			_ = w.Flush()
		}
		w.WriteString("end")
	}))
	transport := &http.Transport{MaxConnsPerHost: 1, DialContext: reset.DialContext}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: patience}
	big := strings.Repeat("0123456789", 100_000)
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "FOO"} {
		for _, query := range []string{"", "?flush=1"} {
			for name, body := range map[string]io.Reader{"none": nil, "sized": strings.NewReader(big), "chunked": bufio.NewReader(strings.NewReader(big))} {
				request, err := http.NewRequest(method, "http://"+addr+"/a%20b"+query, body)
				if err != nil {
					t.Fatal(err)
				}
				if name == "sized" {
					request.Header.Set("Expect", "100-continue")
				}
				answer, err := client.Do(request)
				if err != nil {
					t.Fatalf("%s %s %s: %v", method, query, name, err)
				}
				got, err := io.ReadAll(answer.Body)
				answer.Body.Close()
				want := "end"
				if body != nil {
					want = big + want
				}
				if method == "HEAD" {
					want = ""
				}
				if string(got) != want || err != nil || answer.StatusCode != 200 || answer.Header.Get("X-Path") != "/a b" {
					t.Errorf("%s %s %s: %d, %d bytes, %v", method, query, name, answer.StatusCode, len(got), err)
				}
			}
		}
	}
}
