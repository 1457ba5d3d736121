package http1

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// decode feeds b in pieces of step bytes, as a connection does: what was not
// used comes again with more. It returns the body and how many bytes it took,
// -1 when it is not complete.
func decode(b []byte, step int, limits Limits) (body []byte, n int, d *Chunked, err error) {
	d = new(Chunked)
	for end := min(step, len(b)); ; end = min(end+step, len(b)) {
		for {
			data, used, err := d.Next(b[n:end:end], limits)
			if err != nil {
				return body, 0, d, err
			}
			body = append(body, data...)
			n += used
			if d.Done() {
				return body, n, d, nil
			}
			if used == 0 {
				break
			}
		}
		if end == len(b) {
			return body, -1, d, nil
		}
	}
}

func TestChunkedAccepts(t *testing.T) {
	for name, c := range map[string]struct{ raw, body string }{
		"empty":               {"0\r\n\r\n", ""},
		"two chunks":          {"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"},
		"both cases":          {"a\r\n0123456789\r\nA\r\n0123456789\r\n00\r\n\r\n", "01234567890123456789"},
		"leading zeros":       {"00000000000000000000000000000005\r\nhello\r\n000\r\n\r\n", "hello"},
		"extension":           {"5;a;b=c;d=\"e;\"\r\nhello\r\n0\r\n\r\n", "hello"},
		"bad white space":     {"5 ;\ta = b ; c\r\nhello\r\n0 ; x\r\n\r\n", "hello"},
		"quoted string":       {"5;a=\"b\\\"c;\t\xff\"\r\nhello\r\n0\r\n\r\n", "hello"},
		"data like a chunk":   {"5\r\n\r\n0\r\n\r\n0\r\n\r\n", "\r\n0\r\n"},
		"trailer":             {"0\r\nDigest: x\r\nX-A: 1\r\n\r\n", ""},
		"what follows is not": {"1\r\na\r\n0\r\n\r\n", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			for step := 1; step <= len(c.raw); step++ {
				body, n, _, err := decode([]byte(c.raw+"GET"), step, Limits{})
				if string(body) != c.body || n != len(c.raw) || err != nil {
					t.Fatalf("%d bytes at a time: %q, %d of %d, %v", step, body, n, len(c.raw), err)
				}
				if _, n, _, err := decode([]byte(c.raw[:step-1]), 1, Limits{}); n != -1 || err != nil {
					t.Fatalf("first %d bytes: %d, %v; want more to be needed", step-1, n, err)
				}
			}
		})
	}
}

func TestChunkedRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		raw  string
		want *Error
	}{
		"no digit":              {"\r\n", errChunkSize},
		"prefix 0x":             {"0x5\r\n", errChunkLine},
		"LF":                    {"5\nhello", errChunkLine},
		"CR without LF":         {"5\rh", errBareCR},
		"white space first":     {" 5\r\n", errChunkSize},
		"white space last":      {"5 \r\n", errChunkLine},
		"empty extension":       {"5;\r\n", errChunkLine},
		"two semicolons":        {"5;;a\r\n", errChunkLine},
		"extension without end": {"5;a=\r\n", errChunkLine},
		"quote without end":     {"5;a=\"b\r\n", errChunkLine},
		"text after quote":      {"5;a=\"b\"c\r\n", errChunkLine},
		"LF in extension":       {"5;a\nb", errChunkLine},
		"NUL in quotes":         {"5;a=\"\x00", errChunkLine},
		"data too long":         {"5\r\nhellox", errChunkEnd},
		"data, CR without LF":   {"5\r\nhello\rx", errChunkEnd},
		"16 digits, too large":  {"F000000000000000", errBodyTooLarge},
		"17 digits, too large":  {"10000000000000000", errBodyTooLarge},
		"33 digits":             {"000000000000000000000000000000005", errChunkLong},
		"2^63":                  {"8000000000000000\r\n", errBodyTooLarge},
		"over the limit":        {"5\r\nhello\r\n6\r\n", errBodyTooLarge},
		"long line":             {"5;" + strings.Repeat("a", maxChunkLine), errChunkLong},
		"many extensions":       {strings.Repeat("1;"+strings.Repeat("a", 200)+"\r\nx\r\n", 100), errChunkOverhead},
		"folded trailer":        {"0\r\nX: a\r\n b\r\n\r\n", errFold},
		"trailer with LF":       {"0\r\nX: a\n", errBareLF},
		"long trailer":          {"0\r\nX: " + strings.Repeat("a", 200), errHeadTooLarge},
	} {
		limits := Limits{Body: 10, Head: 100}
		if name == "many extensions" {
			limits.Body = 1000
		}
		t.Run(name, func(t *testing.T) {
			for step := 1; step <= min(len(c.raw), 64); step++ {
				if _, _, _, err := decode([]byte(c.raw), step, limits); err != error(c.want) {
					t.Fatalf("%d bytes at a time: got %v, want %v", step, err, c.want)
				}
			}
		})
	}
}

