package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Event is one entry of an epoll answer. Slot and Gen are the tag given to
// [Epoll.Add]; Mask holds unix.EPOLL* bits.
type Event = unix.EpollEvent

// Epoll is one epoll instance, its descriptor closed on exec.
type Epoll struct{ fd int }

// NewEpoll opens an epoll instance.
func NewEpoll() (*Epoll, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &Epoll{fd: fd}, nil
}

// Add registers fd, level-triggered unless mask says otherwise. Events for it
// carry slot in Fd and gen in Pad.
func (p *Epoll) Add(fd int, mask uint32, slot, gen uint32) error {
	return p.ctl(unix.EPOLL_CTL_ADD, fd, mask, slot, gen)
}

// Mod changes the mask of a registered fd.
func (p *Epoll) Mod(fd int, mask uint32, slot, gen uint32) error {
	return p.ctl(unix.EPOLL_CTL_MOD, fd, mask, slot, gen)
}

// Del removes fd. It must be called before fd is passed to another process:
// the registration belongs to the open file, not to the number.
func (p *Epoll) Del(fd int) error {
	return p.ctl(unix.EPOLL_CTL_DEL, fd, 0, 0, 0)
}

func (p *Epoll) ctl(op, fd int, mask uint32, slot, gen uint32) error {
	ev := Event{Events: mask, Fd: int32(slot), Pad: int32(gen)}
	_, _, e := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(p.fd), uintptr(op), uintptr(fd),
		uintptr(unsafe.Pointer(&ev)), 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

// Poll collects what is ready now, without telling the scheduler: it returns
// at once. Like Wait it reports nothing when interrupted.
func (p *Epoll) Poll(events []Event) (int, error) {
	n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&events[0])),
		uintptr(len(events)), 0, 0, 0)
	if e != 0 {
		return interrupted(e)
	}
	return int(n), nil
}

// Wait blocks at most msec milliseconds, for ever when negative. An
// interrupted wait reports nothing.
func (p *Epoll) Wait(events []Event, msec int) (int, error) {
	n, err := unix.EpollWait(p.fd, events, msec)
	if err != nil {
		return interrupted(err)
	}
	return n, nil
}

func interrupted(err error) (int, error) {
	if err == unix.EINTR {
		return 0, nil
	}
	return 0, err
}

// Close closes the instance.
func (p *Epoll) Close() error { return unix.Close(p.fd) }
