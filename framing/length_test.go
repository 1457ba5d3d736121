package framing_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/jay-go/jay/framing"
)

func all(messages ...string) (list [][]byte) {
	for _, m := range messages {
		list = append(list, []byte(m))
	}
	return list
}

func TestLengthPrefixedParse(t *testing.T) {
	type L = framing.LengthPrefixed
	for _, c := range []parseCase[[]byte]{
		{name: "1 byte", codec: L{Size: 1}, stream: "\x03one\x03two", want: all("one", "two")},
		{name: "2 bytes", codec: L{Size: 2}, stream: "\x00\x03one", want: all("one")},
		{name: "2 bytes, little", codec: L{Size: 2, Little: true}, stream: "\x03\x00one", want: all("one")},
		{name: "3 bytes", codec: L{Size: 3}, stream: "\x00\x00\x03one", want: all("one")},
		{name: "4 bytes is the default", codec: L{}, stream: "\x00\x00\x00\x03one\x00\x00\x00\x01", want: all("one"), rest: 4},
		{name: "4 bytes, little", codec: L{Size: 4, Little: true}, stream: "\x03\x00\x00\x00one", want: all("one")},
		{name: "8 bytes", codec: L{Size: 8}, stream: "\x00\x00\x00\x00\x00\x00\x00\x03one", want: all("one")},
		{name: "8 bytes, little", codec: L{Size: 8, Little: true}, stream: "\x03\x00\x00\x00\x00\x00\x00\x00one", want: all("one")},
		{name: "varint", codec: L{Size: framing.Varint}, stream: "\x03one", want: all("one")},
		{name: "varint of 2 bytes", codec: L{Size: framing.Varint}, stream: "\x81\x01" + strings.Repeat("x", 129), want: all(strings.Repeat("x", 129))},
		{name: "varint, longer than it must be", codec: L{Size: framing.Varint}, stream: "\x83\x80\x00one", want: all("one")},
		{name: "varint, unfinished", codec: L{Size: framing.Varint}, stream: "\x83\x80", rest: 2},
		{name: "varint that counts itself", codec: L{Size: framing.Varint, Inclusive: true}, stream: "\x04one", want: all("one")},
		{name: "workerman", codec: framing.Workerman(), stream: "\x00\x00\x00\x07one\x00\x00\x00\x050", want: all("one", "0")},
		{name: "type before the length", codec: L{Offset: 1, Inclusive: true}, stream: "Q\x00\x00\x00\x07one", want: all("Qone")},
		{name: "number behind the length", codec: L{Size: 3, Little: true, Adjust: 1}, stream: "\x03\x00\x00\x05one", want: all("\x05one")},
		{name: "length of the whole header", codec: L{Offset: 2, Size: 2, Inclusive: true, Adjust: -2}, stream: "\x03\x00\x00\x07one", want: all("\x03\x00one")},

		{name: "empty", codec: L{Size: 1}, stream: "\x01a\x00", want: all("a"), err: framing.ErrLength, says: "0 is announced"},
		{name: "empty, allowed", codec: L{Size: 1, Empty: true}, stream: "\x00\x01a\x00", want: all("", "a", "")},
		{name: "empty but for a type", codec: L{Size: 1, Offset: 1, Empty: true}, stream: "S\x00", want: all("S")},
		{name: "workerman, empty", codec: framing.Workerman(), stream: "\x00\x00\x00\x04", err: framing.ErrLength, says: "4 is announced"},
		{name: "workerman, 0", codec: framing.Workerman(), stream: "\x00\x00\x00\x00", err: framing.ErrLength, says: "0 is announced, which is less than the 4"},
		{name: "workerman, 3", codec: L{Inclusive: true, Empty: true}, stream: "\x00\x00\x00\x03", err: framing.ErrLength, says: "3 is announced, which is less than the 4"},
		{name: "too much taken off", codec: L{Size: 1, Adjust: -5}, stream: "\x04", err: framing.ErrLength, says: "less than the 5"},

		{name: "longest", codec: L{Size: 1, Max: 4}, stream: "\x03one", want: all("one")},
		{name: "too long", codec: L{Size: 1, Max: 4}, stream: "\x04", err: framing.ErrTooLong, says: "5 bytes is announced, at most 4 are allowed"},
		{name: "too long by what comes before", codec: L{Size: 1, Offset: 2, Max: 4}, stream: "ab\x02", err: framing.ErrTooLong, says: "5 bytes is announced, at most 4 are allowed"},
		{name: "4 GiB", codec: L{}, stream: "\xff\xff\xff\xff", err: framing.ErrTooLong, says: "4294967299 bytes is announced, at most 10485760 are allowed"},
		{name: "4 GiB, workerman", codec: framing.Workerman(), stream: "\xff\xff\xff\xff", err: framing.ErrTooLong, says: "4294967295 bytes is announced"},
		{name: "negative as a signed number", codec: L{Size: 8}, stream: "\x80\x00\x00\x00\x00\x00\x00\x00", err: framing.ErrTooLong, says: "9223372036854775808 is announced"},
		{name: "largest number", codec: L{Size: 8, Max: -1}, stream: strings.Repeat("\xff", 8), err: framing.ErrTooLong, says: "18446744073709551615 is announced"},
		{name: "largest number and adjusted", codec: L{Size: 8, Adjust: 1 << 20}, stream: strings.Repeat("\xff", 8), err: framing.ErrTooLong, says: "announced"},
		{name: "largest varint", codec: L{Size: framing.Varint}, stream: strings.Repeat("\xff", 9) + "\x01", err: framing.ErrTooLong, says: "18446744073709551615 is announced"},
		{name: "varint of 65 bits", codec: L{Size: framing.Varint}, stream: strings.Repeat("\xff", 9) + "\x02", err: framing.ErrLength, says: "64 bits"},
		{name: "varint without end", codec: L{Size: framing.Varint}, stream: strings.Repeat("\x80", 11), err: framing.ErrLength, says: "64 bits"},
	} {
		c.run(t)
	}
}

