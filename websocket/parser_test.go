package websocket

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"unicode/utf8"
)

func TestParseHeader(t *testing.T) {
	key := []byte{1, 2, 3, 4}
	for _, tt := range []struct {
		name string
		raw  []byte
		want header
		err  error
	}{
		{"text", []byte{0x81, 0x85}, header{length: 5, op: opText, fin: true}, nil},
		{"first of a compressed", []byte{0x41, 0x80}, header{op: opText, rsv1: true}, nil},
		{"16 bits", []byte{0x82, 0xfe, 0, 126}, header{length: 126, op: opBinary, fin: true}, nil},
		{"64 bits", []byte{0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0}, header{length: 1 << 16, op: opBinary, fin: true}, nil},
		{"unmasked", []byte{0x81, 0x05}, header{}, errUnmasked},
		{"RSV2", []byte{0xa1, 0x85}, header{}, errReservedBits},
		{"opcode 7", []byte{0x87, 0x80}, header{}, errReservedOpcode},
		{"opcode 15", []byte{0x8f, 0x80}, header{}, errReservedOpcode},
		{"16 bits for 125", []byte{0x82, 0xfe, 0, 125}, header{}, errLengthForm},
		{"64 bits for 65535", []byte{0x82, 0xff, 0, 0, 0, 0, 0, 0, 255, 255}, header{}, errLengthForm},
		{"negative length", []byte{0x82, 0xff, 128, 0, 0, 0, 0, 0, 0, 0}, header{}, errLengthSign},
		{"long ping", []byte{0x89, 0xfe}, header{}, errControlLength},
		{"fragmented pong", []byte{0x0a, 0x80}, header{}, errControlFragment},
	} {
		t.Run(tt.name, func(t *testing.T) {
			raw := slices.Concat(tt.raw, key)
			if tt.err == nil {
				tt.want.key = 0x04030201
			}
			for cut := range len(raw) {
				if _, n, err := parseHeader(raw[:cut]); n != 0 || err != nil && err != tt.err {
					t.Fatalf("of %d bytes: n %d, %v", cut, n, err)
				}
			}
			h, n, err := parseHeader(append(raw, 0xff))
			if err != tt.err {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if err == nil && (h != tt.want || n != len(raw)) {
				t.Errorf("%+v of %d bytes, want %+v of %d", h, n, tt.want, len(raw))
			}
		})
	}
}

// TestAppendHeader: what is appended is what parseHeader reads, with a mask.
func TestAppendHeader(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536, 1 << 30} {
		b := appendHeader([]byte("x"), bitFin|byte(opBinary), n)[1:]
		b[1] |= bitMask
		h, used, err := parseHeader(append(b, 0, 0, 0, 0))
		if err != nil || h.length != int64(n) || used != len(b)+4 || !h.fin || h.op != opBinary {
			t.Errorf("%d: %+v, %d, %v", n, h, used, err)
		}
	}
}

// TestMask compares with masking a byte at a time, in any two pieces.
func TestMask(t *testing.T) {
	const key = 0xa1b2c3d4
	for n := range 100 {
		want, got := make([]byte, n), make([]byte, n)
		maskBytes(want, key)
		for cut := range n + 1 {
			clear(got)
			mask(got[cut:], mask(got[:cut], key))
			if !bytes.Equal(got, want) {
				t.Fatalf("%d bytes cut at %d: %x, want %x", n, cut, got, want)
			}
		}
	}
}

func BenchmarkMask(b *testing.B) {
	for name, fn := range map[string]func([]byte, uint32) uint32{"words": mask, "bytes": maskBytes} {
		b.Run(name, func(b *testing.B) {
			p := make([]byte, 1024)
			b.SetBytes(int64(len(p)))
			for b.Loop() {
				fn(p, 0xa1b2c3d4)
			}
		})
	}
}

