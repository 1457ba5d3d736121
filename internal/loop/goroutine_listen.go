package loop

import (
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
)

// goListener is what a listener has here. Its goroutine accepts one
// connection ahead.
type goListener struct {
	ln    net.Listener
	taken chan struct{} // capacity 1: the goroutine may go on; closed: it must end
	held  bool          // the loop owes it a step: accepting was off
	ahead atomic.Bool   // conn is not handed over yet

	// Written by the goroutine before it hands over, then by the loop, which
	// sets to nil what it has taken.
	conn net.Conn
	err  error
}

func (b *goroutineBackend) addListener(ln *Listener, sock ListenSocket) error {
	if sock.Listener == nil {
		return errors.New("the goroutine backend needs a net.Listener")
	}
	nl, err := sock.Listener()
	if err != nil {
		return err
	}
	g := &goListener{ln: nl, taken: make(chan struct{}, 1)}
	ln.impl = g
	slot, gen := ln.slot, ln.gen
	b.wg.Go(func() { b.accept(ln, g, slot, gen) })
	return nil
}

// accept ends when the listener is closed.
func (b *goroutineBackend) accept(ln *Listener, g *goListener, slot, gen uint32) {
	for {
		g.conn, g.err = g.ln.Accept()
		g.ahead.Store(g.conn != nil)
		b.arrive(arrival{slot, gen, func() { b.accepted(ln, g) }})
		if _, more := <-g.taken; !more {
			break
		}
	}
	b.arrive(arrival{slot, gen, func() { b.closed(ln, g) }})
}

func (b *goroutineBackend) accepted(ln *Listener, g *goListener) {
	switch err := g.err; {
	case !ln.open: // closed follows
	case !ln.on:
		g.held = true
	case g.conn != nil:
		b.again()
		b.handOver(ln, g)
	case err != nil:
		g.err = nil
		b.again()
		ln.h.AcceptFailed(err)
	default:
		g.taken <- struct{}{}
	}
}

func (b *goroutineBackend) handOver(ln *Listener, g *goListener) {
	c := g.conn
	g.conn = nil
	g.ahead.Store(false)
	ln.h.Accepted(Socket{FD: -1, Conn: c, Peer: peerOf(c)})
}

// closed comes when the goroutine has ended.
func (b *goroutineBackend) closed(ln *Listener, g *goListener) {
	if g.conn != nil {
		b.again()
		b.handOver(ln, g)
		return
	}
	delete(b.ending, g)
	ln.closed()
}

func peerOf(c net.Conn) netip.AddrPort {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		p := a.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	return netip.AddrPort{}
}

// startAccept forgets an error from before the pause: it may be over.
func (b *goroutineBackend) startAccept(ln *Listener) {
	if g := ln.impl.(*goListener); g.held {
		g.held, g.err = false, nil
		b.arrive(arrival{ln.slot, ln.gen, func() { b.accepted(ln, g) }})
	}
}

func (b *goroutineBackend) stopAccept(*Listener) {}

func (b *goroutineBackend) accepting(ln *Listener) bool { return ln.impl.(*goListener).ahead.Load() }

func (b *goroutineBackend) closeListener(ln *Listener, _ bool) {
	g := ln.impl.(*goListener)
	b.ending[g] = true
	_ = g.ln.Close()
	close(g.taken)
}
