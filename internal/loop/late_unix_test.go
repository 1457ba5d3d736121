//go:build jaylate && unix

package loop_test

import (
	"io"
	"strings"
	"testing"

	"github.com/jay-go/jay/internal/loop"
	"github.com/jay-go/jay/internal/poison"
)

// TestLateBuild: in this build a Send takes nothing at once, who changes its bytes
// meanwhile is caught, also behind Close, and so is who keeps received ones.
func TestLateBuild(t *testing.T) {
	faults := make(chan string, 10)
	defer loop.CatchLateFaults(func(what string) { faults <- what })()
	eachBackend(t, loop.Config{}, func(r *rig) {
		changed := func(when string) {
			r.Helper()
			if e := wait(r, "the fault", faults); !strings.Contains(e, "have changed") {
				r.Errorf("bytes that changed %s: %v", when, e)
			}
		}
		for when, meanwhile := range map[string]func(c *conn){
			"while a Send was pending": func(*conn) {},
			"behind Close":             func(c *conn) { c.Close(true) },
		} {
			_, c := r.attach("tcp")
			b := []byte("bytes")
			r.on(func() {
				if n, err := c.Send([][]byte{b}); n != 0 || err != nil || !c.Sending() {
					r.Errorf("Send took %d at once, %v", n, err)
				}
				meanwhile(c)
				b[1] = 'x'
			})
			changed(when)
			r.on(func() { c.Close(false) })
		}
		peer, c := r.attach("tcp")
		var kept []byte
		c.onReceived = func(b []byte, _ error) { kept = b }
		r.on(c.StartRecv)
		write(r, peer, "view")
		c.expect("view")
		r.on(func() {
			if !poison.Filled(kept) {
				r.Errorf("what was received reads %q behind the callback", kept)
			}
			c.Close(false)
		})
		_, _ = io.Copy(io.Discard, peer)
	})
}
