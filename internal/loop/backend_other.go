//go:build !linux

package loop

var backends = []backendKind{
	{"goroutine", newGoroutine},
}
