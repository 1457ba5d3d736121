//go:build !race

package needs

// Race says that the race detector is on: a process takes several times the memory.
const Race = false
