package framing_test

import (
	"bytes"
	"testing"

	"github.com/jay-go/jay/framing"
)

// BenchmarkParse is one message of 100 bytes in each framing.
func BenchmarkParse(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 100)
	parsers := map[string]func(stream []byte) (int, error){}
	streams := map[string][]byte{}
	add := func(name string, codec interface {
		Parse([]byte) ([]byte, int, error)
		Append(dst, m []byte) ([]byte, error)
	}) {
		parsers[name] = func(stream []byte) (int, error) {
			_, n, err := codec.Parse(stream)
			return n, err
		}
		streams[name], _ = codec.Append(nil, body)
	}
	add("LengthPrefixed", framing.LengthPrefixed{})
	add("LengthPrefixed, NoCopy", framing.LengthPrefixed{NoCopy: true})
	add("varint, NoCopy", framing.LengthPrefixed{Size: framing.Varint, NoCopy: true})
	add("Delimited, NoCopy", framing.Delimited{NoCopy: true})
	parsers["Line"] = func(stream []byte) (int, error) {
		_, n, err := framing.Line{}.Parse(stream)
		return n, err
	}
	streams["Line"], _ = framing.Line{}.Append(nil, string(body))
	for name, parse := range parsers {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if n, err := parse(streams[name]); n == 0 || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkUnfinished is what a piece costs of a line that is almost as long
// as it may be.
func BenchmarkUnfinished(b *testing.B) {
	line := bytes.Repeat([]byte("x"), 64<<10)
	for b.Loop() {
		if _, n, err := (framing.Line{}).Parse(line); n != 0 || err != nil {
			b.Fatal(n, err)
		}
	}
}
