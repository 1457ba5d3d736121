//go:build !jaylate

package late

// On reports whether backends complete late.
const On = false