// TestRefusedAtOnce: the header alone is enough to refuse.
func TestRefusedAtOnce(t *testing.T) {
	for _, tt := range []struct {
		name   string
		codec  framing.LengthPrefixed
		header string
	}{
		{"zero", framing.LengthPrefixed{}, "\x00\x00\x00\x00"},
		{"oversized", framing.LengthPrefixed{}, "\x00\xa0\x00\x00"},
		{"zero, workerman", framing.Workerman(), "\x00\x00\x00\x00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for cut := range len(tt.header) {
				if _, n, err := tt.codec.Parse([]byte(tt.header[:cut])); n != 0 || err != nil {
					t.Errorf("%d bytes of the header: %d, %v", cut, n, err)
				}
			}
			if _, _, err := tt.codec.Parse([]byte(tt.header)); err == nil {
				t.Error("the header alone is not refused")
			}
			if n := tt.codec.Length([]byte(tt.header)); n != 0 {
				t.Errorf("Length says that %d bytes have to be waited for", n)
			}
		})
	}
}

// TestLength: how much to wait for is known from the last byte of the length.
func TestLength(t *testing.T) {
	for _, tt := range []struct {
		name  string
		codec framing.LengthPrefixed
		b     string
		want  int
	}{
		{"nothing", framing.LengthPrefixed{}, "", 0},
		{"part of the length", framing.LengthPrefixed{}, "\x00\x00\x01", 0},
		{"the length", framing.LengthPrefixed{}, "\x00\x00\x01\x00", 260},
		{"more", framing.LengthPrefixed{}, "\x00\x00\x01\x00more", 260},
		{"workerman", framing.Workerman(), "\x00\x00\x01\x00", 256},
		{"what comes before", framing.LengthPrefixed{Offset: 2}, "ab\x00\x00", 0},
		{"with what comes before", framing.LengthPrefixed{Offset: 2}, "ab\x00\x00\x01\x00", 262},
		{"part of a varint", framing.LengthPrefixed{Size: framing.Varint}, "\x80", 0},
		{"varint", framing.LengthPrefixed{Size: framing.Varint}, "\x80\x02", 258},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.codec.Length([]byte(tt.b)); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

// TestContradictions: fields that no frame can follow are named.
func TestContradictions(t *testing.T) {
	for _, tt := range []struct {
		name  string
		codec framing.LengthPrefixed
		says  string
	}{
		{"9 bytes", framing.LengthPrefixed{Size: 9}, "Size is 9"},
		{"-2 bytes", framing.LengthPrefixed{Size: -2}, "Size is -2"},
		{"negative offset", framing.LengthPrefixed{Offset: -1}, "Offset is -1"},
		{"huge offset", framing.LengthPrefixed{Offset: math.MaxInt}, "Offset is"},
		{"huge adjustment", framing.LengthPrefixed{Adjust: math.MaxInt}, "Adjust is"},
		{"huge negative adjustment", framing.LengthPrefixed{Adjust: math.MinInt}, "Adjust is"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, parseErr := tt.codec.Parse([]byte("0123456789"))
			_, appendErr := tt.codec.Append(nil, []byte("0123456789"))
			for what, err := range map[string]error{"Parse": parseErr, "Append": appendErr, "Handler": handlerPanic(tt.codec)} {
				if err == nil || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("%s: %v, which does not say %q", what, err, tt.says)
				}
			}
		})
	}
}

