package loop

import (
	"errors"
	"net"
	"net/netip"
)

// Packet is one datagram.
type Packet struct {
	B    []byte
	Peer netip.AddrPort // whom it came from, or is to go to
}

// PacketHandler gets the completions of one [Packets]. As with a [StreamHandler]
// those that are under way come after the call that stops their kind.
type PacketHandler interface {
	// Arrived hands over a batch of packets, in the order in which they arrived. The
	// batch and what is in it are valid until Arrived returns. An err comes without
	// packets and says what the socket has heard, such as that a packet found nobody;
	// receiving goes on. Any number of calls may follow StopRecv, none follows Close.
	Arrived(batch []Packet, err error)
	// Departed ends the pending Send: n more packets of its batch are gone, all of it
	// is the caller's again, and the next Send may come. An err is that of
	// the packet behind them. It comes after Close, too: see there.
	Departed(n int, err error)
}

// PacketSocket is one socket of datagrams. A backend uses the form it knows, as of a
// [ListenSocket].
type PacketSocket struct {
	FD int // non-blocking; -1 where there are no raw descriptors
	// Conn returns a connection that the backend closes; the socket that it was
	// made of stays open.
	Conn func() (net.PacketConn, error)
}

// Packets is the loop's side of one socket of datagrams.
type Packets struct {
	loop *Loop
	h    PacketHandler
	impl any
	slot uint32
	gen  uint32
	fd   int
	recv bool // receiving is wanted
	send bool // a Send is pending
	open bool
}

// Packets registers a socket of datagrams; nothing is received before StartRecv. The
// loop never closes the socket itself: it belongs to whoever opened it.
func (l *Loop) Packets(sock PacketSocket, h PacketHandler) (*Packets, error) {
	p := &Packets{loop: l, h: h, fd: sock.FD, open: true}
	p.slot, p.gen = l.slots.add(p)
	if err := l.be.addPackets(p, sock); err != nil {
		l.slots.remove(p.slot)
		return nil, err
	}
	return p, nil
}

// StartRecv asks for Arrived until StopRecv. What is not received waits in the kernel,
// which drops what it has no room for.
func (p *Packets) StartRecv() { p.setRecv(true) }

// StopRecv ends the receiving, behind what is under way.
func (p *Packets) StopRecv() { p.setRecv(false) }

func (p *Packets) setRecv(on bool) {
	if p.open && p.recv != on {
		p.recv = on
		p.loop.be.recvPackets(p)
	}
}

// Send sends a batch in order, each packet whole, and returns how many were taken at
// once. With an error, which is that of the packet behind them, none of the others
// was; the caller may go on behind it. Otherwise, when that is not all, Departed
// follows: until then the bytes of the packets belong to the backend and must not
// change, also if p is closed meanwhile, and Send must not be called again. The slice
// itself is the caller's when Send returns.
func (p *Packets) Send(batch []Packet) (int, error) {
	switch {
	case !p.open:
		return 0, net.ErrClosed
	case p.send:
		return 0, errors.New("send packets: a Send is pending; wait for Departed")
	case len(batch) == 0:
		return 0, nil
	}
	return p.loop.be.sendPackets(p, batch)
}

// Sending tells whether a Departed is still to come.
func (p *Packets) Sending() bool { return p.send }

// Close ends the registration. Nothing more is received. If Sending reports true
// after it a last completion follows: Departed. Unless the loop ends before.
func (p *Packets) Close() {
	if p.open {
		p.open, p.recv = false, false
		p.loop.be.closePackets(p)
		if !p.send {
			p.loop.slots.remove(p.slot)
		}
	}
}

// arrived and departed are the backend's calls.
func (p *Packets) arrived(batch []Packet, err error) {
	if p.open {
		p.h.Arrived(batch, err)
	}
}

func (p *Packets) departed(n int, err error) {
	p.send = false
	if !p.open {
		p.loop.slots.remove(p.slot)
	}
	p.h.Departed(n, err)
}
