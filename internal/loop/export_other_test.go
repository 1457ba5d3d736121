//go:build !linux

package loop

// Copied: the goroutine backend reads all of a file, which does not count.
func Copied(*Loop) int64 { return 0 }
