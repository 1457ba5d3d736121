package supervise

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// acceptedWait bounds how long a drain waits for the server to begin with the
// connections that Accept has given it.
const acceptedWait = 500 * time.Millisecond

// workerListener leaves new connections to the other workers before the server
// is told to drain. A server that is told to stop may close a connection that
// it has accepted and not yet looked at, as gRPC's GracefulStop does; so the
// drain waits until each was used.
type workerListener struct {
	net.Listener
	socket Socket
	forget func(*workerListener) // called at Close
	done   chan struct{}
	close  func() error // once; closes done

	mu      sync.Mutex
	paused  bool      // guarded by mu
	pending countdown // guarded by mu; calls of Accept under way, and connections that nobody has used
}

func newWorkerListener(ln net.Listener, s Socket, forget func(*workerListener)) *workerListener {
	l := &workerListener{Listener: ln, socket: s, forget: forget, done: make(chan struct{})}
	l.close = sync.OnceValue(func() error {
		defer close(l.done)
		return ln.Close()
	})
	return l
}

// Accept waits for a connection. Once the worker drains, it only waits for
// Close.
func (l *workerListener) Accept() (net.Conn, error) {
	if !l.begin() {
		<-l.done
		return l.Listener.Accept() // says that it is closed
	}
	c, err := l.Listener.Accept()
	if err == nil {
		return &acceptedConn{Conn: c, use: sync.OnceFunc(func() { l.end() })}, nil
	}
	if paused := l.end(); paused || errors.Is(err, syscall.EINVAL) { // it ends, and its queue is empty
		<-l.done
		return l.Listener.Accept()
	}
	return nil, err
}

// begin counts a call of Accept, unless there may be none.
func (l *workerListener) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.paused {
		l.pending.add(1)
	}
	return !l.paused
}

func (l *workerListener) end() (paused bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending.add(-1)
	return l.paused
}

// pause ends the calls of Accept. The channel is closed when all connections
// that they have returned were used.
func (l *workerListener) pause() (settled <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.paused = true
	if ln, ok := l.Listener.(interface{ SetDeadline(time.Time) error }); ok {
		_ = ln.SetDeadline(time.Unix(1, 0)) // fails only where it is closed, which ends Accept too
	}
	return l.pending.wait()
}

func (l *workerListener) Close() error {
	l.forget(l)
	return l.close()
}

// acceptedConn notes its first use.
type acceptedConn struct {
	net.Conn
	use func()
}

// NetConn is the connection underneath, a *net.TCPConn or a *net.UnixConn.
func (c *acceptedConn) NetConn() net.Conn {
	c.use()
	return c.Conn
}

func (c *acceptedConn) Read(b []byte) (int, error) {
	c.use()
	return c.Conn.Read(b)
}

func (c *acceptedConn) Write(b []byte) (int, error) {
	c.use()
	return c.Conn.Write(b)
}

// ReadFrom lets io.Copy use what the system has for files.
func (c *acceptedConn) ReadFrom(r io.Reader) (int64, error) {
	c.use()
	return io.Copy(c.Conn, r)
}

func (c *acceptedConn) Close() error {
	c.use()
	return c.Conn.Close()
}

// CloseWrite sends the end and leaves the other direction open.
func (c *acceptedConn) CloseWrite() error {
	c.use()
	return c.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

func (c *acceptedConn) SetDeadline(t time.Time) error {
	c.use()
	return c.Conn.SetDeadline(t)
}

func (c *acceptedConn) SetReadDeadline(t time.Time) error {
	c.use()
	return c.Conn.SetReadDeadline(t)
}

func (c *acceptedConn) SetWriteDeadline(t time.Time) error {
	c.use()
	return c.Conn.SetWriteDeadline(t)
}

// SyscallConn is for socket options.
func (c *acceptedConn) SyscallConn() (syscall.RawConn, error) {
	return c.Conn.(syscall.Conn).SyscallConn()
}
