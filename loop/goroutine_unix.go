//go:build unix

package loop

import (
	"errors"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// connOf turns a raw descriptor into a net.Conn, which then owns the socket.
// On error fd is still the caller's.
func connOf(fd int) (net.Conn, error) {
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	f := os.NewFile(uintptr(dup), "socket")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	return c, os.NewSyscallError("close", unix.Close(fd))
}

// goWatch is what a watch has in the goroutine backend: a goroutine that sits
// in poll(2) and a pipe that gets it out of there.
type goWatch struct {
	poke  *os.File      // a byte: look at want again; closed: end
	taken chan struct{} // capacity 1: the callback has run

	mu   sync.Mutex
	want Events // guarded by mu
}

func (b *goroutineBackend) addWatch(w *Watch) error {
	if fi, err := statFD(w.fd); err != nil {
		return err
	} else if fi&unix.S_IFMT == unix.S_IFREG {
		return errors.New("it is a regular file, which is always ready; read it directly")
	}
	r, p, err := os.Pipe()
	if err != nil {
		return err
	}
	g := &goWatch{poke: p, taken: make(chan struct{}, 1), want: w.want}
	w.impl = g
	fd, slot, gen := w.fd, w.slot, w.gen
	b.wg.Go(func() {
		defer r.Close()
		g.watch(fd, int(r.Fd()), func(got Events) bool {
			b.arrive(arrival{slot, gen, func() {
				w.fn(got)
				if w.open {
					g.taken <- struct{}{}
				}
			}})
			_, more := <-g.taken
			return more
		})
	})
	return nil
}

func statFD(fd int) (mode uint32, err error) {
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	return uint32(st.Mode), err
}

// watch calls ready, which waits for the loop, each time fd is ready, until
// ready returns false or the pipe is closed.
func (g *goWatch) watch(fd, pipe int, ready func(Events) bool) {
	for {
		g.mu.Lock()
		want := g.want
		g.mu.Unlock()
		fds := []unix.PollFd{{Fd: int32(fd), Events: pollMask(want)}, {Fd: int32(pipe), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			return
		}
		if fds[1].Revents&unix.POLLIN != 0 {
			var b [16]byte
			_, _ = unix.Read(pipe, b[:])
			continue
		}
		if fds[1].Revents != 0 {
			return
		}
		if got := pollEvents(fds[0].Revents); got != 0 && !ready(got) {
			return
		}
	}
}

func (b *goroutineBackend) setWatch(w *Watch) error {
	g := w.impl.(*goWatch)
	g.mu.Lock()
	g.want = w.want
	g.mu.Unlock()
	_, err := g.poke.Write([]byte{0})
	return err
}

func (b *goroutineBackend) removeWatch(w *Watch) {
	g := w.impl.(*goWatch)
	close(g.taken)
	_ = g.poke.Close()
}

func pollMask(want Events) (m int16) {
	if want&Readable != 0 {
		m |= unix.POLLIN
	}
	if want&Writable != 0 {
		m |= unix.POLLOUT
	}
	return m
}

func pollEvents(m int16) (e Events) {
	if m&unix.POLLIN != 0 {
		e |= Readable
	}
	if m&unix.POLLOUT != 0 {
		e |= Writable
	}
	if m&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0 {
		e |= HangUp
	}
	return e
}
