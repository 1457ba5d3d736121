package jay_test

import (
	"io"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/loop"
)

// TestPaused: the time in which this side does not read is counted, whatever
// has stopped the reading, once where two things have, and no other.
func TestPaused(t *testing.T) {
	const pause = 6 * loop.Tick
	eachBackend(t, func(t *testing.T, backend string) {
		paused, begun := make(chan time.Duration, 1), make(chan bool, 1)
		addr := serve(t, &jay.Server{Conn: jay.ConnConfig{HighWater: 1 << 20}, Protocol: onLine(func(c *jay.Conn, line string) {
			switch line {
			case "pause":
				c.PauseRead()
				c.Loop().AfterFunc(pause, c.ResumeRead)
			case "fill":
				c.Write(make([]byte, 16<<20)) // more than the kernel takes
			case "both":
				c.Write(make([]byte, 16<<20))
				c.PauseRead()
				c.Loop().AfterFunc(pause, c.ResumeRead)
			case "ask":
				paused <- c.Paused()
				return
			}
			begun <- true
		})}, backend)
		for _, how := range []string{"ask", "pause", "fill", "both"} {
			c := dial(t, addr)
			begin := time.Now()
			send(t, c, how+"\n")
			if how == "ask" {
				if d := receive(t, paused, "the time"); d != 0 {
					t.Errorf("paused for %v without a pause", d)
				}
				continue
			}
			receive(t, begun, "the pause")
			time.Sleep(pause) // before the client reads
			if how != "pause" {
				if _, err := io.CopyN(io.Discard, c, 16<<20); err != nil {
					t.Fatal(err)
				}
			}
			send(t, c, "ask\n")
			d := receive(t, paused, "the time")
			if most := time.Since(begin) + 2*loop.Tick; d < pause-2*loop.Tick || d > most {
				t.Errorf("%s: paused for %v, want between %v and %v", how, d, pause, most)
			}
		}
	})
}
