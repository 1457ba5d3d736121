package sys

import (
	"net"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// MaxPackets is how many datagrams one call sends or receives.
const MaxPackets = 16

// maxPacket is more than a datagram has.
const maxPacket = 64 << 10

// PacketRing is the memory for one call of ReceivePackets or SendPackets.
type PacketRing struct {
	headers [MaxPackets]mmsghdr
	iovecs  [MaxPackets]unix.Iovec
	names   [MaxPackets]unix.RawSockaddrAny
	bufs    []byte
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	unix.Msghdr
	n uint32
}

func (r *PacketRing) set(i int, b []byte, nameLen uint32) {
	iov, h := &r.iovecs[i], &r.headers[i]
	*iov = unix.Iovec{Base: unsafe.SliceData(b)}
	iov.SetLen(len(b))
	*h = mmsghdr{Msghdr: unix.Msghdr{Name: (*byte)(unsafe.Pointer(&r.names[i])), Namelen: nameLen, Iov: iov}}
	h.SetIovlen(1)
}

// ReceivePackets takes up to MaxPackets datagrams that a non-blocking socket has,
// unix.EAGAIN when it has none.
func ReceivePackets(fd int, r *PacketRing) (n int, err error) {
	if r.bufs == nil {
		r.bufs = make([]byte, MaxPackets*maxPacket)
	}
	for i := range MaxPackets {
		r.set(i, r.bufs[i*maxPacket:(i+1)*maxPacket], unix.SizeofSockaddrAny)
	}
	return r.call(unix.SYS_RECVMMSG, fd, MaxPackets, unix.MSG_DONTWAIT)
}

// Received returns a datagram that ReceivePackets has taken: a view that is valid until
// the next call, and whom it came from.
func (r *PacketRing) Received(fd, i int) (b []byte, from netip.AddrPort) {
	n := min(int(r.headers[i].n), maxPacket)
	return r.bufs[i*maxPacket : i*maxPacket+n : i*maxPacket+n], addrPort(fd, &r.names[i])
}

// Put makes b the datagram i of the next SendPackets. The socket is one of IPv6 if
// six.
func (r *PacketRing) Put(i int, b []byte, to netip.AddrPort, six bool) {
	port := ntohs(to.Port()) // which is its own opposite
	if !six && to.Addr().Unmap().Is4() {
		*(*unix.RawSockaddrInet4)(unsafe.Pointer(&r.names[i])) = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: port, Addr: to.Addr().Unmap().As4()}
		r.set(i, b, unix.SizeofSockaddrInet4)
		return
	}
	*(*unix.RawSockaddrInet6)(unsafe.Pointer(&r.names[i])) = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: port, Addr: to.Addr().As16(), Scope_id: scope(to.Addr().Zone())}
	r.set(i, b, unix.SizeofSockaddrInet6)
}

// scope is the opposite of zone.
func scope(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if ifi, err := net.InterfaceByName(zone); err == nil {
		return uint32(ifi.Index)
	}
	n, _ := strconv.ParseUint(zone, 10, 32)
	return uint32(n)
}

// SendPackets sends the first n datagrams that were Put, and returns how many were
// taken: an error is that of the first, and none was.
func SendPackets(fd int, r *PacketRing, n int) (int, error) {
	sent, err := r.call(unix.SYS_SENDMMSG, fd, n, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	clear(r.iovecs[:n]) // they are the caller's
	return sent, err
}

func (r *PacketRing) call(number uintptr, fd, n, flags int) (int, error) {
	for {
		k, _, e := unix.RawSyscall6(number, uintptr(fd), uintptr(unsafe.Pointer(&r.headers)), uintptr(n), uintptr(flags), 0, 0)
		switch e {
		case 0:
			return int(k), nil
		case unix.EINTR:
		default:
			return 0, e
		}
	}
}

// IsIPv6 reports whether a socket is one of IPv6.
func IsIPv6(fd int) bool {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	return err == nil && domain == unix.AF_INET6
}
