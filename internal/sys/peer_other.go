//go:build unix && !linux

package sys

// peerFinished is the condition of poll(2) that PeerEnded asks for: none, but
// POLLHUP is reported all the same.
const peerFinished = 0
