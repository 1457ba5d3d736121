package websocket_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
	"github.com/jay-go/jay/websocket"
)

// TestPaths: a Handler serves one path of an HTTP service; other requests, on
// the same connection before the upgrade, are HTTP as ever.
func TestPaths(t *testing.T) {
	ws := echo()
	addr := serve(t, web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		if r.Path() == "/ws" {
			ws.Serve(w, r)
			return
		}
		w.WriteString("page")
	}))
	p := dialRaw(t, addr)
	p.write([]byte("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n" + request()))
	if err := p.readHead(); err != nil || !strings.HasPrefix(p.head, "HTTP/1.1 200 ") {
		t.Fatalf("%v %s", err, p.head)
	}
	page := make([]byte, 4)
	if _, err := p.r.Read(page); err != nil || string(page) != "page" {
		t.Fatalf("%q %v", page, err)
	}
	p.upgraded()
	p.alive()
}

// TestRefusedUpgrade: a refusal is an answer like others, and the connection
// can be used again.
func TestRefusedUpgrade(t *testing.T) {
	h := echo()
	h.OnUpgrade = func(w *web.ResponseWriter, r *web.Request) (any, bool) {
		user, _ := r.Cookie("user")
		if user == "" {
			w.SetStatus(401)
			w.WriteString("who are you?")
		}
		return user, user != "" && user != "bob"
	}
	h.OnMessage = func(c *websocket.Conn, m websocket.Message) { c.SendText(c.Value().(string) + ": " + m.Text()) }
	p := dialRaw(t, serve(t, h))
	for _, tt := range []struct{ name, request, want string }{
		{"no cookie", request(), "401"},
		{"refused without a word", request("Cookie: user=bob"), "403"},
		{"a foreign page", request("Cookie: user=eve", "Origin: https://evil.test"), "403"},
		{"no upgrade", "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", "426"},
	} {
		p.write([]byte(tt.request))
		if err := p.readHead(); err != nil || !strings.HasPrefix(p.head, "HTTP/1.1 "+tt.want+" ") {
			t.Fatalf("%s: %v, answered with\n%s", tt.name, err, p.head)
		}
		var n int
		fmt.Sscan(p.field("Content-Length"), &n)
		if _, err := p.r.Discard(n); err != nil {
			t.Fatal(err)
		}
	}
	p.write([]byte(request("Cookie: user=ann")))
	p.upgraded()
	p.send(text("hi"))
	p.expect(fin|opText, "ann: hi")
}

// TestMalformedHandshakeEnds: what follows a handshake that is not RFC 6455's
// is not read as a request: before it, eight bytes followed each.
func TestMalformedHandshakeEnds(t *testing.T) {
	const hixie76 = "GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n" +
		"Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\nSec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n\r\n^n:ds[4U"
	for name, tt := range map[string]struct{ sent, status, connection string }{
		"hixie-76":           {hixie76, "426", "Upgrade, close"},
		"a key that is none": {strings.Replace(request(), "Key: ", "Key: x", 1) + "GET / HTTP/1.1\r\n", "400", "close"},
	} {
		p := dialRaw(t, serve(t, echo()))
		p.write([]byte(tt.sent))
		if err := p.readHead(); err != nil || !strings.HasPrefix(p.head, "HTTP/1.1 "+tt.status+" ") || p.field("Connection") != tt.connection {
			t.Errorf("%s: %v, answered with\n%s", name, err, p.head)
		}
		if rest, err := io.ReadAll(p.r); err != nil || strings.Contains(string(rest), "HTTP/1.1") {
			t.Errorf("%s: then %q, %v", name, rest, err)
		}
	}
}

// TestUpgradeByHand: a handler that decides itself, with fields of its own in
// the answer.
func TestUpgradeByHand(t *testing.T) {
	ws := &websocket.Handler{Subprotocols: []string{"v2", "v1"}}
	ws.OnOpen = func(c *websocket.Conn) { c.SendText(fmt.Sprint(c.Value(), " ", c.Subprotocol(), " ", c.Compressed())) }
	addr := serve(t, web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
		w.SetHeader("X-Room", r.Query("room"))
		ws.Upgrade(w, r, "room "+r.Query("room"))
	}))
	p := dialRaw(t, addr)
	p.write([]byte(strings.Replace(request("Sec-WebSocket-Protocol: v1"), "/ws", "/ws?room=7", 1)))
	p.upgraded()
	if p.field("X-Room") != "7" || p.field("Sec-WebSocket-Protocol") != "v1" {
		t.Errorf("answered with\n%s", p.head)
	}
	p.expect(fin|opText, "room 7 v1 false")
}

