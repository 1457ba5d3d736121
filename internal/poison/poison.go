// Package poison overwrites buffers that are given back, in builds with the tag
// jaypoison, so that tests see what is read through a view that has outlived
// its bytes. Pools keep nothing in such a build: a stale view shows the poison
// for ever, and not what the buffer is used for next. In other builds all of it
// does nothing and costs nothing.
package poison

// Byte is what buffers are filled with. It is not ASCII, not a whole character
// of UTF-8, and no first byte of a frame.
const Byte = 0xdb

// Filled reports whether all of b was overwritten.
func Filled(b []byte) bool {
	for _, c := range b {
		if c != Byte {
			return false
		}
	}
	return true
}
