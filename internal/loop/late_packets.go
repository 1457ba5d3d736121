//go:build jaylate

package loop

import (
	"net"
	"slices"

	"github.com/jay-go/jay/internal/poison"
)

// latePackets stands between a socket of datagrams and the backend below, as
// lateStream does for a stream.
type latePackets struct {
	Packets
	b     *lateBackend
	outer *Packets

	came []lateArrived // and was not handed over
	out  []Packet      // of the outer's Send
	sum  uint64        // of their bytes
	n    int           // of them that are gone
}

type lateArrived struct {
	batch []Packet
	err   error
}

func latePacketsOf(p *Packets) *latePackets {
	lp, _ := p.impl.(*latePackets)
	return lp
}

func (b *lateBackend) addPackets(p *Packets, sock PacketSocket) error {
	lp := &latePackets{b: b, outer: p, Packets: Packets{loop: b.l, fd: sock.FD, open: true}}
	lp.h = lp
	lp.slot, lp.gen = b.l.slots.add(&lp.Packets)
	if err := b.backend.addPackets(&lp.Packets, sock); err != nil {
		b.l.slots.remove(lp.slot)
		return err
	}
	p.impl = lp
	return nil
}

func (lp *latePackets) later(run func()) { lp.b.later(lp.outer.slot, lp.outer.gen, run) }

func (b *lateBackend) recvPackets(p *Packets) {
	lp := latePacketsOf(p)
	switch {
	case lp == nil:
		b.backend.recvPackets(p)
	case p.recv:
		lp.StartRecv()
	default:
		lp.later(func() { lp.setRecv(p.recv) })
	}
}

func (lp *latePackets) Arrived(batch []Packet, err error) {
	batch = slices.Clone(batch)
	for i := range batch {
		batch[i].B = slices.Clone(batch[i].B)
	}
	lp.came = append(lp.came, lateArrived{batch, err})
	lp.later(lp.handOver)
}

func (lp *latePackets) handOver() {
	a := lp.came[0]
	lp.came = lp.came[1:]
	defer func() {
		for _, p := range a.batch {
			for i := range p.B {
				p.B[i] = poison.Byte
			}
		}
	}()
	lp.outer.arrived(a.batch, a.err)
}

func (lp *latePackets) sumOf() uint64 {
	var bufs [][]byte
	for _, p := range lp.out {
		bufs = append(bufs, p.B)
	}
	return lp.b.sum(bufs)
}

func (b *lateBackend) sendPackets(p *Packets, batch []Packet) (int, error) {
	lp := latePacketsOf(p)
	if lp == nil {
		return b.backend.sendPackets(p, batch)
	}
	p.send = true
	lp.out = slices.Clone(batch)
	lp.sum = lp.sumOf()
	lp.later(lp.sendPart)
	return 0, nil
}

func (lp *latePackets) sendPart() {
	if !lp.open {
		lp.complete(net.ErrClosed)
		return
	}
	n, err := lp.Send(lp.out[:1+lp.b.rand.IntN(len(lp.out))])
	if lp.n = n; err != nil || !lp.Sending() {
		lp.completeLater(err)
	}
}

func (lp *latePackets) Departed(n int, err error) {
	lp.n += n
	lp.completeLater(err)
}

func (lp *latePackets) completeLater(err error) { lp.later(func() { lp.complete(err) }) }

func (lp *latePackets) complete(err error) {
	if lp.sumOf() != lp.sum {
		lateFault("late: the packets of a pending Send have changed")
	}
	n := lp.n
	lp.out, lp.n = nil, 0
	lp.outer.departed(n, err)
}

func (b *lateBackend) closePackets(p *Packets) {
	lp := latePacketsOf(p)
	if lp == nil {
		b.backend.closePackets(p)
		return
	}
	blocked := lp.Sending()
	lp.Close()
	if blocked && !lp.Sending() {
		lp.completeLater(net.ErrClosed)
	}
}
