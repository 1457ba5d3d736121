//go:build !amd64 && !arm64

package sys

func noteSignalEntry() uintptr { return 0 }
