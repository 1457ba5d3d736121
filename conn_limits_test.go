package jay_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/jay-go/jay"
)

// TestWaterMarks writes far above the high-water mark and expects that no
// further message is read until the peer has taken enough.
func TestWaterMarks(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		const answer = 8 << 20
		events := make(chan string, 16)
		full, drained, second := make(chan bool, 1), make(chan int, 1), false // second: loop only
		addr := serve(t, &jay.Server{
			Conn: jay.ConnConfig{HighWater: 1 << 20, LowWater: 1 << 18},
			Protocol: onLine(func(c *jay.Conn, line string) {
				events <- line
				if !second {
					second = true
					c.Write(make([]byte, answer))
				} else {
					c.WriteString("second")
				}
			}),
			OnBufferFull:  func(*jay.Conn) { full <- true },
			OnBufferDrain: func(c *jay.Conn) { drained <- c.Buffered() },
		}, backend)
		c := dial(t, addr)
		send(t, c, "one\ntwo\n")
		receive(t, full, "OnBufferFull")
		if got := receive(t, events, "the first message"); got != "one" {
			t.Fatalf("got message %q", got)
		}
		if len(events) > 0 {
			t.Fatalf("message %q was read above the high-water mark", <-events)
		}
		if _, err := io.CopyN(io.Discard, c, answer); err != nil {
			t.Fatal(err)
		}
		if n := receive(t, drained, "OnBufferDrain"); n > 1<<18 {
			t.Errorf("OnBufferDrain came with %d bytes unsent, low-water mark %d", n, 1<<18)
		}
		if got := receive(t, events, "the second message"); got != "two" {
			t.Errorf("got message %q", got)
		}
		expect(t, c, "second")
	})
}

func TestOutputLimit(t *testing.T) {
	for name, drop := range map[string]bool{"close": false, "drop newest": true} {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				results, closed := make(chan error, 4), make(chan error, 1)
				addr := serve(t, &jay.Server{
					Conn: jay.ConnConfig{MaxOutput: 4096, DropNewest: drop},
					Protocol: onLine(func(c *jay.Conn, line string) {
						_, err := c.WriteString(strings.Repeat("a", 4000))
						results <- err
						_, err = c.WriteString(strings.Repeat("b", 4000))
						results <- err
						_, err = c.WriteString("tail")
						results <- err
					}),
					OnClose: func(_ *jay.Conn, err error) { closed <- err },
				}, backend)
				c := dial(t, addr)
				send(t, c, "go\n")
				if err := receive(t, results, "result"); err != nil {
					t.Errorf("Write below the limit: %v", err)
				}
				if err := receive(t, results, "result"); !errors.Is(err, jay.ErrOutputLimit) {
					t.Errorf("Write above the limit: %v, want ErrOutputLimit", err)
				}
				err := receive(t, results, "result")
				if drop {
					if err != nil {
						t.Errorf("Write after a dropped one: %v", err)
					}
					expect(t, c, strings.Repeat("a", 4000)+"tail")
					return
				}
				if !errors.Is(err, jay.ErrClosed) {
					t.Errorf("Write after the limit: %v, want ErrClosed", err)
				}
				if err := receive(t, closed, "OnClose"); !errors.Is(err, jay.ErrOutputLimit) {
					t.Errorf("OnClose got %v, want ErrOutputLimit", err)
				}
			})
		})
	}
}

// TestWritev: a message in pieces is queued whole or not at all.
func TestWritev(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		results := make(chan error, 2)
		addr := serve(t, &jay.Server{
			Conn: jay.ConnConfig{MaxOutput: 4096, DropNewest: true},
			Protocol: onLine(func(c *jay.Conn, line string) {
				n, err := c.Writev([]byte("one "), nil, []byte("two "))
				if n != 8 {
					t.Errorf("Writev returned %d", n)
				}
				results <- err
				_, err = c.Writev([]byte("head"), make([]byte, 4096))
				results <- err
				c.WriteString("tail")
			}),
		}, backend)
		c := dial(t, addr)
		send(t, c, "go\n")
		if err := receive(t, results, "result"); err != nil {
			t.Errorf("Writev below the limit: %v", err)
		}
		if err := receive(t, results, "result"); !errors.Is(err, jay.ErrOutputLimit) {
			t.Errorf("Writev above the limit: %v, want ErrOutputLimit", err)
		}
		expect(t, c, "one two tail")
	})
}

// TestWriteShared: shared bytes go out in order with others and stay as they
// are, whatever is written behind them.
func TestWriteShared(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		block := []byte("one two and what is not written")
		sum := string(block)
		addr := serve(t, &jay.Server{
			Conn: jay.ConnConfig{MaxOutput: 4096, DropNewest: true},
			Protocol: onLine(func(c *jay.Conn, line string) {
				c.WriteString("first ")
				c.WriteShared(block[:4])
				c.WriteShared(block[4:8]) // lies behind it
				c.WriteString("three ")
				c.WriteShared(block[:4])
				c.Write(append(c.AvailableBuffer(), "four "...))
				c.WriteShared(nil)
				c.WriteShared(block[4:8])
				if _, err := c.WriteShared(make([]byte, 4096)); !errors.Is(err, jay.ErrOutputLimit) {
					t.Errorf("WriteShared above the limit: %v, want ErrOutputLimit", err)
				}
			}),
		}, backend)
		c := dial(t, addr)
		for range 3 {
			send(t, c, "go\n")
			expect(t, c, "first one two three one four two ")
		}
		if string(block) != sum {
			t.Errorf("the shared bytes are now %q", block)
		}
	})
}
