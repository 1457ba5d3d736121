package websocket

import "unicode/utf8"

// textCheck validates UTF-8 that comes in pieces. The zero value is at the
// start of a text.
type textCheck struct {
	pending [3]byte // the start of a character that is not complete
	n       uint8
}

// feed takes the next piece. It reports false as soon as no continuation
// could make the text valid.
func (t *textCheck) feed(p []byte) bool {
	for t.n > 0 && len(p) > 0 {
		var char [utf8.UTFMax]byte
		n := copy(char[:], t.pending[:t.n])
		char[n] = p[0]
		if n++; !utf8.FullRune(char[:n]) {
			t.pending[t.n] = p[0]
			t.n++
			p = p[1:]
			continue
		}
		if r, size := utf8.DecodeRune(char[:n]); r == utf8.RuneError && size == 1 {
			return false
		}
		t.n = 0
		p = p[1:]
	}
	end := incomplete(p)
	t.n += uint8(copy(t.pending[t.n:], p[end:]))
	return utf8.Valid(p[:end])
}

// incomplete returns where the incomplete character at the end of p begins;
// len(p) when there is none.
func incomplete(p []byte) int {
	for i := len(p) - 1; i >= 0 && i >= len(p)-3; i-- {
		if utf8.RuneStart(p[i]) {
			if !utf8.FullRune(p[i:]) {
				return i
			}
			break
		}
	}
	return len(p)
}

// complete reports whether the text may end here.
func (t *textCheck) complete() bool { return t.n == 0 }
