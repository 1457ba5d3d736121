//go:build unix

package loop_test

import (
	"fmt"
	"io"
	"iter"
	"net"
	"strings"
	"testing"

	"github.com/jay-go/jay/internal/loop"
)

// A step is what one side does, ahead of or behind the loop's look at the other.
type step struct {
	name  string
	bytes string // that the peer sends and the stream receives
	act   func(r *rig, peer net.Conn, c *conn)
}

const cutBudget = 4 // of a read

var cutSteps = []step{
	{"short", "ab", func(r *rig, p net.Conn, _ *conn) { write(r, p, "ab") }},
	{"full", "abcd", func(r *rig, p net.Conn, _ *conn) { write(r, p, "abcd") }},
	{"urgent", "", func(r *rig, p net.Conn, _ *conn) { urgent(r, p) }},
	{"start", "", func(_ *rig, _ net.Conn, c *conn) { c.StartRecv() }},
	{"stop", "", func(_ *rig, _ net.Conn, c *conn) { c.StopRecv() }},
}

// TestReceiveCutAnywhere has the loop look at every point of every short script of
// what a peer sends and a stream does, or see all of it at once: what was
// sent arrives in order, once, and so does the end.
func TestReceiveCutAnywhere(t *testing.T) {
	eachBackend(t, loop.Config{ReadBudget: cutBudget}, func(r *rig) {
		for script := range scripts() {
			for looks := range 1 << (len(script) - 1) {
				cut(r, script, looks, false)
				cut(r, script, looks, true)
			}
		}
		r.still("all were closed")
	})
}

// scripts yields every sequence of three steps that says something: with bytes, and
// one urgent byte at most, as a second one makes the first a part of the stream.
func scripts() iter.Seq[[]step] {
	return func(yield func([]step) bool) {
		n := len(cutSteps)
		for i := range n * n * n {
			script := []step{cutSteps[i%n], cutSteps[i/n%n], cutSteps[i/n/n]}
			sent, urgents := "", 0
			for _, s := range script {
				if sent += s.bytes; s.name == "urgent" {
					urgents++
				}
			}
			if sent == "" || urgents > 1 {
				continue
			}
			if !yield(script) {
				return
			}
		}
	}
}

// cut runs a script; bit i of looks has the loop look behind step i. With finished the
// peer's end belongs to the last step.
func cut(r *rig, script []step, looks int, finished bool) {
	r.Helper()
	peer, c := r.attach("tcp")
	name, want := fmt.Sprintf("%02b, %t:", looks, finished), ""
	var now []step
	flush := func(final bool) {
		todo := now
		now = nil
		r.on(func() {
			for _, s := range todo {
				s.act(r, peer, c)
			}
			if finished && final {
				_ = peer.(closeWriter).CloseWrite()
			}
		})
	}
	for i, s := range script {
		name += " " + s.name
		want += s.bytes
		if now = append(now, s); looks>>i&1 != 0 {
			flush(false)
		}
	}
	flush(true)
	r.on(c.StartRecv)
	got := c.gather(name, len(want))
	if !finished {
		write(r, peer, "more")
		want += "more"
		got += c.gather(name, len("more"))
		_ = peer.(closeWriter).CloseWrite()
	}
	if got != want {
		r.Errorf("%s: received %q, want %q", name, got, want)
	}
	c.expectErr(io.EOF)
	r.on(func() { c.Close(true) })
	_ = peer.Close()
}

// gather takes what is received until there are n bytes.
func (c *conn) gather(name string, n int) string {
	c.r.Helper()
	var got strings.Builder
	for got.Len() < n {
		e := wait(c.r, fmt.Sprintf("%s: %d bytes behind %q", name, n, got.String()), c.events)
		if e.err != nil || e.sent >= 0 || len(e.data) > cutBudget {
			c.r.Fatalf("%s: after %q came %v", name, got.String(), e)
		}
		got.WriteString(e.data)
	}
	return got.String()
}
