package framing_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/framing"
)

// feed gives a codec the pieces of a stream one by one, as a connection does,
// and returns what it makes of them.
func feed[M any](codec jay.Codec[M], pieces ...[]byte) (messages []string, rest int, err error) {
	var unused []byte
	for _, piece := range pieces {
		unused = append(unused, piece...)
		for {
			m, n, err := codec.Parse(bytes.Clone(unused))
			if err != nil {
				return messages, len(unused), err
			}
			if n == 0 {
				break
			}
			messages = append(messages, fmt.Sprintf("%q", any(m)))
			unused = unused[n:]
		}
	}
	return messages, len(unused), nil
}

// checkCuts feeds stream whole, cut in two at every byte, and a byte at a time:
// the outcome is the same.
func checkCuts[M any](t *testing.T, codec jay.Codec[M], stream []byte) {
	t.Helper()
	want, wantRest, wantErr := feed(codec, stream)
	check := func(how string, pieces ...[]byte) {
		got, rest, err := feed(codec, pieces...)
		if !slices.Equal(got, want) || (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Errorf("%q %s: %q, %v; whole: %q, %v", stream, how, got, err, want, wantErr)
		}
		if err == nil && rest != wantRest {
			t.Errorf("%q %s: %d bytes unused; whole: %d", stream, how, rest, wantRest)
		}
	}
	for cut := range len(stream) + 1 {
		check(fmt.Sprintf("cut at %d", cut), stream[:cut], stream[cut:])
	}
	check("byte by byte", slices.Collect(slices.Chunk(stream, 1))...)
}

// A parseCase is a stream and what becomes of it, with messages as
// %q has them.
type parseCase[M any] struct {
	name   string
	codec  jay.Codec[M]
	stream string
	want   []M
	rest   int    // bytes that wait for more
	err    error  // after the messages
	says   string // in the error
}

func (c parseCase[M]) run(t *testing.T) {
	t.Run(c.name, func(t *testing.T) {
		var want []string
		for _, m := range c.want {
			want = append(want, fmt.Sprintf("%q", any(m)))
		}
		got, rest, err := feed(c.codec, []byte(c.stream))
		if !slices.Equal(got, want) || !errors.Is(err, c.err) {
			t.Errorf("got %q, %v; want %q, %v", got, err, want, c.err)
		}
		if err == nil && rest != c.rest {
			t.Errorf("%d bytes wait for more, want %d", rest, c.rest)
		}
		if err != nil && (c.says == "" || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("the error is %q, which does not say %q", err, c.says)
		}
		checkCuts(t, c.codec, []byte(c.stream))
	})
}

func TestLineParse(t *testing.T) {
	for _, c := range []parseCase[string]{
		{name: "LF", codec: framing.Line{}, stream: "one\ntwo\n", want: []string{"one", "two"}},
		{name: "CR LF", codec: framing.Line{}, stream: "one\r\ntwo\r\n", want: []string{"one", "two"}},
		{name: "mixed", codec: framing.Line{}, stream: "one\r\ntwo\nthree\r\n", want: []string{"one", "two", "three"}},
		{name: "empty lines", codec: framing.Line{}, stream: "\n\r\n\n", want: []string{"", "", ""}},
		{name: "a lone 0", codec: framing.Line{}, stream: "0\n", want: []string{"0"}},
		{name: "CR within", codec: framing.Line{}, stream: "a\rb\r\r\n", want: []string{"a\rb\r"}},
		{name: "unfinished", codec: framing.Line{}, stream: "one\ntw", want: []string{"one"}, rest: 2},
		{name: "a zero byte", codec: framing.Line{}, stream: "a\x00b\n", want: []string{"a\x00b"}},
		{name: "UTF-8", codec: framing.Line{}, stream: "grüße, 世界\n", want: []string{"grüße, 世界"}},
		{name: "not UTF-8", codec: framing.Line{}, stream: "ok\ngr\xfc\xdfe\n", want: []string{"ok"}, err: framing.ErrText, says: `"\xfc"`},
		{name: "half a rune", codec: framing.Line{}, stream: "\xe4\xb8\n", err: framing.ErrText, says: `"\xe4"`},
		{name: "bytes", codec: framing.Line{Bytes: true}, stream: "gr\xfc\xdfe\n", want: []string{"gr\xfc\xdfe"}},
		{name: "longest, LF", codec: framing.Line{Max: 4}, stream: "1234\n", want: []string{"1234"}},
		{name: "longest, CR LF", codec: framing.Line{Max: 4}, stream: "1234\r\n", want: []string{"1234"}},
		{name: "longest, with CR", codec: framing.Line{Max: 4}, stream: "123\r\r\n", want: []string{"123\r"}},
		{name: "too long", codec: framing.Line{Max: 4}, stream: "1234\n12345\n", want: []string{"1234"}, err: framing.ErrTooLong, says: "more than 4 bytes"},
		{name: "too long, CR LF", codec: framing.Line{Max: 4}, stream: "12345\r\n", err: framing.ErrTooLong, says: "more than 4 bytes"},
		{name: "too long by CR", codec: framing.Line{Max: 4}, stream: "1234\r\r\n", err: framing.ErrTooLong, says: "more than 4 bytes"},
		{name: "too long, unfinished", codec: framing.Line{Max: 4}, stream: "12345", err: framing.ErrTooLong, says: "more than 4 bytes"},
		{name: "perhaps not too long", codec: framing.Line{Max: 4}, stream: "1234\r", rest: 5},
		{name: "the default", codec: framing.Line{}, stream: strings.Repeat("x", 3) + "\n", want: []string{"xxx"}},
	} {
		c.run(t)
	}
}

