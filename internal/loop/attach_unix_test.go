//go:build unix

package loop_test

import (
	"io"
	"net"
	"strings"
	"testing"

	"github.com/jay-go/jay/internal/loop"
	"golang.org/x/sys/unix"
)

// A connection that is adopted may have a past: what came before the stream was
// attached is received, and what became of the peer is told, as if it came now.
func TestAttachWithAPast(t *testing.T) {
	const budget = 8
	for _, tt := range []struct {
		name     string
		networks string
		past     func(r *rig, peer net.Conn)
		want     string
		end      error // nil: none
	}{
		{"nothing", "tcp unix", func(*rig, net.Conn) {}, "", nil},
		{"bytes", "tcp unix", func(r *rig, p net.Conn) { write(r, p, "ab") }, "ab", nil},
		{"more than a read", "tcp unix", func(r *rig, p net.Conn) { write(r, p, strings.Repeat("x", 3*budget)) }, strings.Repeat("x", 3*budget), nil},
		{"the end", "tcp unix", func(_ *rig, p net.Conn) { _ = p.(closeWriter).CloseWrite() }, "", io.EOF},
		{"bytes and the end", "tcp unix", func(r *rig, p net.Conn) { write(r, p, "ab"); _ = p.(closeWriter).CloseWrite() }, "ab", io.EOF},
		{"bytes and a close", "tcp unix", func(r *rig, p net.Conn) { write(r, p, "ab"); _ = p.Close() }, "ab", io.EOF},
		{"urgent data", "tcp", func(r *rig, p net.Conn) { write(r, p, "ab"); urgent(r, p); write(r, p, "cd") }, "abcd", nil},
		{"a reset", "tcp", func(_ *rig, p net.Conn) { reset(p) }, "", unix.ECONNRESET},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachBackend(t, loop.Config{ReadBudget: budget}, func(r *rig) {
				for _, network := range strings.Fields(tt.networks) {
					for _, start := range []string{"at once", "in the next turn", "when it was looked at"} {
						peer, own := pair(r, network)
						tt.past(r, peer)
						g := goner{&conn{r: r, events: make(chan completion, 100)}, make(chan bool, 10)}
						sock := r.socket(own)
						var err error
						r.on(func() {
							if err = r.l.Attach(&g.Stream, sock, g); err == nil && start == "at once" {
								g.StartRecv()
							}
						})
						if err != nil {
							r.Fatal(err)
						}
						if start == "when it was looked at" {
							if tt.end == io.EOF {
								wait(r, "Gone", g.gone)
							} else {
								r.turns()
							}
						}
						r.on(func() { g.StartRecv() })
						g.expect(tt.want)
						if tt.end == nil {
							write(r, peer, "more")
							g.expect("more")
						} else {
							g.expectErr(tt.end)
						}
						r.on(func() { g.Close(true) })
						g.expectNone()
					}
				}
			})
		})
	}
}
