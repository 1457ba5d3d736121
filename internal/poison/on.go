//go:build jaypoison

package poison

// On reports whether buffers are poisoned.
const On = true

// Renew overwrites b and returns memory of its size to be used in its place.
func Renew(b []byte) []byte {
	Fill(b)
	return make([]byte, len(b))
}

// Fill overwrites all of b.
func Fill(b []byte) {
	for i := range b {
		b[i] = Byte
	}
}
