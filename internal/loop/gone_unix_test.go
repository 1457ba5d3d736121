//go:build unix

package loop_test

import (
	"errors"
	"io"
	"net"
	"testing"

	"github.com/jay-go/jay/internal/loop"
	"golang.org/x/sys/unix"
)

// goner is a conn that is told of Gone.
type goner struct {
	*conn
	gone chan bool
}

func (g goner) Gone() { g.gone <- true }

func (goner) Spliced(int, int, bool) {} // it can be the source of a Splice

func (r *rig) attachGoner(network string) (net.Conn, goner) {
	r.Helper()
	peer, own := pair(r, network)
	g := goner{&conn{r: r, events: make(chan completion, 1000)}, make(chan bool, 10)}
	sock := r.socket(own)
	var err error
	r.on(func() { err = r.l.Attach(&g.Stream, sock, g) })
	if err != nil {
		r.Fatal(err)
	}
	return peer, g
}

func (g goner) goneTimes(when string, want int) {
	g.r.Helper()
	g.r.on(func() {})
	if n := len(g.gone); n != want {
		g.r.Errorf("%s: Gone came %d times more, want %d", when, n, want)
	}
	for len(g.gone) > 0 {
		<-g.gone
	}
}

type closeWriter interface{ CloseWrite() error }

// leavings are the ways in which a peer finishes in order.
var leavings = map[string]func(net.Conn){
	"half-closed": func(p net.Conn) { _ = p.(closeWriter).CloseWrite() },
	"closed":      func(p net.Conn) { _ = p.Close() },
}

// A peer that finishes while receiving is stopped is reported once, whatever
// lies unread before its end; all of that, and the end, come later.
func TestGone(t *testing.T) {
	eachBackend(t, loop.Config{ReadBudget: 1 << 10}, func(r *rig) {
		networks(r, func(r *rig, network string) {
			for name, leave := range leavings {
				for _, unread := range []string{"", "a little", string(make([]byte, 100<<10))} {
					for _, started := range []bool{false, true} {
						peer, g := r.attachGoner(network)
						if started {
							r.on(func() { g.StartRecv() })
							write(r, peer, "x")
							g.expect("x")
							r.on(func() { g.StopRecv() })
						}
						write(r, peer, unread)
						r.on(func() {})
						g.goneTimes("before the end", 0)
						leave(peer)
						wait(r, "Gone of a peer that has "+name, g.gone)
						r.on(func() { g.StartRecv(); g.StopRecv() })
						g.expectNone()
						g.goneTimes("stopped again", 0)
						r.on(func() { g.StartRecv() })
						g.expect(unread)
						g.expectErr(io.EOF)
						g.goneTimes("after the end", 0)
						r.on(func() { g.Close(false) })
					}
				}
			}
			r.still("all were closed")
		})
	})
}

// The destination of a Splice whose receiving is stopped hears of its peer's end as
// any other stream, also if it was seen before that bytes are unread.
func TestGoneOfASplicesDestination(t *testing.T) {
	eachBackend(t, loop.Config{}, func(r *rig) {
		for name, leave := range leavings {
			for _, unread := range []string{"", "unread"} {
				_, source := r.attachGoner("tcp")
				peer, g := r.attachGoner("tcp")
				write(r, peer, unread)
				r.turns() // it is paused, with bytes pending or none
				var err error
				r.on(func() {
					source.StartRecv()
					err = source.Splice(&g.Stream)
				})
				if errors.Is(err, errors.ErrUnsupported) {
					return // there is no other way to carry bytes than Received
				}
				leave(peer)
				wait(r, "Gone of a peer that has "+name, g.gone)
				r.still("the peer has left")
				r.on(func() { g.StartRecv() })
				g.expect(unread)
				g.expectErr(io.EOF)
				r.on(func() { source.Close(true); g.Close(true) })
			}
		}
	})
}

// While receiving goes on the end is all that is told.
func TestNotGoneWhileReceiving(t *testing.T) {
	eachBackend(t, loop.Config{}, func(r *rig) {
		networks(r, func(r *rig, network string) {
			for _, leave := range leavings {
				peer, g := r.attachGoner(network)
				r.on(func() { g.StartRecv() })
				write(r, peer, "x")
				leave(peer)
				g.expect("x")
				g.expectErr(io.EOF)
				r.on(func() { g.StopRecv() })
				r.still("the end was told")
				g.goneTimes("the end was told", 0)
				r.on(func() { g.Close(false) })
			}
		})
	})
}

// A reset is reported as a failure at whatever stage of the peer's leaving.
func TestResetAfterTheEnd(t *testing.T) {
	for _, tt := range []struct {
		name           string
		unread         string
		receive, leave bool
	}{
		{"stopped", "", false, false},
		{"stopped, bytes unread", "unread", false, false},
		{"stopped, gone", "", false, true},
		{"stopped, gone, bytes unread", "unread", false, true},
		{"the end was received", "", true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachBackend(t, loop.Config{}, func(r *rig) {
				peer, g := r.attachGoner("tcp")
				if tt.receive {
					r.on(func() { g.StartRecv() })
				}
				write(r, peer, tt.unread)
				if tt.leave {
					_ = peer.(closeWriter).CloseWrite()
				}
				switch {
				case tt.receive:
					g.expectErr(io.EOF)
				case tt.leave:
					wait(r, "Gone", g.gone)
				}
				reset(peer)
				g.expectErr(unix.ECONNRESET)
				r.still("reset and not closed yet")
				r.on(func() { g.StartRecv() })
				g.expectNone()
				r.on(func() { g.Close(false) })
			})
		})
	}
}