func TestTrailersAreApartAndComplete(t *testing.T) {
	raw := []byte("3\r\nabc\r\n0\r\nDigest: x\r\nDIGEST: y\r\nX-A:\r\n\r\n")
	_, n, d, err := decode(raw, 7, Limits{})
	if n != len(raw) || err != nil {
		t.Fatal(n, err)
	}
	got := ""
	for name, value := range d.Trailers() {
		got += fmt.Sprintf("%s=%s;", name, value)
	}
	if got != "Digest=x;DIGEST=y;X-A=;" || d.Trailer("digest") != "x" || d.Trailer("b") != "" {
		t.Errorf("trailers %q, Digest %q", got, d.Trailer("digest"))
	}
	if _, _, d, _ := decode(raw[:len(raw)-2], 1, Limits{}); d.Trailer("digest") != "" {
		t.Error("a trailer field shows before the section is complete")
	}
}

// What RFC 9110 section 6.5.1 has in the head alone is left out of the trailer
// section, whatever else is there, and does not make a difference.
func TestTrailerFieldsOfTheHeadAreLeftOut(t *testing.T) {
	for id, name := range fieldNames {
		if name == "" {
			continue
		}
		raw := []byte("0\r\nDigest: x\r\n" + name + ": 5\r\nX-A: 1\r\n" + strings.ToUpper(name) + ": 6\r\n\r\n")
		for step := 1; step <= len(raw); step++ {
			_, n, d, err := decode(raw, step, Limits{})
			if n != len(raw) || err != nil {
				t.Fatalf("%s, %d bytes at a time: %d of %d, %v", name, step, n, len(raw), err)
			}
			got := 0
			for range d.Trailers() {
				got++
			}
			left, want := notInTrailer.has(fieldID(id)), 4
			if left {
				want = 2
			}
			if got != want || (d.Trailer(name) == "") != left || d.Trailer("digest") != "x" || d.Trailer("x-a") != "1" {
				t.Fatalf("%s: %d fields, want %d; it is %q", name, got, want, d.Trailer(name))
			}
		}
	}
}

func TestErrorNamesStatusAndReason(t *testing.T) {
	var e *Error
	_, err := new(Head).Parse([]byte("GET / HTTP/3.0\r\n"), Limits{})
	if !errors.As(err, &e) || e.Status != 505 || e.Error() != "http1: 505 HTTP Version Not Supported: only HTTP/1.1 and HTTP/1.0 are spoken here" {
		t.Error(err)
	}
}

func BenchmarkChunkedNext(b *testing.B) {
	raw := []byte(strings.Repeat("400\r\n"+strings.Repeat("x", 1024)+"\r\n", 16) + "0\r\n\r\n")
	d := new(Chunked)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		d.Reset()
		for n := 0; !d.Done(); {
			_, used, err := d.Next(raw[n:], Limits{})
			if err != nil || used == 0 {
				b.Fatal(used, err)
			}
			n += used
		}
	}
}
