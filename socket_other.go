//go:build !linux

package jay

// tuneListener has nothing to do: package net tunes what it accepts.
func tuneListener(int, *origin) {}

func closeFD(int) {}

// maxDescriptors: there is no telling.
func maxDescriptors() int { return 0 }
