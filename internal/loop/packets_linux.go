package loop

import (
	"errors"
	"os"

	"github.com/jay-go/jay/internal/poison"
	"github.com/jay-go/jay/internal/sys"
	"golang.org/x/sys/unix"
)

// epollPackets is what a socket of datagrams has here beside its fields.
type epollPackets struct{ six bool }

func (b *epollBackend) addPackets(p *Packets, sock PacketSocket) error {
	if sock.FD < 0 {
		return errors.New("the epoll backend takes raw descriptors, not net.PacketConn")
	}
	if err := sys.SetNonblock(sock.FD); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	if b.in == nil {
		b.in, b.outPackets, b.batch = new(sys.PacketRing), new(sys.PacketRing), make([]Packet, sys.MaxPackets)
	}
	p.impl = epollPackets{sys.IsIPv6(sock.FD)}
	return os.NewSyscallError("epoll_ctl", b.ep.Add(sock.FD, 0, p.slot, p.gen))
}

func (b *epollBackend) recvPackets(p *Packets) { b.wantPackets(p) }

func (b *epollBackend) wantPackets(p *Packets) {
	mask := uint32(0)
	if p.recv {
		mask |= unix.EPOLLIN
	}
	if p.send {
		mask |= unix.EPOLLOUT
	}
	_ = b.ep.Mod(p.fd, mask, p.slot, p.gen)
}

func (b *epollBackend) packetsReady(p *Packets, ev uint32) {
	if p.send && ev&(unix.EPOLLOUT|unix.EPOLLERR) != 0 {
		p.send = false
		b.wantPackets(p)
		p.h.Departed(0, nil)
	}
	switch {
	case p.open && p.recv:
		b.receivePackets(p)
	case p.open && ev&unix.EPOLLERR != 0: // taking it ends the condition
		if err := sys.SocketError(p.fd); err != nil {
			p.arrived(nil, os.NewSyscallError("recvmmsg", err))
		}
	}
}

// receivePackets takes one batch; what it leaves is reported again.
func (b *epollBackend) receivePackets(p *Packets) {
	n, err := sys.ReceivePackets(p.fd, b.in)
	switch err {
	case nil:
	case unix.EAGAIN:
		return
	default:
		p.arrived(nil, os.NewSyscallError("recvmmsg", err))
		return
	}
	for i := range n {
		b.batch[i].B, b.batch[i].Peer = b.in.Received(p.fd, i)
	}
	p.arrived(b.batch[:n], nil)
	for i := range n {
		poison.Fill(b.batch[i].B)
	}
}

// sendPackets tries until the kernel takes no more: only then is it known why.
func (b *epollBackend) sendPackets(p *Packets, batch []Packet) (sent int, err error) {
	six := p.impl.(epollPackets).six
	for sent < len(batch) {
		part := batch[sent:min(sent+sys.MaxPackets, len(batch))]
		for i, k := range part {
			b.outPackets.Put(i, k.B, k.Peer, six)
		}
		n, err := sys.SendPackets(p.fd, b.outPackets, len(part))
		switch sent += n; err {
		case nil:
		case unix.EAGAIN:
			p.send = true
			b.wantPackets(p)
			return sent, nil
		default:
			return sent, os.NewSyscallError("sendmmsg", err)
		}
	}
	return sent, nil
}

func (b *epollBackend) closePackets(p *Packets) {
	p.send = false // the kernel has copied what it took
	_ = b.ep.Del(p.fd)
}