// TestTextCheck compares with utf8.Valid, cut at every place, and expects that
// text fails at the first byte that no continuation could mend.
func TestTextCheck(t *testing.T) {
	for _, s := range []string{
		"", "plain", "κόσμε", "€uro", "😀", "a😀", "\xff", "a\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xed\x9f\xbf",
		"\xf4\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5", "\x80", "\xe2\x82", "\xe2\x82a", "\xf0\x9f\x98", "\xf0\x9f\xff", "κ\xe2\x82\xac\xac",
	} {
		for i := range len(s) + 1 {
			for j := i; j <= len(s); j++ {
				var c textCheck
				ok := c.feed([]byte(s[:i])) && c.feed([]byte(s[i:j])) && c.feed([]byte(s[j:])) && c.complete()
				if ok != utf8.ValidString(s) {
					t.Errorf("%q cut at %d and %d: %v", s, i, j, ok)
				}
			}
			var c textCheck
			if got, want := c.feed([]byte(s[:i])), mendable(s[:i]); got != want {
				t.Errorf("%q: may go on is %v, want %v", s[:i], got, want)
			}
		}
	}
}

// mendable reports whether s is the start of some valid text.
func mendable(s string) bool {
	for _, end := range []string{"", "\x80", "\x80\x80", "\x80\x80\x80", "\xa0\x80", "\x9f\xbf", "\x90\x80\x80", "\xbf\xbf\xbf", "\x8f\xbf\xbf", "\xbf", "\xbf\xbf"} {
		if utf8.ValidString(s + end) {
			return true
		}
	}
	return false
}

// clientFrame makes a masked frame.
func clientFrame(first byte, payload []byte) []byte {
	b := appendHeader(nil, first, len(payload))
	b[1] |= bitMask
	b = append(b, 1, 2, 3, 4)
	at := len(b)
	b = append(b, payload...)
	mask(b[at:], 0x04030201)
	return b
}

// result is what came of a stream.
type result struct {
	events []event
	err    error
	used   int
}

var testLimits = limits{message: 1 << 16, frame: 1 << 15, fragments: 100}

// parse feeds stream in pieces of the lengths that cut says, as a connection
// does: what was not used comes again.
func parse(stream []byte, compress bool, cut func() int) (r result) {
	var p parser
	if compress {
		p.flags |= mayCompress
	}
	var kept []byte
	for stream = bytes.Clone(stream); len(stream) > 0; {
		n := min(max(cut(), 1), len(stream))
		kept = append(kept, stream[:n]...)
		stream = stream[n:]
		for len(kept) > 0 {
			ev, used, err := p.next(kept, testLimits, nil)
			r.used += used
			if err != nil {
				r.err = err
				return r
			}
			if ev.op != opContinuation {
				ev.data = append([]byte{}, ev.data...)
				r.events = append(r.events, ev)
				p.release()
			}
			kept = kept[used:]
			if ev.op == opContinuation {
				break
			}
		}
		kept = bytes.Clone(kept)
	}
	return r
}

func (r result) equal(o result) bool {
	return r.err == o.err && slices.EqualFunc(r.events, o.events, func(a, b event) bool {
		return a.op == b.op && a.compressed == b.compressed && bytes.Equal(a.data, b.data)
	})
}

func whole(n int) func() int { return func() int { return n } }

func randomly(seed uint64) func() int {
	r := rand.New(rand.NewPCG(seed, 1))
	return func() int { return 1 + r.IntN(20) }
}

// stream is a conversation with everything in it.
func stream() []byte {
	return slices.Concat(
		clientFrame(bitFin|byte(opText), []byte("hello")),
		clientFrame(byte(opText), []byte("h\xc3")), clientFrame(bitFin|byte(opPing), []byte("ping")),
		clientFrame(0, nil), clientFrame(bitFin, []byte("\xa9llo")),
		clientFrame(bitFin|byte(opBinary), bytes.Repeat([]byte("0123456789"), 30)),
		clientFrame(bitRSV1|byte(opBinary), []byte("compressed, ")), clientFrame(bitFin, []byte("whatever it is")),
		clientFrame(bitFin|byte(opPong), nil), clientFrame(bitFin|byte(opClose), []byte{3, 232}))
}

