//go:build jaypoison

package jay_test

import (
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/poison"
)

// invert is a Layer that changes all bytes.
type invert struct{}

func (invert) Open(*jay.Under)           {}
func (invert) Ready() bool               { return true }
func (invert) End() error                { return nil }
func (invert) Finish(wire []byte) []byte { return wire }
func (invert) Decode(plain, wire []byte) ([]byte, int, error) {
	plain, err := invert{}.Encode(plain, wire)
	return plain, len(wire), err
}
func (invert) Encode(wire, plain []byte) ([]byte, error) {
	for _, c := range plain {
		wire = append(wire, ^c)
	}
	return wire, nil
}

func inverted(s string) string {
	b, _ := invert{}.Encode(nil, []byte(s))
	return string(b)
}

// keeper keeps the views that it is given, and looks at them in its next
// callback. It leaves the last byte unused.
type keeper struct {
	t       *testing.T
	layered bool              // AvailableBuffer is then nobody's buffer
	views   map[string][]byte // loop only
	in      jay.Buffer
}

func (*keeper) Open(*jay.Conn)         {}
func (*keeper) Close(*jay.Conn, error) {}
func (h *keeper) Data(c *jay.Conn, b []byte) (int, error) {
	for name, view := range h.views {
		if sending := name == "AvailableBuffer" && c.Buffered() > 0; !sending && !poison.Filled(view) {
			h.t.Errorf("%s: the view shows %q outside of its callback", name, view)
		}
	}
	n := len(b) - 1
	h.views = map[string][]byte{"Data": b[:n]}
	written := []byte("written ")
	_, _ = c.Write(written)
	clear(written)
	free := append(c.AvailableBuffer(), "and appended"...)
	_, _ = c.Write(free)
	if !h.layered {
		h.views["AvailableBuffer"] = free
	}
	_ = h.in.Append(c, []byte("collected"))
	h.views["Buffer"] = h.in.Bytes()
	h.in.Truncate(2)
	h.views["Buffer, truncated"] = h.in.Bytes()[2:9]
	h.in.Free()
	return n, nil
}

// TestViewsOutsideTheirCallback: what was given back shows nothing of what it
// held.
func TestViewsOutsideTheirCallback(t *testing.T) {
	same := func(s string) string { return s }
	for name, c := range map[string]struct {
		layer func() jay.Layer
		wire  func(string) string
	}{"plain": {nil, same}, "layered": {func() jay.Layer { return invert{} }, inverted}} {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				conn := dial(t, serve(t, &jay.Server{Protocol: every(&keeper{t: t, layered: c.layer != nil}), Layer: c.layer}, backend))
				for range 3 {
					send(t, conn, c.wire("a message of some length"))
					expect(t, conn, c.wire("written and appended"))
				}
			})
		})
	}
}
