//go:build unix

package jay_test

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay"
)

// A cell is a connection, or a Pipe, in a state in which nothing can move.
type cell struct {
	network string // of the client, and of what the Pipe leads to
	pipe    string // "", "copying", "spliced"
	paused  bool   // reading
	stuck   bool   // the client does not read what is sent to it
	client  string // what it does in the end: "", "FIN", "reset", "FIN and reset"
	far     string // what the Pipe's other end does before that
}

func (c cell) String() string {
	return fmt.Sprintf("%s pipe=%q paused=%v stuck=%v client=%q far=%q", c.network, c.pipe, c.paused, c.stuck, c.client, c.far)
}

// cells are all of them; a Unix socket cannot be reset but by closing it with
// bytes unread.
func cells() (all []cell) {
	leaves := []string{"", "FIN", "reset", "FIN and reset"}
	for _, network := range []string{"tcp", "unix"} {
		for _, pipe := range []string{"", "copying", "spliced"} {
			for _, paused := range []bool{false, true} {
				for _, stuck := range []bool{false, true} {
					for _, client := range leaves {
						if pipe == "" {
							all = append(all, cell{network, pipe, paused, stuck, client, ""})
							continue
						}
						for _, far := range leaves {
							all = append(all, cell{network, pipe, paused, stuck, client, far})
						}
					}
				}
			}
		}
	}
	return all
}

// resting is a server whose connections are brought into the states of cells.
type resting struct {
	*testing.T
	worker   *jay.Worker
	accepted chan *jay.Conn
	addrs    map[string]string
	far      map[string]net.Listener
	peers    []net.Conn // for the end
}

func newResting(t *testing.T, backend string) *resting {
	r := &resting{T: t, accepted: make(chan *jay.Conn, 1), addrs: map[string]string{}, far: map[string]net.Listener{}}
	dir := t.TempDir()
	s := &jay.Server{
		Protocol: every(sink{}), Addr: "tcp://127.0.0.1:0", Endpoints: []jay.Endpoint{{Addr: "unix://" + filepath.Join(dir, "near")}},
		Conn: jay.ConnConfig{IdleTimeout: -1, WriteTimeout: -1, CloseTimeout: -1}, MaxBuffered: -1, StopTimeout: time.Second,
		Loops: 1, OnWorkerStart: func(w *jay.Worker) error { r.worker = w; return nil },
		OnConnect: func(c *jay.Conn) {
			if c.FD() >= 0 { // or what is stuck takes megabytes of the kernel
				_ = syscall.SetsockoptInt(c.FD(), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 8<<10)
			}
			r.accepted <- c
		},
	}
	r.addrs["tcp"] = serve(t, s, backend)
	r.addrs["unix"] = filepath.Join(dir, "near")
	for network, addr := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(dir, "far")} {
		ln, err := net.Listen(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
		r.far[network] = ln
	}
	return r
}

// on runs fn on the loop.
func (r *resting) on(fn func()) {
	r.Helper()
	done := make(chan bool, 1)
	r.worker.Loop().Post(func() { fn(); done <- true })
	receive(r.T, done, "a turn")
}

// placed is a cell that is being built.
type placed struct {
	cell
	client, far net.Conn
	near, up    *jay.Conn // up and far are nil without a Pipe
}

// build brings connections and Pipes into the states of all cells.
func (r *resting) build() {
	r.Helper()
	var all []*placed
	for _, c := range cells() {
		if c.pipe == "spliced" && r.worker.Inner().Backend() != "epoll" {
			continue
		}
		p := &placed{cell: c, client: dialOn(r.T, c.network, r.addrs[c.network])}
		p.near = receive(r.T, r.accepted, "the connection")
		r.small(p.client)
		if c.pipe != "" {
			r.join(p)
		}
		all = append(all, p)
	}
	var feeding sync.WaitGroup
	for _, p := range all {
		if p.stuck {
			feeding.Go(func() { r.feed(p) })
		}
	}
	feeding.Wait()
	r.on(func() {
		for _, p := range all {
			if p.paused {
				p.near.PauseRead()
			}
			if p.paused && p.up != nil {
				p.up.PauseRead()
			}
		}
	})
	for _, p := range all {
		if p.far != nil {
			r.leave(p.far, p.cell.far)
		}
	}
	r.on(func() {})
	for _, p := range all {
		r.leave(p.client, p.cell.client)
	}
}

// feed sends to the client until nothing more is taken.
func (r *resting) feed(p *placed) {
	if p.far == nil {
		p.near.Ref().Do(func(c *jay.Conn) { c.Write(make([]byte, 4<<20)) })
		return
	}
	block := make([]byte, 1<<20)
	for idle := 0; idle < 3; idle++ {
		_ = p.far.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		if n, _ := p.far.Write(block); n > 0 {
			idle = 0
		}
	}
}

// small keeps the kernel from buffering much.
func (r *resting) small(c net.Conn) {
	b := c.(interface {
		SetReadBuffer(int) error
		SetWriteBuffer(int) error
	})
	if err := errors.Join(b.SetReadBuffer(8<<10), b.SetWriteBuffer(8<<10)); err != nil {
		r.Error(err)
	}
	r.peers = append(r.peers, c)
}

// join pipes a cell's connection to one of the test's.
func (r *resting) join(p *placed) {
	r.Helper()
	done := make(chan error, 1)
	ln := r.far[p.network]
	r.on(func() {
		jay.Dialer{}.Dial(r.worker, p.network+"://"+ln.Addr().String(), every(sink{}), func(up *jay.Conn, err error) {
			if p.up = up; err == nil {
				if p.pipe == "copying" {
					p.near.SetLayer(identity{})
				}
				jay.Pipe(p.near, up)
			}
			done <- err
		})
	})
	far, err := ln.Accept()
	if err != nil {
		r.Fatal(err)
	}
	if err := receive(r.T, done, "Dial"); err != nil {
		r.Fatal(err)
	}
	p.far = far
	r.small(far)
}

func (r *resting) leave(peer net.Conn, how string) {
	if how == "FIN" || how == "FIN and reset" {
		_ = peer.(interface{ CloseWrite() error }).CloseWrite()
		r.on(func() {})
	}
	if how == "reset" || how == "FIN and reset" {
		if tcp, ok := peer.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = peer.Close()
	}
}

// TestNothingSpins brings connections and Pipes into every combination of
// reading, sending, and what their peers have done, all at once, and then
// expects that both loops, and this whole process, stand still.
func TestNothingSpins(t *testing.T) {
	var loops []*resting
	for _, backend := range backends {
		loops = append(loops, newResting(t, backend))
	}
	for _, r := range loops {
		r.build()
	}
	const stretch = time.Second
	for try := 1; ; try++ {
		before := used(t)
		var turns []uint64
		for _, r := range loops {
			r.on(func() { turns = append(turns, r.worker.Inner().Turns()) })
		}
		time.Sleep(stretch)
		spent, still := used(t)-before, true
		for i, r := range loops {
			r.on(func() { turns[i] = r.worker.Inner().Turns() - turns[i] })
			still = still && turns[i] < 20
		}
		if still && spent < stretch/20 {
			break
		}
		if try == 8 { // what was under way has had its time
			t.Errorf("in %v the process took %v of processor time, and the loops %v made %d turns", stretch, spent, backends, turns)
			break
		}
	}
	for _, r := range loops {
		for _, c := range r.peers {
			r.leave(c, "reset")
		}
	}
}

// used is the processor time that the process has taken.
func used(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
