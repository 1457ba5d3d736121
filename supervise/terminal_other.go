//go:build !linux

package supervise

import "os"

// terminalSize is not known.
func terminalSize(*os.File) (rows, columns int) { return 0, 0 }
