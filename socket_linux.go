package jay

import (
	"syscall"

	"github.com/jay-go/jay/internal/sys"
)

// tuneListener switches Nagle's algorithm off and keep-alive probes on, for all
// connections that will be accepted: they inherit both.
func tuneListener(fd int, from *origin) {
	if fd >= 0 && !from.unix {
		_ = sys.TuneTCP(fd)
	}
}

func closeFD(fd int) { _ = sys.CloseSocket(fd) }

// maxDescriptors returns how many descriptors the process may have, 0 when
// there is no telling.
func maxDescriptors() int {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		return 0
	}
	return int(min(lim.Cur, 1<<30))
}
