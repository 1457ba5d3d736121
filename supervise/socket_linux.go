package supervise

import (
	"net"
	"os"
	"sync"

	"github.com/jay-go/jay/internal/addr"
	"github.com/jay-go/jay/internal/sys"
)

// handle owns one raw descriptor. Any goroutine may use it.
type handle struct {
	mu    sync.Mutex
	n     int        // guarded by mu; -1 once closed
	path  string     // of a Unix socket that is removed at close; "" otherwise
	inode sys.FileID // of path
}

// newHandle takes over a descriptor that somebody else opened.
func newHandle(fd int) *handle { return &handle{n: fd} }

func openHandle(a addr.Addr, backlog int, reusePort bool) (*handle, string, error) {
	network, address := a.Network()
	if network == "unix" {
		if err := sys.UnlinkStale(address); err != nil {
			return nil, "", err
		}
	}
	fd, err := sys.ListenSocket(network, address, sys.ListenOptions{Backlog: backlog, ReusePort: reusePort, Mode: 0o660, UID: -1, GID: -1})
	if err != nil {
		return nil, "", err
	}
	bound, err := sys.BoundAddr(fd)
	if err != nil {
		sys.Close(fd)
		return nil, "", err
	}
	h := newHandle(fd)
	if network == "unix" {
		h.path, h.inode = address, sys.FileAt(address)
	}
	return h, bound, nil
}

func (h *handle) fd() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.n
}

// queued is how many connections wait to be accepted, where that is known.
func (h *handle) queued() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.n < 0 {
		return 0
	}
	waiting, _ := sys.AcceptQueue(h.n)
	return waiting
}

func (h *handle) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.n < 0 {
		return net.ErrClosed
	}
	fd := h.n
	h.n = -1
	if h.path != "" {
		_ = sys.RemoveFile(h.path, h.inode) // what cannot be removed is stale, which the next start sees
	}
	return sys.Close(fd)
}

// file returns the descriptor's duplicate in a file for package net, which
// duplicates it once more. Both are non-blocking, as they share their mode
// with every other holder, and nobody gets to see them.
func (h *handle) file() (*os.File, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.n < 0 {
		return nil, net.ErrClosed
	}
	fd, err := sys.DupFD(h.n)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "socket"), nil
}

func (h *handle) listener() (net.Listener, error) {
	f, err := h.file()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return net.FileListener(f)
}

func (h *handle) packetConn() (net.PacketConn, error) {
	f, err := h.file()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return net.FilePacketConn(f)
}
