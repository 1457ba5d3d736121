package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// feed gives the pieces to the codec one by one, as a connection does, and
// returns the requests.
func feed(pieces ...[]byte) (requests []string, rest int, err error) {
	var unused []byte
	for _, piece := range pieces {
		unused = append(unused, piece...)
		for len(unused) > 0 {
			q, n, err := codec{}.Parse(unused)
			if err != nil {
				return requests, len(unused), err
			}
			if n == 0 {
				break
			}
			var args []string
			for i := range q.n {
				args = append(args, string(q.arg(i)))
			}
			requests = append(requests, fmt.Sprintf("%q", args))
			unused = unused[n:]
		}
	}
	return requests, len(unused), nil
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, stream string
		want         []string
		rest         int
		err          protocolError
	}{
		{"array", "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", []string{`["GET" "k"]`}, 0, ""},
		{"pipelined", "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n", []string{`["PING"]`, `["PING"]`}, 0, ""},
		{"inline", "SET  k v\r\nPING\n", []string{`["SET" "k" "v"]`, `["PING"]`}, 0, ""},
		{"empty line", "\r\nPING\r\n", []string{`[]`, `["PING"]`}, 0, ""},
		{"empty arrays", "*0\r\n*-1\r\nPING\r\n", []string{`[]`, `[]`, `["PING"]`}, 0, ""},
		{"line endings within", "*2\r\n$4\r\nECHO\r\n$5\r\na\r\nb\n\r\n", []string{`["ECHO" "a\r\nb\n"]`}, 0, ""},
		{"empty string", "*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", []string{`["ECHO" ""]`}, 0, ""},
		{"many arguments", "*7\r\n" + strings.Repeat("$1\r\na\r\n", 7), []string{`["a" "a" "a" "a" "a" "a" "a"]`}, 0, ""},
		{"two digits", "*1\r\n$10\r\n0123456789\r\n", []string{`["0123456789"]`}, 0, ""},
		{"unfinished", "*2\r\n$3\r\nGET\r\n$1\r\nk\r", nil, 19, ""},
		{"no string", "*1\r\n:1\r\n", nil, 0, "expected '$', got ':'"},
		{"length of letters", "*x\r\n", nil, 0, "invalid multibulk length"},
		{"too many arguments", "*1048577\r\n", nil, 0, "invalid multibulk length: at most 1048576"},
		{"huge", "*99999999999999999999\r\n", nil, 0, "invalid multibulk length"},
		{"endless length", "*" + strings.Repeat("1", 40), nil, 0, "invalid multibulk length"},
		{"negative string", "*1\r\n$-1\r\n", nil, 0, "invalid bulk length"},
		{"long string", "*1\r\n$8388609\r\n", nil, 0, "invalid bulk length: at most 8388608"},
		{"wrong end", "*1\r\n$1\r\nabc", nil, 0, "a bulk string that is longer than announced"},
		{"endless line", strings.Repeat("x", maxInline), nil, 0, "too big inline request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for cut := 0; cut <= min(len(tt.stream), 100); cut++ {
				got, rest, err := feed([]byte(tt.stream[:cut]), []byte(tt.stream[cut:]))
				wrong := protocolError("")
				if errors.As(err, &wrong); wrong != tt.err || !slices.Equal(got, tt.want) || err == nil && rest != tt.rest {
					t.Fatalf("cut at %d: %q, %d unused, %v; want %q, %d, %q", cut, got, rest, err, tt.want, tt.rest, tt.err)
				}
			}
		})
	}
}

// TestLength: a long request is looked at again only when that is worth it.
func TestLength(t *testing.T) {
	for _, tt := range []struct {
		name string
		q    request
	}{
		{"one long string", requestOf("SET", "k", strings.Repeat("x", maxBulk))},
		{"many short ones", requestOf(slices.Repeat([]string{"MSET", "key", "value"}, 100_000)...)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stream, _ := codec{}.Append(nil, tt.q)
			looked := 0
			for have := 1000; have < len(stream); looked++ {
				need := codec{}.Length(stream[:have])
				if need > len(stream) {
					t.Fatalf("with %d bytes of %d it waits for %d", have, len(stream), need)
				}
				have = max(need, have+1000)
			}
			if looked > 60 {
				t.Errorf("%d bytes are looked at %d times", len(stream), looked)
			}
		})
	}
}

func requestOf(args ...string) (q request) {
	for _, a := range args {
		q.add([]byte(a))
	}
	return q
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING a\r\n"), uint16(9))
	f.Add([]byte("*5\r\n$1\r\na\r\n$0\r\n\r\n"), uint16(3))
	f.Fuzz(func(t *testing.T, stream []byte, cut uint16) {
		at := int(cut) % (len(stream) + 1)
		want, wantRest, wantErr := feed(stream)
		for _, pieces := range [][][]byte{{stream[:at], stream[at:]}, slices.Collect(slices.Chunk(stream, 1+at))} {
			got, rest, err := feed(pieces...)
			if !slices.Equal(got, want) || err != wantErr || err == nil && rest != wantRest {
				t.Fatalf("%q cut at %d: %q, %v; whole: %q, %v", stream, at, got, err, want, wantErr)
			}
		}
		if q, n, _ := (codec{}).Parse(stream); n > 0 {
			sent, _ := codec{}.Append(nil, q)
			again, k, err := codec{}.Parse(sent)
			twice, _ := codec{}.Append(nil, again)
			if k != len(sent) || err != nil || !bytes.Equal(twice, sent) {
				t.Fatalf("%q is sent as %q, which is parsed as %d bytes, %v", stream[:n], sent, k, err)
			}
		}
	})
}
