package websocket_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/websocket"
)

// TestBudget: a message that the worker's budget has no room for ends with 1013,
// which says that it is not the message: 1009 would. OnError gets the reason.
func TestBudget(t *testing.T) {
	const budget, each = 1 << 20, 3 << 20
	payload := bytes.Repeat([]byte("x"), each)
	for name, frames := range map[string][][]byte{
		"one frame": {frame(fin|opBinary, payload)},
		"fragments": {frame(opBinary, payload[:each/2]), frame(opContinuation|fin, payload[each/2:])},
	} {
		t.Run(name, func(t *testing.T) {
			errs := make(chan error, 10)
			addr := serve(t, &websocket.Handler{MaxMessage: 2 * each, OnError: func(_ *websocket.Conn, err error) { errs <- err }},
				func(s *jay.Server) { s.MaxBuffered = budget })
			p := dial(t, addr)
			go func() {
				for _, f := range frames {
					p.conn.Write(f)
				}
			}()
			f, err := p.next()
			if err != nil || f.first != fin|opClose || len(f.payload) < 2 || int(f.payload[0])<<8|int(f.payload[1]) != int(websocket.CloseTryAgain) {
				t.Errorf("got %v, %v", f, err)
			}
			err = within(t, errs, "OnError")
			if !errors.Is(err, jay.ErrBudget) {
				t.Errorf("OnError got %v, want ErrBudget", err)
			}
			if b, ok := errors.AsType[jay.Blamer](err); !ok || b.Blames() != jay.SystemFault {
				t.Errorf("%v is called another fault than the system's", err)
			}
		})
	}
}

// TestRefSendIsBounded: what a goroutine sends while the loop is busy is bounded
// and refused with an error; then the rest arrives.
func TestRefSendIsBounded(t *testing.T) {
	const maxOutput, each = 1 << 20, 100_000
	results := make(chan int, 1)
	addr := serve(t, &websocket.Handler{OnMessage: func(c *websocket.Conn, _ websocket.Message) {
		done := make(chan bool)
		go func() { // the loop waits for it
			defer close(done)
			m, n := websocket.Binary(make([]byte, each)), 0
			for ; n < 1000; n++ {
				if err := c.Ref().Send(m); errors.Is(err, jay.ErrOutputLimit) {
					break
				}
			}
			results <- n
		}()
		<-done
	}}, func(s *jay.Server) { s.Conn.MaxOutput = maxOutput })
	p := dial(t, addr)
	p.send(text("go"))
	n := within(t, results, "the end of the sending")
	if n != maxOutput/each {
		t.Errorf("%d messages were accepted, want %d", n, maxOutput/each)
	}
	for range n {
		if f, err := p.next(); err != nil || len(f.payload) != each {
			t.Fatalf("%d bytes came, %v", len(f.payload), err)
		}
	}
}
