package web_test

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/web"
)

// A client that closes, resets or only finishes sending while its response is to
// come: the program is told at once, also where it asks to be told later, and a
// client that waits gets its response.
func TestLaterIsToldThatTheClientLeaves(t *testing.T) {
	type told struct{ void bool }
	for _, network := range []string{"tcp", "unix"} {
		for _, leave := range []string{"close", "reset", "half-close"} {
			for _, when := range []string{"before", "after", "with the request"} {
				if network == "unix" && leave == "reset" || when == "with the request" && leave != "half-close" || when == "after" && leave == "reset" {
					continue
				}
				t.Run(network+", "+leave+", "+when, func(t *testing.T) {
					t.Parallel()
					gone, remotes := make(chan told, 4), make(chan web.Ref, 4)
					ask := func(l web.Later) { l.OnGone(func() { gone <- told{l.Gone()} }) }
					s := &jay.Server{Protocol: web.HandlerFunc(func(w *web.ResponseWriter, r *web.Request) {
						l := w.Later()
						if when != "after" {
							ask(l)
						} else { // long enough for the client to be gone
							r.Conn().Loop().AfterFunc(300*time.Millisecond, func() { ask(l) })
						}
						remotes <- l.Ref()
					})}
					path := filepath.Join(t.TempDir(), "s")
					if network == "unix" {
						s.Endpoints = []jay.Endpoint{{Addr: "unix://" + path}}
					}
					addr := serveWith(t, s)
					if network == "unix" {
						addr = path
					}
					c, err := net.Dial(network, addr)
					if err != nil {
						t.Fatal(err)
					}
					defer c.Close()
					_ = c.SetDeadline(time.Now().Add(patience))
					_, _ = io.WriteString(c, getLast)
					if when == "with the request" {
						_ = c.(interface{ CloseWrite() error }).CloseWrite()
					}
					remote := soon(t, remotes, "the request")
					switch leave {
					case "reset":
						_ = c.(*net.TCPConn).SetLinger(0)
						_ = c.Close()
					case "close":
						_ = c.Close()
					case "half-close":
						_ = c.(interface{ CloseWrite() error }).CloseWrite()
					}
					if got := soon(t, gone, "OnGone"); got.void != (leave == "reset") {
						t.Errorf("the handle is void: %v", got.void)
					}
					err = remote.Finish(func(w *web.ResponseWriter, r *web.Request) { w.WriteString("late") })
					if leave == "half-close" {
						got, err2 := io.ReadAll(c)
						if plain(string(got)) != "HTTP/1.1 200 OK|Content-Length: 4|Date: D|Connection: close||late" || err != nil || err2 != nil {
							t.Errorf("the client that waits got %q, %v, %v", got, err, err2)
						}
					} else if leave == "reset" && !errors.Is(err, jay.ErrClosed) {
						t.Errorf("Finish: %v", err)
					}
					if len(gone) > 0 {
						t.Error("OnGone was called twice")
					}
				})
			}
		}
	}
}
