package jay

import "github.com/jay-go/jay/internal/sys"

// tuneListener switches Nagle's algorithm off and keep-alive probes on, for all
// connections that will be accepted: they inherit both.
func tuneListener(fd int, via *endpoint) {
	if fd >= 0 && !via.unix {
		_ = sys.TuneTCP(fd)
	}
}

func closeFD(fd int) { _ = sys.Close(fd) }
