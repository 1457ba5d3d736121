package framing_test

import (
	"testing"

	"github.com/jay-go/jay/framing"
)

// TestAllocations: with NoCopy parsing allocates nothing, otherwise the
// message alone; sending into a buffer with room allocates nothing.
func TestAllocations(t *testing.T) {
	frame, zero, line := []byte("\x00\x00\x00\x03one"), []byte("one\x00"), []byte("one\r\n")
	out, one := make([]byte, 0, 100), []byte("one")
	for _, tt := range []struct {
		name string
		do   func() error
		want float64
	}{
		{"LengthPrefixed", func() error { _, _, err := framing.LengthPrefixed{}.Parse(frame); return err }, 1},
		{"LengthPrefixed, NoCopy", func() error { _, _, err := framing.LengthPrefixed{NoCopy: true}.Parse(frame); return err }, 0},
		{"LengthPrefixed, waiting", func() error { _, _, err := framing.LengthPrefixed{}.Parse(frame[:6]); return err }, 0},
		{"Delimited, NoCopy", func() error { _, _, err := framing.Delimited{NoCopy: true}.Parse(zero); return err }, 0},
		{"Line, waiting", func() error { _, _, err := framing.Line{}.Parse(line[:4]); return err }, 0},
		{"LengthPrefixed, sent", func() error { _, err := framing.LengthPrefixed{}.Append(out, one); return err }, 0},
		{"Delimited, sent", func() error { _, err := framing.Delimited{}.Append(out, one); return err }, 0},
		{"Line, sent", func() error { _, err := framing.Line{}.Append(out, "one"); return err }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := testing.AllocsPerRun(100, func() {
				if err := tt.do(); err != nil {
					t.Fatal(err)
				}
			}); got > tt.want {
				t.Errorf("%v allocations, want %v", got, tt.want)
			}
		})
	}
}
