//go:build jaypoison

package poison

// On reports whether buffers are poisoned.
const On = true

// Renew overwrites the first n bytes of b, all that somebody has seen, and returns
// memory of its size to be used in its place.
func Renew(b []byte, n int) []byte {
	Fill(b[:n])
	if len(b) <= cap(b)-n {
		return b[n : n+len(b)]
	}
	return make([]byte, len(b), 16*len(b))
}

// Fill overwrites all of b.
func Fill(b []byte) {
	for i := range b {
		b[i] = Byte
	}
}
