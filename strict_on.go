//go:build race || jaypoison || jaylate

package jay

// strict has a bug of ours panic, in builds for tests.
const strict = true
