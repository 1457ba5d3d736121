package supervise

import (
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/jay-go/jay/internal/sys"
)

// controlListener accepts on the control socket also when this process, or the
// machine, is out of descriptors: it keeps one in reserve for that, so that a
// service in trouble can still be asked, and stopped.
type controlListener struct {
	net.Listener
	f      *os.File // the same socket, to wait on
	closed chan struct{}
	close  sync.Once

	mu    sync.Mutex
	spare int // guarded by mu; -1 while a connection has its place, or there was none to be had
}

// The pauses between tries to accept while there is no descriptor.
const (
	controlPauseFirst = 5 * time.Millisecond
	controlPauseMost  = 500 * time.Millisecond
)

// newControlListener listens on duplicates of a descriptor.
func newControlListener(fd int) (*controlListener, error) {
	dup, err := sys.DupFD(fd)
	if err != nil {
		return nil, err
	}
	l := &controlListener{f: os.NewFile(uintptr(dup), controlName), closed: make(chan struct{}), spare: -1}
	if l.Listener, err = net.FileListener(l.f); err != nil {
		l.f.Close()
		return nil, err
	}
	l.keepSpare()
	return l, nil
}

// Accept waits for a connection. Its only error is that of a closed listener.
func (l *controlListener) Accept() (net.Conn, error) {
	for pause := controlPauseFirst; ; pause = min(2*pause, controlPauseMost) {
		// The kernel looks for a descriptor before it looks for a connection.
		if err := l.await(); err != nil {
			return nil, net.ErrClosed
		}
		c, err := l.Listener.Accept()
		if err != nil && outOfDescriptors(err) && l.useSpare() {
			if c, err = l.Listener.Accept(); err != nil {
				l.keepSpare()
			}
		}
		if err == nil {
			return &controlConn{UnixConn: c.(*net.UnixConn), l: l}, nil
		}
		select {
		case <-time.After(pause):
		case <-l.closed:
			return nil, net.ErrClosed
		}
	}
}

// await waits until somebody wants to connect.
func (l *controlListener) await() error {
	raw, err := l.f.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Read(func(fd uintptr) bool { return sys.Readable(int(fd)) })
}

// Close ends Accept, and the use of the descriptors. A second call does nothing.
func (l *controlListener) Close() error {
	l.close.Do(func() {
		close(l.closed)
		l.f.Close()
		l.Listener.Close()
		l.useSpare()
	})
	return nil
}

// useSpare gives up the reserve, if it is there.
func (l *controlListener) useSpare() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.spare < 0 {
		return false
	}
	sys.Close(l.spare)
	l.spare = -1
	return true
}

// keepSpare makes sure of the reserve as far as that is possible.
func (l *controlListener) keepSpare() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.closed:
		return
	default:
	}
	if l.spare < 0 {
		if fd, err := syscall.Open(os.DevNull, syscall.O_RDONLY|syscall.O_CLOEXEC, 0); err == nil {
			l.spare = fd
		}
	}
}

// controlConn is a connection that may have the place of the reserve.
type controlConn struct {
	*net.UnixConn
	l *controlListener
}

func (c *controlConn) Close() error {
	err := c.UnixConn.Close()
	c.l.keepSpare()
	return err
}

func outOfDescriptors(err error) bool {
	return isErrno(err, syscall.EMFILE) || isErrno(err, syscall.ENFILE)
}
