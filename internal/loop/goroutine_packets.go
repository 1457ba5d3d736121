package loop

import (
	"errors"
	"net"
	"net/netip"

	"github.com/jay-go/jay/internal/poison"
)

// goPackets is what a socket of datagrams has here. Its goroutine reads one packet,
// then waits until the loop has taken it.
type goPackets struct {
	conn  net.PacketConn
	taken chan struct{} // capacity 1: the goroutine may go on; closed: it must end
	held  bool          // the loop owes it a step: receiving was off

	// Written by the goroutine before it hands over, then by the loop.
	packet [1]Packet
	err    error
}

func (b *goroutineBackend) addPackets(p *Packets, sock PacketSocket) error {
	if sock.Conn == nil {
		return errors.New("the goroutine backend needs a net.PacketConn")
	}
	conn, err := sock.Conn()
	if err != nil {
		return err
	}
	g := &goPackets{conn: conn, taken: make(chan struct{}, 1)}
	p.impl = g
	slot, gen := p.slot, p.gen
	b.wg.Go(func() {
		for buf := make([]byte, 64<<10); ; {
			n, from, err := conn.ReadFrom(buf)
			g.packet[0], g.err = Packet{buf[:n], netip.AddrPort{}}, err
			if from, ok := from.(*net.UDPAddr); ok {
				g.packet[0].Peer = from.AddrPort()
				g.packet[0].Peer = netip.AddrPortFrom(g.packet[0].Peer.Addr().Unmap(), g.packet[0].Peer.Port())
			}
			b.arrive(arrival{slot, gen, func() { b.packetArrived(p, g) }})
			if _, more := <-g.taken; !more {
				return
			}
		}
	})
	return nil
}

func (b *goroutineBackend) packetArrived(p *Packets, g *goPackets) {
	switch {
	case !p.open:
	case !p.recv:
		g.held = true
	case g.err != nil:
		err := g.err
		g.err = nil
		g.taken <- struct{}{}
		p.arrived(nil, err)
	default:
		defer func() { // also when it panics
			poison.Fill(g.packet[0].B)
			if p.open {
				g.taken <- struct{}{}
			}
		}()
		p.arrived(g.packet[:], nil)
	}
}

func (b *goroutineBackend) recvPackets(p *Packets) {
	if g := p.impl.(*goPackets); p.recv && g.held {
		g.held = false
		b.arrive(arrival{p.slot, p.gen, func() { b.packetArrived(p, g) }})
	}
}

// sendPackets sends on a goroutine of its own.
func (b *goroutineBackend) sendPackets(p *Packets, batch []Packet) (int, error) {
	p.send = true
	g, slot, gen := p.impl.(*goPackets), p.slot, p.gen
	batch = append([]Packet(nil), batch...)
	b.wg.Go(func() {
		n, err := 0, error(nil)
		for n < len(batch) && err == nil {
			if _, err = g.conn.WriteTo(batch[n].B, net.UDPAddrFromAddrPort(batch[n].Peer)); err == nil {
				n++
			}
		}
		b.arrive(arrival{slot, gen, func() { p.departed(n, err) }})
	})
	return 0, nil
}

func (b *goroutineBackend) closePackets(p *Packets) {
	g := p.impl.(*goPackets)
	_ = g.conn.Close()
	close(g.taken)
}
