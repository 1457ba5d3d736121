//go:build !linux && !darwin

package sys

// Unacked would return how many bytes that were written to a socket its peer has
// not acknowledged.
func Unacked(int) (n int, known bool) { return 0, false }

// SetUnsentMark would bound what a socket holds unsent.
func SetUnsentMark(int, int) {}
