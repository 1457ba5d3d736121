//go:build !linux

package jay

import "net"

// tuneListener has nothing to do: package net tunes what it accepts.
func tuneListener(int, *endpoint) {}

func closeFD(int) {}

// maxDescriptors: there is no telling.
func maxDescriptors() int { return 0 }

// localAddr has no descriptor to ask: package net has said it already.
func localAddr(int) net.Addr { return nil }
