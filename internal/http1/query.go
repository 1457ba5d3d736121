package http1

import (
	"bytes"
	"iter"
)

// ParseQuery yields the name-value pairs of a query or of a body of type
// application/x-www-form-urlencoded, decoded as the URL standard says: "+" is
// a space, a "%" that is not followed by two hexadecimal digits is itself, a
// pair without "=" has an empty value. b must not change meanwhile.
func ParseQuery(b []byte) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for k, v := range queryPairs(b) {
			if !yield(unescape(k), unescape(v)) {
				return
			}
		}
	}
}

// queryPairs yields the pairs as they were sent, as parts of b.
func queryPairs(b []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for len(b) > 0 {
			pair := b
			if i := bytes.IndexByte(b, '&'); i >= 0 {
				pair, b = b[:i], b[i+1:]
			} else {
				b = nil
			}
			if len(pair) == 0 {
				continue
			}
			name, value, _ := bytes.Cut(pair, []byte{'='})
			if !yield(name, value) {
				return
			}
		}
	}
}

// unescapeByte decodes the byte at b[i] and returns it with the number of
// bytes it takes up.
func unescapeByte(b []byte, i int) (byte, int) {
	switch c := b[i]; {
	case c == '+':
		return ' ', 1
	case c == '%' && i+2 < len(b) && is(b[i+1], hexDig) && is(b[i+2], hexDig):
		return unhex(b[i+1])<<4 | unhex(b[i+2]), 3
	default:
		return c, 1
	}
}

func unescape(b []byte) string {
	if bytes.IndexByte(b, '%') < 0 && bytes.IndexByte(b, '+') < 0 {
		return string(b)
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); {
		c, n := unescapeByte(b, i)
		out = append(out, c)
		i += n
	}
	return string(out)
}

// unescapedEqual compares b, decoded, with s.
func unescapedEqual(b []byte, s string) bool {
	k := 0
	for i := 0; i < len(b); k++ {
		c, n := unescapeByte(b, i)
		if k >= len(s) || c != s[k] {
			return false
		}
		i += n
	}
	return k == len(s)
}
