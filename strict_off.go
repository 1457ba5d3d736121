//go:build !race && !jaypoison && !jaylate

package jay

// strict: see strict_on.go.
const strict = false
