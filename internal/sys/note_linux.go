//go:build amd64 || arm64

package sys

// noteSignalEntry is where the kernel enters noteSignal, the handler that sets
// a signal's bit in *noted; 0 where there is none for this machine.
func noteSignalEntry() uintptr
