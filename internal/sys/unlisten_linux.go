package sys

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// RefuseNew lets no new connection into the queue of a listening socket, for
// every process that has it; those in the queue can still be accepted. A client
// of a TCP socket waits meanwhile: it is refused when EndListening follows, and
// comes in when AdmitNew does. A client of a Unix socket is refused at once, for
// good, and accepting returns EINVAL when the queue is empty.
func RefuseNew(fd int) error {
	network, err := BoundNetwork(fd)
	switch {
	case err != nil:
		return err
	case network == "unix":
		return os.NewSyscallError("shutdown", unix.Shutdown(fd, unix.SHUT_RD))
	case network != "tcp":
		return nil
	}
	noSYN := []unix.SockFilter{ // what begins a connection is dropped; what is half-way may come to its end
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 13},            // the flags of the TCP header
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: 0x02, Jf: 1}, // SYN
		{Code: unix.BPF_RET | unix.BPF_K},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},
	}
	drop := unix.SockFprog{Len: uint16(len(noSYN)), Filter: &noSYN[0]}
	return os.NewSyscallError("setsockopt SO_ATTACH_FILTER", unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &drop))
}

// AdmitNew undoes RefuseNew of a TCP socket.
func AdmitNew(fd int) error {
	network, err := BoundNetwork(fd)
	switch {
	case err != nil:
		return err
	case network == "unix":
		return os.NewSyscallError("listen", unix.EINVAL)
	case network != "tcp":
		return nil
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0)
	if errors.Is(err, unix.ENOENT) { // there was none
		return nil
	}
	return os.NewSyscallError("setsockopt SO_DETACH_FILTER", err)
}

// EndListening refuses from now on whoever connects to a listening socket, also
// while other processes have it. Who waits in its queue is disconnected.
func EndListening(fd int) error {
	if network, err := BoundNetwork(fd); err != nil || network != "tcp" && network != "unix" {
		return err
	}
	err := unix.Shutdown(fd, unix.SHUT_RD)
	if errors.Is(err, unix.ENOTCONN) { // it does not listen
		return nil
	}
	return os.NewSyscallError("shutdown", err)
}
