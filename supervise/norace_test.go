//go:build !race

package supervise

// exploreStates are visited in each case of TestExplore.
const exploreStates = 4000
