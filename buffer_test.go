package jay_test

import (
	"bytes"
	"testing"

	"github.com/jay-go/jay"
)

// TestBuffer: what was added is there, in as little memory as is announced, and
// never much more than twice what has come.
func TestBuffer(t *testing.T) {
	for name, test := range map[string]struct{ piece, total, announced, most int }{
		"small, announced":       {100, 9000, 9000, 16 << 10},
		"small, not announced":   {100, 9000, 0, 16 << 10},
		"large, announced":       {60_000, 9 << 20, 9 << 20, 9<<20 + 64<<10},
		"large, not announced":   {60_000, 9 << 20, 0, 9 << 20 * 3 / 2},
		"announced and too much": {60_000, 1 << 20, 1000, 2 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			var b jay.Buffer
			var want []byte
			for i := 0; len(want) < test.total; i++ {
				p := bytes.Repeat([]byte{byte(i)}, min(test.piece, test.total-len(want)))
				want = append(want, p...)
				if err := b.AppendOf(nil, p, test.announced); err != nil {
					t.Fatal(err)
				}
				if b.Cap() > max(64<<10, 2*len(want)+4096) {
					t.Fatalf("%d bytes of memory after %d", b.Cap(), len(want))
				}
			}
			if !bytes.Equal(b.Bytes(), want) || b.Len() != len(want) {
				t.Errorf("%d bytes are in it, want %d", b.Len(), len(want))
			}
			if b.Cap() > test.most {
				t.Errorf("%d bytes of memory for %d, want at most %d", b.Cap(), len(want), test.most)
			}
			n := copy(b.Room(), "more")
			b.Extend(n)
			if !bytes.Equal(b.Bytes(), append(want, "more"[:n]...)) {
				t.Error("Extend has added something else than what is in Room")
			}
			b.Truncate(1)
			if b.Len() != 1 || b.Bytes()[0] != 0 {
				t.Errorf("after Truncate: %v", b.Bytes())
			}
			b.Free()
			if b.Len() != 0 || b.Cap() != 0 || b.Bytes() != nil {
				t.Error("memory is held after Free")
			}
		})
	}
}
