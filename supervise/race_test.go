//go:build race

package supervise

// exploreStates: the machine is one goroutine's, so the race detector has
// nothing to find in it, and takes ten times as long for it.
const exploreStates = 400
