//go:build !jaypoison

package poison

// On reports whether buffers are poisoned.
const On = false

// Renew returns b in this build.
func Renew(b []byte, _ int) []byte { return b }

// Fill does nothing in this build.
func Fill([]byte) {}
