//go:build unix

package loop

import (
	"net"
	"os"
	"sync"
	"syscall"

	"github.com/jay-go/jay/internal/sys"
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
	_ = unix.Close(fd) // its duplicate is open: nothing is lost
	return c, nil
}

// awaitPeer waits until the peer has finished, unless that is known already, or
// the connection has failed. It changes nothing about the answer when conn's
// read deadline is past, conn is closed, or has no descriptor to look at.
func awaitPeer(conn net.Conn, known bool) (finished bool, failure error) {
	finished = known
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return finished, nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return finished, nil
	}
	_ = raw.Read(func(fd uintptr) bool { // its error says that the wait is over
		finished, failure = sys.PeerEnded(int(fd))
		finished = finished || known
		return failure != nil || finished != known
	})
	return finished, os.NewSyscallError("read", failure)
}

// control calls fn with a connection's descriptor, if it has one.
func control(conn net.Conn, fn func(fd int)) {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return
	}
	if raw, err := sc.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { fn(int(fd)) })
	}
}

// goWatch is what a watch has in the goroutine backend: a goroutine that sits
// in poll(2) and a pipe that gets it out of there.
type goWatch struct {
	poke  *os.File      // a byte: look at want again; closed: end
	taken chan struct{} // capacity 1: the loop has taken got
	got   Events        // written by the goroutine before it hands over, then by the loop

	mu    sync.Mutex
	want  Events // guarded by mu
	poked bool   // guarded by mu; a byte is in the pipe, so that it never fills
}

func (b *goroutineBackend) addWatch(w *Watch) error {
	switch mode, err := modeOf(w.fd); {
	case err != nil:
		return os.NewSyscallError("fstat", err)
	case mode == unix.S_IFREG || mode == unix.S_IFDIR:
		return errAlwaysReady
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
			g.got = got
			b.arrive(arrival{slot, gen, func() { b.watched(w, g) }})
			_, more := <-g.taken
			return more
		})
	})
	return nil
}

// watched reports what is still wanted of what was seen, then lets the
// goroutine look again.
func (b *goroutineBackend) watched(w *Watch, g *goWatch) {
	got := g.got & (w.want | HangUp)
	g.got = 0
	if got == 0 {
		g.taken <- struct{}{}
		return
	}
	b.again()
	w.fn(got)
}

// modeOf returns the kind of file that fd is, as unix.S_IF*.
func modeOf(fd int) (kind uint32, err error) {
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	return uint32(st.Mode) & unix.S_IFMT, err
}

// watch calls ready, which waits for the loop, each time fd is ready, until
// ready returns false or the pipe is closed.
func (g *goWatch) watch(fd, pipe int, ready func(Events) bool) {
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: pollMask(g.wanted())}, {Fd: int32(pipe), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			return
		}
		if fds[1].Revents&unix.POLLIN != 0 {
			g.unpoke(pipe)
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

func (g *goWatch) wanted() Events {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.want
}

// unpoke takes the byte out of the pipe before it allows the next one, so
// that no change of want goes unseen.
func (g *goWatch) unpoke(pipe int) {
	var b [1]byte
	_, _ = unix.Read(pipe, b[:])
	g.mu.Lock()
	g.poked = false
	g.mu.Unlock()
}

func (b *goroutineBackend) setWatch(w *Watch) error {
	g := w.impl.(*goWatch)
	g.mu.Lock()
	poked := g.poked
	g.want, g.poked = w.want, true
	g.mu.Unlock()
	if poked {
		return nil
	}
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
