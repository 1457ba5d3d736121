package websocket

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	stdflate "compress/flate"
)

// samples are texts of the sizes that matter: around buffers and windows.
func samples() (all [][]byte) {
	for _, n := range []int{0, 1, 2, 16, 100, 255, 256, 257, 1000, 4096, 32 << 10, 64<<10 - 1, 64 << 10, 200_000} {
		var b bytes.Buffer
		for i := 0; b.Len() < n; i++ {
			fmt.Fprintf(&b, "line %d of a text that repeats itself; %d\n", i, i*i*7919%1000)
		}
		all = append(all, b.Bytes()[:n])
	}
	return all
}

// TestDeflate: what is compressed comes back, for every window, with and
// without takeover, also through the standard library's decompressor.
func TestDeflate(t *testing.T) {
	for bits := uint8(minWindowBits); bits <= maxWindowBits; bits++ {
		for _, takeover := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d bits, takeover %v", bits, takeover), func(t *testing.T) {
				h := &Handler{Deflate: &Deflate{}}
				a := agreement{serverBits: bits, clientBits: bits, serverTakeover: takeover, clientTakeover: takeover}
				var sent, received *windows
				if takeover {
					sent, received = new(windows), new(windows)
				}
				for _, text := range samples() {
					d := h.deflaters.get(h.Deflate, bits)
					small := bytes.Clone(d.deflate(text, sent.sent()))
					h.deflaters.put(d)
					standard(t, small, text, received.received())
					inf := h.inflaters.get()
					got, err := inf.inflate(nil, small, nil, received, a, 1<<20)
					if err != nil || !bytes.Equal(got, text) {
						t.Fatalf("%d bytes: %v, %d came back", len(text), err, len(got))
					}
					h.inflaters.put(inf)
					sent.keepSent(nil, text, a)
					if takeover && (!bytes.Equal(sent.sent(), received.received()) || len(sent.sent()) > 1<<bits) {
						t.Fatalf("windows of %d and %d bytes", len(sent.sent()), len(received.received()))
					}
				}
			})
		}
	}
}

// standard reads a message with the standard library, which must see only the
// window.
func standard(t *testing.T, small, want, window []byte) {
	t.Helper()
	r := stdflate.NewReaderDict(strings.NewReader(string(small)+inflateTail), window)
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("the standard library reads %d of %d bytes, %v", len(got), len(want), err)
	}
}

// TestWindowBound: a distance never exceeds the window that was agreed upon.
// The text repeats itself only beyond it, so it must not become shorter.
func TestWindowBound(t *testing.T) {
	for bits := uint8(minWindowBits); bits < 12; bits++ {
		h := &Handler{Deflate: &Deflate{}}
		far := make([]byte, 1<<bits+100)
		seed := uint32(1)
		for i := range far {
			seed = seed*1664525 + 1013904223
			far[i] = byte(seed >> 24)
		}
		text := append(far, far...)
		d := h.deflaters.get(h.Deflate, bits)
		if n := len(d.deflate(text, nil)); n < len(text)*9/10 {
			t.Errorf("%d bits: %d bytes became %d: something beyond the window was referred to", bits, len(text), n)
		}
		d = h.deflaters.get(h.Deflate, maxWindowBits)
		if n := len(d.deflate(text, nil)); n > len(text)*2/3 {
			t.Errorf("%d bits: with the largest window %d bytes became %d: the check above cannot fail", bits, len(text), n)
		}
	}
}

// TestBomb: a message that inflates beyond the limit costs memory in
// proportion to the limit.
func TestBomb(t *testing.T) {
	const limit = 1 << 20
	var h Handler
	d := h.deflaters.get(&Deflate{}, maxWindowBits)
	bomb := bytes.Clone(d.deflate(make([]byte, 256<<20), nil))
	d = nil
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	inf := h.inflaters.get()
	_, err := inf.inflate(nil, bomb, nil, nil, agreement{}, limit)
	runtime.ReadMemStats(&after)
	if err != errMessageTooBig {
		t.Errorf("a bomb of %d bytes: %v", len(bomb), err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 5*limit+uint64(len(bomb))*2 {
		t.Errorf("%d bytes were allocated for a limit of %d", used, limit)
	}
}

// FuzzInflate: no input panics or passes the limit, and what is accepted is
// what the standard library makes of it.
func FuzzInflate(f *testing.F) {
	d := (&deflaters{}).get(&Deflate{}, maxWindowBits)
	f.Add(bytes.Clone(d.deflate([]byte("hello hello hello"), nil)))
	f.Add([]byte{0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00})
	f.Add([]byte{0x03, 0x00, 0x03, 0x00})
	f.Fuzz(func(t *testing.T, p []byte) {
		const limit = 64 << 10
		var z inflater
		got, err := z.inflate(nil, p, nil, nil, agreement{}, limit)
		if err != nil || len(p) == 0 {
			return
		}
		if len(got) > limit {
			t.Fatalf("%d bytes", len(got))
		}
		want, _ := io.ReadAll(stdflate.NewReader(strings.NewReader(string(p) + inflateTail)))
		if !bytes.HasPrefix(got, want) {
			t.Errorf("%q, the standard library reads %q", got, want)
		}
	})
}

// FuzzDeflate: whatever is sent comes back.
func FuzzDeflate(f *testing.F) {
	f.Add([]byte("hello"), []byte("hello again, hello"), uint8(9))
	f.Fuzz(func(t *testing.T, first, second []byte, bits uint8) {
		bits = minWindowBits + bits%8
		h := &Handler{Deflate: &Deflate{}}
		a := agreement{serverBits: bits, clientBits: bits, serverTakeover: true, clientTakeover: true}
		sent, received := new(windows), new(windows)
		for _, p := range [][]byte{first, second} {
			d := h.deflaters.get(h.Deflate, bits)
			small := d.deflate(p, sent.sent())
			sent.keepSent(nil, p, a)
			inf := h.inflaters.get()
			got, err := inf.inflate(nil, small, nil, received, a, 1<<20)
			if err != nil || !bytes.Equal(got, p) {
				t.Errorf("%q came back as %q, %v", p, got, err)
			}
			h.inflaters.put(inf)
			h.deflaters.put(d)
		}
	})
}
