package sys

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// NewWaker opens an eventfd: a descriptor that turns readable when another
// thread calls Signal. Registered edge-triggered it needs no reading back.
func NewWaker() (int, error) {
	return unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
}

// Signal makes a waker readable. Any thread may call it.
func Signal(fd int) error {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	for {
		switch _, err := unix.Write(fd, one[:]); err {
		case unix.EINTR: // nothing was written
		case unix.EAGAIN:
			return nil // the counter is full, so it is readable already
		default:
			return err
		}
	}
}
