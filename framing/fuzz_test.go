package framing_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/framing"
)

// checkStream holds a codec against any stream: the outcome does not depend
// on how it was cut, nothing is made up, and what was parsed is sent as it
// came, or in a shorter form that is parsed as the same.
func checkStream[M any](t *testing.T, codec jay.Codec[M], stream []byte, cut uint16, equal func(a, b M) bool) {
	t.Helper()
	at := int(cut) % (len(stream) + 1)
	want, wantRest, wantErr := feed(codec, stream)
	for _, pieces := range [][][]byte{{stream[:at], stream[at:]}, slices.Collect(slices.Chunk(stream, 1+at))} {
		got, rest, err := feed(codec, pieces...)
		if !slices.Equal(got, want) || (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Fatalf("%q cut at %d: %q, %v; whole: %q, %v", stream, at, got, err, want, wantErr)
		}
		if err == nil && rest != wantRest {
			t.Fatalf("%q cut at %d: %d bytes unused; whole: %d", stream, at, rest, wantRest)
		}
	}
	m, n, err := codec.Parse(stream)
	if n < 0 || n > len(stream) || err != nil && n != 0 {
		t.Fatalf("%q: length %d, error %v", stream, n, err)
	}
	if n == 0 {
		return
	}
	sent, err := codec.Append(nil, m)
	if err != nil {
		// What cannot be sent as it came: a line with a CR before CR LF, a
		// length that was a longer varint than it has to be at the limit.
		return
	}
	again, k, err := codec.Parse(sent)
	if err != nil || k != len(sent) || k > n+1 || !equal(m, again) {
		t.Fatalf("%q was sent as %q and came back as %q, %d, %v", stream[:n], sent, []any{again}, k, err)
	}
}

func FuzzLine(f *testing.F) {
	f.Add([]byte("one\r\ntwo\n"), uint16(3), uint8(4), false, false)
	f.Add([]byte("1234\r\n12345\n"), uint16(5), uint8(4), true, true)
	f.Add([]byte("gr\xc3\xbc\xc3\x9fe\n\xff\n"), uint16(3), uint8(0), false, false)
	f.Fuzz(func(t *testing.T, stream []byte, cut uint16, max uint8, crlf, any bool) {
		codec := framing.Line{Max: int(max), CRLF: crlf, Bytes: any}
		checkStream(t, codec, stream, cut, func(a, b string) bool { return a == b })
	})
}

func FuzzDelimited(f *testing.F) {
	f.Add([]byte("one\x00two\x00"), uint16(3), uint8(4), "")
	f.Add([]byte("abc\r\n\r\nabcde\r\n\r\n"), uint16(5), uint8(4), "\r\n\r\n")
	f.Add([]byte("a---b-c"), uint16(3), uint8(2), "--")
	f.Fuzz(func(t *testing.T, stream []byte, cut uint16, max uint8, delimiter string) {
		codec := framing.Delimited{Max: int(max), Delimiter: delimiter, NoCopy: cut%2 == 0}
		checkStream(t, codec, stream, cut, bytes.Equal)
	})
}

func FuzzLengthPrefixed(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x07one"), uint16(3), uint8(5), false, uint8(0), true, int8(0), uint8(0), false)
	f.Add([]byte("\x83\x80\x00one"), uint16(3), uint8(0), false, uint8(0), false, int8(0), uint8(0), false)
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), uint16(3), uint8(0), false, uint8(0), true, int8(0), uint8(0), true)
	f.Add([]byte("\x03\x00\x00\x05one"), uint16(3), uint8(4), true, uint8(0), false, int8(1), uint8(0), false)
	f.Add([]byte("\x03\x00\x00\x07one"), uint16(3), uint8(3), false, uint8(2), true, int8(-2), uint8(100), true)
	f.Fuzz(func(t *testing.T, stream []byte, cut uint16, size uint8, little bool, offset uint8, inclusive bool, adjust int8, max uint8, empty bool) {
		codec := framing.LengthPrefixed{
			Size: int(size%10) + framing.Varint, Little: little, Offset: int(offset), Inclusive: inclusive,
			Adjust: int(adjust), Max: int(max), Empty: empty, NoCopy: cut%2 == 0,
		}
		checkStream(t, codec, stream, cut, bytes.Equal)
		checkLength(t, codec, stream)
	})
}

// checkLength: Length agrees with Parse and never asks for more than Max.
func checkLength(t *testing.T, codec framing.LengthPrefixed, stream []byte) {
	t.Helper()
	wait := codec.Length(stream)
	_, n, err := codec.Parse(stream)
	switch {
	case codec.Max > 0 && wait > codec.Max:
		t.Fatalf("%q: Length %d, Max %d", stream, wait, codec.Max)
	case err != nil && wait != 0:
		t.Fatalf("%q: Length %d of what Parse refuses: %v", stream, wait, err)
	case n != 0 && wait != n:
		t.Fatalf("%q: Length %d, Parse %d", stream, wait, n)
	case n == 0 && err == nil && wait != 0 && wait <= len(stream):
		t.Fatalf("%q: Length %d, and Parse asks for more", stream, wait)
	}
}

// FuzzAgainstBinary holds the fixed lengths against encoding/binary.
func FuzzAgainstBinary(f *testing.F) {
	f.Add([]byte("\x00\x03one"))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x03one"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, tt := range []struct {
			size int
			read func(order binary.ByteOrder, b []byte) uint64
		}{
			{1, func(_ binary.ByteOrder, b []byte) uint64 { return uint64(b[0]) }},
			{2, func(o binary.ByteOrder, b []byte) uint64 { return uint64(o.Uint16(b)) }},
			{4, func(o binary.ByteOrder, b []byte) uint64 { return uint64(o.Uint32(b)) }},
			{8, func(o binary.ByteOrder, b []byte) uint64 { return o.Uint64(b) }},
		} {
			for order, little := range map[binary.ByteOrder]bool{binary.BigEndian: false, binary.LittleEndian: true} {
				var want []byte
				if len(b) >= tt.size {
					if size := tt.read(order, b); size > 0 && size <= uint64(len(b)-tt.size) {
						want = b[tt.size:][:size]
					}
				}
				got, n, _ := framing.LengthPrefixed{Size: tt.size, Little: little}.Parse(b)
				if !bytes.Equal(got, want) || n != 0 && n != tt.size+len(want) {
					t.Fatalf("%d bytes, little-endian %v, of %q: %q, %d; want %q", tt.size, little, b, got, n, want)
				}
			}
		}
	})
}
