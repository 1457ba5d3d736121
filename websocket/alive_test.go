package websocket_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/supervise"
	"github.com/jay-go/jay/websocket"
)

// slowly reads pieces with pauses between them, and remembers the longest one.
type slowly struct {
	r       io.Reader
	piece   int
	pause   time.Duration
	last    time.Time
	longest time.Duration
}

func (s *slowly) Read(b []byte) (int, error) {
	if !s.last.IsZero() {
		time.Sleep(s.pause)
		s.longest = max(s.longest, time.Since(s.last))
	}
	s.last = time.Now()
	return s.r.Read(b[:min(s.piece, len(b))])
}

// TestKeepaliveOnASlowLine sends 3 MiB, as one message or many, to a client that
// needs ten times as long for it as a pong may take, and answers each ping as
// soon as it has read it: it stays, and gets everything.
func TestKeepaliveOnASlowLine(t *testing.T) {
	const size, timeout = 3 << 20, 200 * time.Millisecond
	for name, messages := range map[string]int{"one message": 1, "many": 96} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &websocket.Handler{
				MaxMessage: size, PingInterval: timeout, PongTimeout: timeout,
				OnOpen: func(c *websocket.Conn) {
					for range messages {
						if err := c.SendBinary(make([]byte, size/messages)); err != nil {
							t.Error(err)
						}
					}
				},
			}
			addr := serve(t, h)
			for end := time.Now().Add(2 * time.Minute); ; {
				p := dial(t, addr)
				slow := &slowly{r: p.r, piece: 32 << 10, pause: 10 * timeout / (size / (32 << 10))}
				p.r = bufio.NewReaderSize(slow, slow.piece)
				got, err := readAll(p, size)
				if err == nil {
					return
				}
				if slow.longest < timeout/2 || time.Now().After(end) { // or it was the client that was held up
					t.Fatalf("the client, which paused for %v at most, got %d bytes: %v", slow.longest, got, err)
				}
			}
		})
	}
}

// readAll reads messages of size bytes in all, and answers pings.
func readAll(p *peer, size int) (got int, err error) {
	for got < size {
		f, err := p.next()
		if err != nil {
			return got, err
		}
		switch f.first {
		case fin | opPing:
			p.send(frame(fin|opPong, f.payload))
		case fin | opBinary:
			got += len(f.payload)
		}
	}
	return got, nil
}

// TestKeepaliveOfAStalledPeer has peers that take nothing, or nothing any more:
// that a ping has not reached them does not keep them.
func TestKeepaliveOfAStalledPeer(t *testing.T) {
	ends := make(chan websocket.Code, 1)
	h := &websocket.Handler{
		PingInterval: 50 * time.Millisecond, PongTimeout: 200 * time.Millisecond,
		OnOpen:  func(c *websocket.Conn) { _ = c.SendBinary(make([]byte, 1<<20)) },
		OnClose: func(_ *websocket.Conn, code websocket.Code, _ string) { ends <- code },
	}
	p := dial(t, serve(t, h))
	_, _ = io.CopyN(io.Discard, p.r, 64<<10)
	if code := within(t, ends, "the end"); code != websocket.CloseAbnormal {
		t.Errorf("ended with %d, want 1006", code)
	}
}

// TestHeldInADrain holds a connection through a reload, and through a stop after
// the client has finished sending: it goes on, and ends with a Close frame.
func TestHeldInADrain(t *testing.T) {
	for name, reason := range map[string]supervise.DrainReason{"reload": supervise.DrainReload, "stop": supervise.DrainStop} {
		t.Run(name, func(t *testing.T) {
			opened := make(chan *websocket.Conn, 1)
			h := &websocket.Handler{OnOpen: func(c *websocket.Conn) { c.Conn().Hold(); opened <- c }}
			ctx, cancel := context.WithCancelCause(context.Background())
			addrs, ended := make(chan string, 1), make(chan error, 1)
			s := &jay.Server{Addr: "tcp://127.0.0.1:0", Loop: os.Getenv("JAY_LOOP"), Protocol: h}
			s.OnReady = func(a []net.Addr) { addrs <- a[0].String() }
			go func() { ended <- s.Serve(ctx) }()
			p := dial(t, within(t, addrs, "the server"))
			c := within(t, opened, "OnOpen")
			ref := c.Ref()
			cancel(&supervise.Drain{Reason: reason, Deadline: time.Now().Add(3 * time.Second)})
			turns := make(chan bool)
			for range 3 {
				_ = ref.Do(func(*websocket.Conn) { turns <- true })
				within(t, turns, "a turn")
			}
			_ = ref.Do(func(c *websocket.Conn) {
				if err := c.SendText("held"); err != nil {
					t.Errorf("Send: %v", err)
				}
				c.Conn().Release()
			})
			p.expect(fin|opText, "held")
			f, err := p.next() // at once, or shortly before the deadline
			if err != nil || f.String() != `0x88 close 1001 ""` {
				t.Errorf("got %v, %v; want Close 1001", f, err)
			}
			p.send(frame(fin|opClose, f.payload))
			_, _ = io.Copy(io.Discard, p.r)
			p.conn.Close()
			if err := within(t, ended, "the end of Serve"); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestHeldAfterEOF has the client finish sending and wait for what a Hold
// announces.
func TestHeldAfterEOF(t *testing.T) {
	t.Parallel()
	held := make(chan websocket.Ref, 1)
	h := &websocket.Handler{
		PingInterval: 500 * time.Millisecond, PongTimeout: 500 * time.Millisecond, // the client has not finished sending at first
		OnMessage: func(c *websocket.Conn, _ websocket.Message) { c.Conn().Hold(); held <- c.Ref() },
	}
	p := dial(t, serve(t, h))
	p.send(text("question"))
	ref := within(t, held, "the message")
	p.conn.(*net.TCPConn).CloseWrite()
	time.Sleep(1200 * time.Millisecond) // intervals in which no pong can come
	if err := ref.Do(func(c *websocket.Conn) {
		_ = c.SendText("answer")
		c.Conn().Release()
	}); err != nil {
		t.Fatal(err)
	}
	for {
		f, err := p.next()
		if err != nil {
			t.Fatal(err)
		}
		if f.first == fin|opText && string(f.payload) == "answer" {
			return
		}
	}
}