// TestPanic: a callback that panics costs its own connection, which is told
// 1011; OnError gets the stack.
func TestPanic(t *testing.T) {
	errs := make(chan error, 1)
	h := echo()
	h.OnMessage = func(c *websocket.Conn, m websocket.Message) {
		if m.Text() == "panic" {
			panic("ouch")
		}
		c.Send(m)
	}
	h.OnError = func(_ *websocket.Conn, err error) { errs <- err }
	addr := serve(t, h)
	good, bad := dial(t, addr), dial(t, addr)
	good.alive()
	bad.send(text("panic"), text("never delivered"))
	bad.expectClose(websocket.CloseInternal)
	good.alive()
	var panicked *jay.PanicError
	if err := within(t, errs, "OnError"); !errors.As(err, &panicked) || !strings.Contains(string(panicked.Stack), "TestPanic") {
		t.Errorf("OnError got %v", err)
	}
}

// TestKeepalive: a silent peer is pinged; who answers stays, who does not is
// given up, and OnClose is told that nothing came.
func TestKeepalive(t *testing.T) {
	t.Parallel()
	type end struct {
		id   uint64
		code websocket.Code
	}
	ends, ids := make(chan end, 2), make(chan uint64, 2)
	h := echo()
	h.PingInterval, h.PongTimeout = 50*time.Millisecond, 2*time.Second
	h.OnOpen = func(c *websocket.Conn) { ids <- c.ID() }
	h.OnClose = func(c *websocket.Conn, code websocket.Code, _ string) { ends <- end{c.ID(), code} }
	addr := serve(t, h)
	good := dial(t, addr)
	within(t, ids, "OnOpen")
	bad := dial(t, addr)
	badID := within(t, ids, "OnOpen")
	go func() {
		for {
			if f, err := bad.next(); err != nil || f.first != fin|opPing {
				return
			}
		}
	}()
	for range 4 {
		good.expect(fin|opPing, "")
		good.send(frame(fin|opPong, nil))
	}
	if e := within(t, ends, "the end of the silent one"); e.id != badID || e.code != websocket.CloseAbnormal {
		t.Errorf("ended: %+v, want %d with 1006", e, badID)
	}
}

// TestSendPart: a message larger than a connection may hold goes out in parts,
// as the example sends them.
func TestSendPart(t *testing.T) {
	const size = 20 << 20
	p := dial(t, serve(t, &websocket.Handler{
		OnUpgrade:  func(*web.ResponseWriter, *web.Request) (any, bool) { return io.LimitReader(zeros{}, size), true },
		OnOpen:     sendSome,
		OnWritable: sendSome,
	}, func(s *jay.Server) { s.Conn.MaxOutput = 4 << 20 }))
	for got, first := 0, byte(opBinary); ; first = opContinuation {
		f, err := p.next()
		if err != nil || f.first&^fin != first {
			t.Fatalf("%v, %v after %d bytes", f, err, got)
		}
		if got += len(f.payload); f.first&fin != 0 {
			if got != size {
				t.Errorf("%d bytes came of %d", got, size)
			}
			return
		}
	}
}

// TestServerLimit: OnError is told of a limit of the server that a connection
// has reached, and OnClose that there was no closing handshake.
func TestServerLimit(t *testing.T) {
	errs, codes := make(chan error, 2), make(chan websocket.Code, 1)
	addr := serve(t, &websocket.Handler{
		OnMessage: func(c *websocket.Conn, _ websocket.Message) {
			if err := c.SendBinary(make([]byte, 2<<20)); !errors.Is(err, jay.ErrOutputLimit) {
				t.Errorf("SendBinary: %v", err)
			}
		},
		OnError: func(_ *websocket.Conn, err error) { errs <- err },
		OnClose: func(_ *websocket.Conn, code websocket.Code, _ string) { codes <- code },
	}, func(s *jay.Server) { s.Conn.MaxOutput = 1 << 20 })
	dial(t, addr).send(text("more than allowed"))
	if err := within(t, errs, "OnError"); !errors.Is(err, jay.ErrOutputLimit) {
		t.Errorf("OnError got %v", err)
	}
	if code := within(t, codes, "OnClose"); code != websocket.CloseAbnormal || len(errs) > 0 {
		t.Errorf("OnClose got %v, and OnError was called again: %v", code, len(errs) > 0)
	}
}