// TestSegmentation: events do not depend on how bytes come.
func TestSegmentation(t *testing.T) {
	all := stream()
	want := result{events: []event{
		{op: opText, data: []byte("hello")},
		{op: opPing, data: []byte("ping")},
		{op: opText, data: []byte("h\u00e9llo")},
		{op: opBinary, data: bytes.Repeat([]byte("0123456789"), 30)},
		{op: opBinary, compressed: true, data: []byte("compressed, whatever it is")},
		{op: opPong},
		{op: opClose, data: []byte{3, 232}},
	}}
	if got := parse(all, true, whole(len(all))); !got.equal(want) || got.used != len(all) {
		t.Fatalf("whole: %v, %v, %d of %d bytes used", got.events, got.err, got.used, len(all))
	}
	for n := 1; n < len(all); n++ {
		if got := parse(all, true, whole(n)); !got.equal(want) {
			t.Fatalf("in pieces of %d: %v, %v", n, got.events, got.err)
		}
	}
}

// TestParserAllocates nothing for messages that come whole.
func TestParserAllocates(t *testing.T) {
	b := clientFrame(bitFin|byte(opText), bytes.Repeat([]byte("a"), 128))
	var p parser
	if n := testing.AllocsPerRun(100, func() {
		if _, used, err := p.next(b, testLimits, nil); used != len(b) || err != nil && err != errText {
			t.Fatal(used, err)
		}
		mask(b[6:], 0x04030201) // as it was
	}); n != 0 {
		t.Errorf("%v allocations for a frame", n)
	}
}

// TestPromise: an announced length takes no memory before a part has come.
func TestPromise(t *testing.T) {
	var p parser
	lim := limits{message: 1 << 30, frame: 1 << 30, fragments: 1}
	b := clientFrame(bitFin|byte(opBinary), make([]byte, 1<<20))
	if _, _, err := p.next(b[:1000], lim, nil); err != nil || p.part.Cap() > 4096 {
		t.Errorf("%d bytes are taken for 1000, %v", p.part.Cap(), err)
	}
}

// FuzzFrames: no input panics, and none gives other events for being cut
// otherwise.
func FuzzFrames(f *testing.F) {
	f.Add(stream(), true, uint64(1))
	f.Add(stream()[3:], false, uint64(2))
	f.Add(clientFrame(byte(opText), []byte("\xf4\x90")), false, uint64(3))
	f.Add([]byte{0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4}, false, uint64(4))
	f.Fuzz(func(t *testing.T, b []byte, compress bool, seed uint64) {
		want := parse(b, compress, whole(len(b)))
		for _, cut := range []func() int{whole(1), randomly(seed)} {
			if got := parse(b, compress, cut); !got.equal(want) {
				t.Errorf("whole: %v, %v; cut: %v, %v", want.events, want.err, got.events, got.err)
			}
		}
		for _, ev := range want.events {
			if ev.op == opText && !ev.compressed && !utf8.Valid(ev.data) {
				t.Errorf("text %q", ev.data)
			}
		}
	})
}

func FuzzClose(f *testing.F) {
	f.Add([]byte{3, 232, 'o', 'k'})
	f.Add([]byte{3})
	f.Fuzz(func(t *testing.T, p []byte) {
		code, reason, err := parseClose(p)
		if err != nil || code == CloseNoStatus {
			return
		}
		if !code.Sendable() || !utf8.Valid(reason) {
			t.Fatalf("accepted %d %q", code, reason)
		}
		if got := appendClose(nil, code, string(reason)); len(p) <= maxControl && !bytes.Equal(got, p) {
			t.Errorf("%x became %x", p, got)
		}
	})
}

// TestAppendClose: a payload that every peer accepts, whatever it is given.
func TestAppendClose(t *testing.T) {
	for _, tt := range []struct {
		name   string
		code   Code
		reason string
		want   string
	}{
		{"plain", 1000, "bye", "\x03\xe8bye"},
		{"no status", CloseNoStatus, "bye", ""},
		{"not sendable", 1006, "", ""},
		{"private", 4999, "", "\x13\x87"},
		{"out of range", 5000, "", ""},
		{"long", 1000, string(bytes.Repeat([]byte("€"), 60)), "\x03\xe8" + string(bytes.Repeat([]byte("€"), 41))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := appendClose(nil, tt.code, tt.reason)
			if string(got) != tt.want || len(got) > maxControl {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