// TestLimits: the longest message of each framing passes, one byte more does
// not, and no limit is none.
func TestLimits(t *testing.T) {
	const lines, frames = 64 << 10, 10 << 20
	for _, tt := range []struct {
		name  string
		parse func(size int) (n int, err error)
		max   int // -1: none
	}{
		{"Line", lineOf(framing.Line{}), lines},
		{"Line, own", lineOf(framing.Line{Max: 100}), 100},
		{"Line, none", lineOf(framing.Line{Max: -1}), -1},
		{"Delimited", delimitedOf(framing.Delimited{}), lines},
		{"Delimited, own", delimitedOf(framing.Delimited{Max: 100}), 100},
		{"Delimited, none", delimitedOf(framing.Delimited{Max: -1}), -1},
		{"LengthPrefixed", prefixedOf(framing.LengthPrefixed{}), frames - 4},
		{"LengthPrefixed, own", prefixedOf(framing.LengthPrefixed{Max: 100}), 96},
		{"LengthPrefixed, none", prefixedOf(framing.LengthPrefixed{Max: -1}), -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.max < 0 {
				if n, err := tt.parse(frames + 1); n == 0 || err != nil {
					t.Errorf("%d bytes without a limit: %d, %v", frames+1, n, err)
				}
				return
			}
			if n, err := tt.parse(tt.max); n == 0 || err != nil {
				t.Errorf("%d bytes: %d, %v; they are allowed", tt.max, n, err)
			}
			if n, err := tt.parse(tt.max + 1); n != 0 || !errors.Is(err, framing.ErrTooLong) {
				t.Errorf("%d bytes: %d, %v; want ErrTooLong", tt.max+1, n, err)
			}
		})
	}
}

func lineOf(l framing.Line) func(int) (int, error) {
	return func(size int) (int, error) {
		_, n, err := l.Parse(append(bytes.Repeat([]byte("x"), size), '\n'))
		return n, err
	}
}

func delimitedOf(d framing.Delimited) func(int) (int, error) {
	return func(size int) (int, error) {
		_, n, err := d.Parse(append(bytes.Repeat([]byte("x"), size), 0))
		return n, err
	}
}

func prefixedOf(f framing.LengthPrefixed) func(int) (int, error) {
	return func(size int) (int, error) {
		_, n, err := f.Parse(append([]byte{byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)}, make([]byte, size)...))
		return n, err
	}
}

func TestDelimitedParse(t *testing.T) {
	end := framing.Delimited{Delimiter: "\r\n\r\n", Max: 4}
	for _, c := range []parseCase[[]byte]{
		{name: "zero byte", codec: framing.Delimited{}, stream: "one\x00two\x00", want: [][]byte{[]byte("one"), []byte("two")}},
		{name: "empty messages", codec: framing.Delimited{}, stream: "\x00\x00", want: [][]byte{{}, {}}},
		{name: "of one byte", codec: framing.Delimited{Delimiter: ";"}, stream: "a;b", want: [][]byte{[]byte("a")}, rest: 1},
		{name: "of four bytes", codec: end, stream: "ab\r\n\r\n\r\n\r\n", want: [][]byte{[]byte("ab"), {}}},
		{name: "part of it within", codec: end, stream: "a\r\n\r\r\n\r\n", want: [][]byte{[]byte("a\r\n\r")}},
		{name: "longest", codec: end, stream: "1234\r\n\r\n", want: [][]byte{[]byte("1234")}},
		{name: "begins before the limit", codec: end, stream: "123\r\n\r\n", want: [][]byte{[]byte("123")}},
		{name: "unfinished at the limit", codec: end, stream: "123\r\n\r", rest: 6},
		{name: "too long", codec: end, stream: "12345\r\n\r\n", err: framing.ErrTooLong, says: "after 4 bytes"},
		{name: "too long, unfinished", codec: end, stream: "1234\rx", err: framing.ErrTooLong, says: "after 4 bytes"},
		{name: "of equal bytes", codec: framing.Delimited{Delimiter: "--", Max: 2}, stream: "a---b-c", want: [][]byte{[]byte("a")}, err: framing.ErrTooLong, says: "after 2 bytes"},
		{name: "not copied", codec: framing.Delimited{NoCopy: true}, stream: "one\x00two\x00", want: [][]byte{[]byte("one"), []byte("two")}},
	} {
		c.run(t)
	}
}

// TestAlias: a message is the user's to keep, unless NoCopy is set.
func TestAlias(t *testing.T) {
	for _, tt := range []struct {
		name    string
		codec   jay.Codec[[]byte]
		stream  string
		aliases bool
	}{
		{"Delimited", framing.Delimited{}, "message\x00", false},
		{"Delimited, NoCopy", framing.Delimited{NoCopy: true}, "message\x00", true},
		{"LengthPrefixed", framing.LengthPrefixed{}, "\x00\x00\x00\x07message", false},
		{"LengthPrefixed, NoCopy", framing.LengthPrefixed{NoCopy: true}, "\x00\x00\x00\x07message", true},
		{"LengthPrefixed, Offset and NoCopy", framing.LengthPrefixed{Size: 1, Offset: 3, NoCopy: true}, "mes\x04sage", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := []byte(tt.stream)
			m, n, err := tt.codec.Parse(b)
			if n != len(b) || err != nil || string(m) != "message" {
				t.Fatalf("%q, %d, %v", m, n, err)
			}
			for i := range b {
				b[i] = '!'
			}
			if aliases := string(m) != "message"; aliases != tt.aliases {
				t.Errorf("overwriting the input changes the message: %v, want %v", aliases, tt.aliases)
			}
			if tt.aliases && cap(m) != len(m) {
				t.Errorf("appending to the message would write into what follows it: capacity %d, length %d", cap(m), len(m))
			}
		})
	}
}
