package jay_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"time"

	"github.com/jay-go/jay"
)

// steps are what a program does to a connection, by the letter that stands for each
// in what its peer sends. They say what they expect of it.
var steps = map[byte]func(l *life, c *jay.Conn){
	'w': func(l *life, c *jay.Conn) { l.write(c, make([]byte, 10)) },
	'W': func(l *life, c *jay.Conn) { l.write(c, make([]byte, 100<<10)) },
	'c': func(l *life, c *jay.Conn) { c.Close(); l.mustNot(c, l.live(), "live after Close") },
	'o': func(l *life, c *jay.Conn) { c.CloseAtOnce(); l.mustNot(c, l.live(), "live after CloseAtOnce") },
	'f': func(l *life, c *jay.Conn) { l.fin = l.fin || l.live(); c.CloseWrite() },
	'a': func(l *life, c *jay.Conn) { c.Abort(); l.mustNot(c, l.live() || c.Buffered() > 0, "live after Abort") },
	'e': func(l *life, c *jay.Conn) { c.CloseOn(jay.ProgramFault, errors.New("boom")) },
	'r': func(l *life, c *jay.Conn) { c.AbortOn(jay.SystemFault, errors.New("boom")) },
	'd': func(l *life, c *jay.Conn) { l.detach(c) },
	's': func(l *life, c *jay.Conn) {
		if !l.closed { // who comes later is nobody's
			c.SetHandler(l.next())
		}
	},
	'h': func(l *life, c *jay.Conn) { c.Hold(); l.holds++ },
	'l': func(l *life, c *jay.Conn) {
		if l.holds > 0 {
			l.holds--
			c.Release()
		}
	},
	'p': func(l *life, c *jay.Conn) { c.PauseRead(); l.mustNot(c, c.Reading(), "reading after PauseRead") },
	'u': func(l *life, c *jay.Conn) { c.ResumeRead() },
	'x': func(l *life, c *jay.Conn) { c.SetDuplex(true) },
	'y': func(l *life, c *jay.Conn) { c.SetDuplex(false) },
	't': func(l *life, c *jay.Conn) { c.SetDeadline(time.Millisecond) },
	'i': func(l *life, c *jay.Conn) { c.SetIdleTimeout(time.Millisecond) },
	'q': func(l *life, c *jay.Conn) { c.SetLifetime(time.Millisecond) },
	'm': func(l *life, c *jay.Conn) { _ = c.Ref().Send(make([]byte, 100)) },
	'M': func(l *life, c *jay.Conn) { _ = c.Ref().Send(make([]byte, 100<<10)) },
	'C': func(l *life, c *jay.Conn) { _ = c.Ref().Close() },
	'!': func(*life, *jay.Conn) {}, // of the layer
	'?': func(*life, *jay.Conn) {},
	'.': func(*life, *jay.Conn) {},
	'b': func(*life, *jay.Conn) { panic("boom") },
}

// Letters of steps with which life goes on, and of those that are the beginning of
// its end.
const (
	mild   = "wwWshlpuuxyttmM!!"
	severe = "cofaerddddiqC?.b"
)

func letters(rnd *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		from := mild
		if rnd.IntN(16) == 0 {
			from = severe
		}
		b[i] = from[rnd.IntN(len(from))]
	}
	return b
}

// step takes a step, in a callback of the connection.
func (l *life) step(c *jay.Conn, letter byte) {
	l.tell("%c", letter)
	steps[letter](l, c)
	if want := l.word(c); c.State() != want {
		l.failf("after %c State is %q, want %q", letter, c.State(), want)
	}
}

// word is what status says of the state.
func (l *life) word(c *jay.Conn) string {
	switch {
	case l.is("detached", "closed", "reset", "finishing", "ended"):
		return "closed"
	case l.state == "open" && c.State() == "half-closed":
		return "half-closed" // for the peer may have finished, too
	case l.state == "open" && l.fin:
		return "half-closed"
	}
	return l.state
}

func (l *life) mustNot(_ *jay.Conn, is bool, what string) {
	if is {
		l.failf("%s: in %s", what, l.state)
	}
}

func (l *life) write(c *jay.Conn, p []byte) {
	can := l.writable()
	if _, err := c.Write(p); can != (err == nil) {
		l.failf("Write: %v in state %s, CloseWrite called: %v", err, l.state, l.fin)
	}
}

func (l *life) detach(c *jay.Conn) {
	can := l.is("opening", "open")
	err := c.Detach(func(conn net.Conn, _ []byte, err error) {
		l.tell("outcome %v", err)
		l.outcomes++
		if (conn == nil) == (err == nil) {
			l.failf("Detach gives %v, %v", conn, err)
		}
		if conn != nil {
			_ = conn.Close()
		}
	})
	if can != (err == nil) {
		l.failf("Detach: %v in state %s", err, l.state)
	}
	if err == nil {
		l.detaches++
	}
}

// lead leads a connection through its life, from outside of its loop: steps that
// others post, and what the peer does.
func (l *life) lead(c *net.TCPConn, rnd *rand.Rand) {
	_ = c.SetDeadline(time.Now().Add(patience))
	for range 1 + rnd.IntN(10) {
		switch rnd.IntN(8) {
		case 0:
			_ = c.CloseWrite()
		case 1:
			_, _ = io.CopyN(io.Discard, withoutWait{c}, 64<<10)
		case 2, 3:
			some := letters(rnd, 1+rnd.IntN(5))
			done := make(chan struct{})
			if l.ref.Do(func(c *jay.Conn) {
				defer close(done)
				for _, b := range some {
					l.step(c, b)
				}
			}) != nil {
				continue
			}
			select {
			case <-done:
			case <-l.ended:
			}
		default:
			_, _ = c.Write(letters(rnd, 1+rnd.IntN(6)))
		}
	}
	switch rnd.IntN(5) {
	case 0, 4: // until the server stops
		return
	case 1:
		_ = c.SetLinger(0)
		_ = c.Close()
	case 2:
		_ = c.CloseWrite()
	case 3:
		_ = l.ref.Close()
	}
	_, _ = io.Copy(io.Discard, withoutWait{c})
	_ = l.ref.Abort()
	receive(l.t, l.ended, "the end")
}

// withoutWait reads what is there.
type withoutWait struct{ c net.Conn }

func (r withoutWait) Read(p []byte) (int, error) {
	_ = r.c.SetReadDeadline(time.Now().Add(time.Millisecond))
	return r.c.Read(p)
}

// check looks at a life that is over.
func (l *life) check() {
	if l.state != "ended" {
		l.failf("it has not ended: %s", l.state)
	}
	if begun := l.handlers > 0; l.closed != begun {
		l.failf("Close called: %v, though a handler had it: %v", l.closed, begun)
	}
	if l.connects > 1 || l.onClose != l.connects {
		l.failf("OnConnect was called %d times, OnClose %d times", l.connects, l.onClose)
	}
	if l.outcomes != l.detaches || l.detaches > 1 {
		l.failf("Detach was accepted %d times, its func called %d times", l.detaches, l.outcomes)
	}
}
