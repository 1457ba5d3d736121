//go:build jaylate

package loop

// CatchLateFaults has what would end the process told to fn, until restored.
func CatchLateFaults(fn func(what string)) (restore func()) {
	was := lateFault
	lateFault = fn
	return func() { lateFault = was }
}