// TestCallbacks: pings and pongs are told; a ping is answered by itself.
func TestCallbacks(t *testing.T) {
	told := make(chan string, 4)
	h := echo()
	h.OnPing = func(c *websocket.Conn, p []byte) { told <- "ping " + string(p) }
	h.OnPong = func(c *websocket.Conn, p []byte) { told <- "pong " + string(p) }
	h.OnOpen = func(c *websocket.Conn) {
		if err := c.Ping(make([]byte, 126)); err != websocket.ErrControlTooLong {
			t.Errorf("Ping of 126 bytes: %v", err)
		}
		c.Ping([]byte("there?"))
	}
	h.OnClose = func(_ *websocket.Conn, code websocket.Code, reason string) { told <- fmt.Sprint(code, reason) }
	p := dial(t, serve(t, h))
	p.expect(fin|opPing, "there?")
	p.send(frame(fin|opPong, []byte("here")), frame(fin|opPing, []byte("you?")), closing(1000, "bye"))
	p.expect(fin|opPong, "you?")
	p.expectClose(1000)
	p.conn.Close()
	for _, want := range []string{"pong here", "ping you?", "normal closurebye"} {
		if got := within(t, told, want); got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	}
}

// TestSending: every way to send, and what is refused.
func TestSending(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	h := &websocket.Handler{OnMessage: func(c *websocket.Conn, m websocket.Message) {
		check := func(what string, err, want error) {
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", what, err, want)
			}
		}
		switch m.Text() {
		case "text":
			check("SendText", c.SendText("€"), nil)
			check("SendText", c.SendText(long), nil)
			check("SendText of no text", c.SendText("\xff"), websocket.ErrInvalidText)
			check("Send of no text", c.Send(websocket.Text("\xff")), websocket.ErrInvalidText)
		case "binary":
			check("SendBinary", c.SendBinary([]byte{0xff}), nil)
			check("zero Message", c.Send(websocket.Message{}), nil)
		case "json":
			check("SendJSON", c.SendJSON(map[string]int{"n": 1}), nil)
			if err := c.SendJSON(func() {}); err == nil {
				t.Error("SendJSON of a func: no error")
			}
		case "parts":
			check("SendPart", c.SendPart(websocket.Text("one "), false), nil)
			check("Send inside", c.SendText("no"), websocket.ErrUnfinished)
			check("Ping inside", c.Ping(nil), nil)
			check("SendPart", c.SendPart(websocket.Text("two"), true), nil)
			check("Send after", c.SendText("end"), nil)
		}
	}}
	for _, deflate := range []bool{false, true} {
		var lines []string
		if deflate {
			h = &websocket.Handler{OnMessage: h.OnMessage, Deflate: &websocket.Deflate{MinSize: 1 << 30}} // the other is in use
			lines = append(lines, "Sec-WebSocket-Extensions: permessage-deflate")
		}
		p := dial(t, serve(t, h), lines...)
		p.send(text("text"), text("binary"), text("json"), text("parts"))
		p.expect(fin|opText, "€")
		p.expect(fin|opText, long)
		p.expect(fin|opBinary, "\xff")
		p.expect(fin|opBinary, "")
		p.expect(fin|opText, `{"n":1}`)
		p.expect(opText, "one ")
		p.expect(fin|opPing, "")
		p.expect(fin|opContinuation, "two")
		p.expect(fin|opText, "end")
	}
}