func handlerPanic(f framing.LengthPrefixed) (err error) {
	defer func() { err, _ = recover().(error) }()
	f.Protocol(nil)
	return nil
}

// TestLengthPrefixedAppend: what is sent, byte for byte, or why it is not.
func TestLengthPrefixedAppend(t *testing.T) {
	type L = framing.LengthPrefixed
	for _, tt := range []struct {
		name  string
		codec L
		m     string
		want  string
		err   error
	}{
		{"4 bytes", L{}, "one", "\x00\x00\x00\x03one", nil},
		{"2 bytes, little", L{Size: 2, Little: true}, strings.Repeat("x", 258), "\x02\x01" + strings.Repeat("x", 258), nil},
		{"8 bytes", L{Size: 8}, "one", "\x00\x00\x00\x00\x00\x00\x00\x03one", nil},
		{"workerman", framing.Workerman(), "one", "\x00\x00\x00\x07one", nil},
		{"varint", L{Size: framing.Varint}, strings.Repeat("x", 128), "\x80\x01" + strings.Repeat("x", 128), nil},
		{"varint that counts itself, 1 byte", L{Size: framing.Varint, Inclusive: true}, strings.Repeat("x", 126), "\x7f" + strings.Repeat("x", 126), nil},
		{"varint that counts itself, 2 bytes", L{Size: framing.Varint, Inclusive: true}, strings.Repeat("x", 127), "\x81\x01" + strings.Repeat("x", 127), nil},
		{"type before the length", L{Offset: 1, Inclusive: true}, "Qone", "Q\x00\x00\x00\x07one", nil},
		{"number behind the length", L{Size: 3, Little: true, Adjust: 1}, "\x05one", "\x03\x00\x00\x05one", nil},
		{"length of the whole header", L{Offset: 2, Size: 2, Inclusive: true, Adjust: -2}, "\x03\x00one", "\x03\x00\x00\x07one", nil},
		{"empty, allowed", L{Size: 1, Empty: true}, "", "\x00", nil},

		{"empty", L{Size: 1}, "", "", framing.ErrLength},
		{"shorter than what comes before", L{Offset: 2}, "a", "", framing.ErrLength},
		{"adjusted below zero", L{Adjust: 4}, "one", "", framing.ErrLength},
		{"does not fit the length", L{Size: 1}, strings.Repeat("x", 256), "", framing.ErrTooLong},
		{"does not fit with itself", L{Size: 1, Inclusive: true}, strings.Repeat("x", 255), "", framing.ErrTooLong},
		{"longer than allowed", L{Max: 6}, "one", "", framing.ErrTooLong},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.codec.Append([]byte("before"), []byte(tt.m))
			if string(got) != "before"+tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got %q, %v; want %q, %v", got, err, "before"+tt.want, tt.err)
			}
		})
	}
}

func TestTextAppend(t *testing.T) {
	line := func(l framing.Line) func(string) ([]byte, error) {
		return func(m string) ([]byte, error) { return l.Append([]byte("before"), m) }
	}
	delimited := func(d framing.Delimited) func(string) ([]byte, error) {
		return func(m string) ([]byte, error) { return d.Append([]byte("before"), []byte(m)) }
	}
	for _, tt := range []struct {
		name   string
		append func(m string) ([]byte, error)
		m      string
		want   string
		err    error
	}{
		{"LF", line(framing.Line{}), "one", "one\n", nil},
		{"CR LF", line(framing.Line{CRLF: true}), "one", "one\r\n", nil},
		{"empty line", line(framing.Line{}), "", "\n", nil},
		{"LF within", line(framing.Line{}), "one\ntwo", "", framing.ErrDelimiter},
		{"CR at the end", line(framing.Line{}), "one\r", "", framing.ErrDelimiter},
		{"long line", line(framing.Line{Max: 2}), "one", "", framing.ErrTooLong},
		{"not UTF-8", line(framing.Line{}), "\xff", "", framing.ErrText},
		{"bytes", line(framing.Line{Bytes: true}), "\xff", "\xff\n", nil},
		{"zero byte", delimited(framing.Delimited{}), "one", "one\x00", nil},
		{"empty message", delimited(framing.Delimited{}), "", "\x00", nil},
		{"zero byte within", delimited(framing.Delimited{}), "o\x00e", "", framing.ErrDelimiter},
		{"delimiter too early", delimited(framing.Delimited{Delimiter: "--"}), "one-", "", framing.ErrDelimiter},
		{"long message", delimited(framing.Delimited{Max: 2}), "one", "", framing.ErrTooLong},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.append(tt.m)
			if string(got) != "before"+tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got %q, %v; want %q, %v", got, err, "before"+tt.want, tt.err)
			}
		})
	}
}