// TestCompressedSending: messages from MinSize on are compressed, when that
// makes them shorter.
func TestCompressedSending(t *testing.T) {
	h := echo()
	h.Deflate = &websocket.Deflate{}
	p := dial(t, serve(t, h), "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
	if got, want := p.field("Sec-WebSocket-Extensions"), "permessage-deflate; server_no_context_takeover; client_no_context_takeover"; got != want {
		t.Fatalf("agreed %q, want %q", got, want)
	}
	small, large := pattern(255), pattern(100_000)
	p.send(frame(fin|opText, small), frame(fin|rsv1|opText, compress(large)))
	p.expect(fin|opText, string(small))
	f, err := p.next()
	if err != nil || f.first != fin|rsv1|opText || len(f.payload) > 2000 {
		t.Fatalf("%v, %v", f, err)
	}
	if got, err := inflate(f.payload); err != nil || string(got) != string(large) {
		t.Errorf("inflates to %d bytes, %v", len(got), err)
	}
}

// TestTakeover: where both sides agreed to it, the second message refers to
// the first, and only there.
func TestTakeover(t *testing.T) {
	h := echo()
	h.Deflate = &websocket.Deflate{ServerTakeover: true, ClientTakeover: true}
	p := dial(t, serve(t, h), "Sec-WebSocket-Extensions: permessage-deflate")
	if got := p.field("Sec-WebSocket-Extensions"); got != "permessage-deflate" {
		t.Fatalf("agreed %q", got)
	}
	random := make([]byte, 1000) // compresses only against itself
	for i := range random {
		random[i] = byte(i * i * 7919 >> 5)
	}
	client := newTakeoverClient()
	for i, limit := range []int{1100, 100, 100} {
		p.send(frame(fin|rsv1|opBinary, client.compress(random)))
		f, err := p.next()
		if err != nil || f.first != fin|rsv1|opBinary || len(f.payload) > limit {
			t.Fatalf("message %d: %v, %v", i, f, err)
		}
		if got := client.inflate(f.payload, len(random)); string(got) != string(random) {
			t.Fatalf("message %d came back wrong", i)
		}
	}
}

// TestRef: other goroutines send and close, also when the connection has
// gone.
func TestRef(t *testing.T) {
	refs := make(chan websocket.Ref, 1)
	h := echo()
	h.OnOpen = func(c *websocket.Conn) { refs <- c.Ref() }
	p := dial(t, serve(t, h))
	ref := within(t, refs, "OnOpen")
	b := []byte("from elsewhere")
	if err := ref.Send(websocket.Binary(b)); err != nil {
		t.Error(err)
	}
	copy(b, "XXXX") // Send has copied
	p.expect(fin|opBinary, "from elsewhere")
	if err := ref.Send(websocket.Text("\xff")); err != websocket.ErrInvalidText {
		t.Errorf("Send of no text: %v", err)
	}
	if err := ref.Close(4000, "bye"); err != nil {
		t.Error(err)
	}
	f, err := p.next()
	if err != nil || f.String() != `0x88 close 4000 "bye"` {
		t.Errorf("got %v, %v", f, err)
	}
	p.send(frame(fin|opClose, f.payload))
	p.expectEnd()
	p.conn.Close()
	for end := time.Now().Add(patience); !ref.Closed() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if err := ref.Send(websocket.Text("late")); err != jay.ErrClosed {
		t.Errorf("Send after the end: %v", err)
	}
	if (websocket.Ref{}).Close(1000, "") != jay.ErrClosed || ref.ID() == 0 {
		t.Error("the zero Ref is not closed, or the id is lost")
	}
}

// TestStop: when the service stops, clients are sent away with 1001.
func TestStop(t *testing.T) {
	stopped := make(chan bool)
	var p *peer
	t.Run("server", func(server *testing.T) {
		p = dial(stillRunning{server}, serve(server, echo()))
		p.alive()
		go func() {
			defer close(stopped)
			f, err := p.next()
			if err != nil || f.String() != `0x88 close 1001 ""` {
				t.Errorf("got %v, %v", f, err)
			}
			p.send(frame(fin|opClose, f.payload))
			_, _ = io.Copy(io.Discard, p.r)
			p.conn.Close()
		}()
	}) // its end stops the server
	<-stopped
}

// stillRunning keeps a peer open beyond the end of a subtest.
type stillRunning struct{ testing.TB }

func (stillRunning) Cleanup(func()) {}

// TestLimits: status shows the limits of what is not upgraded yet, too.
func TestLimits(t *testing.T) {
	limits := (&websocket.Handler{MaxMessage: 5000, PongTimeout: -1}).Limits()
	for name, want := range map[string]float64{
		"max_message_bytes": 5000, "max_frame_bytes": 5000, "max_fragments": 1 << 17, "max_control_frames_per_s": 1000,
		"ping_interval_s": 30, "pong_timeout_s": 0, "close_frame_timeout_s": 5, "header_timeout_s": 10,
	} {
		if got, there := limits[name]; got != want || !there {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}
