package sys

import (
	"net"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// LocalAddr returns the address of a socket on this side, PeerAddr that of its
// peer: as package net has them, but for an IPv4 address in IPv6 form, which is
// plain IPv4, and a Unix socket without a name, whose Name is empty.
func LocalAddr(fd int) (net.Addr, error) { return nameOf(fd, unix.SYS_GETSOCKNAME) }

// PeerAddr: see LocalAddr.
func PeerAddr(fd int) (net.Addr, error) { return nameOf(fd, unix.SYS_GETPEERNAME) }

func nameOf(fd int, call uintptr) (net.Addr, error) {
	var sa unix.RawSockaddrAny
	size := uint32(unix.SizeofSockaddrAny)
	_, _, e := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&size)))
	switch {
	case e != 0:
		return nil, e
	case sa.Addr.Family == unix.AF_UNIX:
		return &net.UnixAddr{Net: "unix", Name: unixName(&sa, int(size))}, nil
	}
	if a := addrPort(fd, &sa); a.IsValid() {
		return net.TCPAddrFromAddrPort(a), nil
	}
	return nil, unix.EAFNOSUPPORT
}

// unixName returns the path, or the abstract name behind an @.
func unixName(sa *unix.RawSockaddrAny, size int) string {
	path := (*unix.RawSockaddrUnix)(unsafe.Pointer(sa)).Path
	n := min(size-int(unsafe.Offsetof(unix.RawSockaddrUnix{}.Path)), len(path))
	name := make([]byte, 0, len(path))
	for i := range max(n, 0) {
		switch {
		case path[i] != 0:
			name = append(name, byte(path[i]))
		case i == 0:
			name = append(name, '@')
		default:
			return string(name)
		}
	}
	return string(name)
}

// addrPort returns an internet address that was got of the socket fd.
func addrPort(fd int, sa *unix.RawSockaddrAny) netip.AddrPort {
	switch sa.Addr.Family {
	case unix.AF_INET:
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), ntohs(in.Port))
	case unix.AF_INET6:
		in := (*unix.RawSockaddrInet6)(unsafe.Pointer(sa))
		ip := netip.AddrFrom16(in.Addr).Unmap()
		if in.Scope_id != 0 && ip.Is6() {
			ip = ip.WithZone(zone(fd, in.Scope_id))
		}
		return netip.AddrPortFrom(ip, ntohs(in.Port))
	}
	return netip.AddrPort{}
}

// zone returns the name of an interface, or its number if it has none any more.
func zone(fd int, index uint32) string {
	if ifr, err := unix.NewIfreq("-"); err == nil { // the name is the answer
		ifr.SetUint32(index)
		if unix.IoctlIfreq(fd, unix.SIOCGIFNAME, ifr) == nil {
			return ifr.Name()
		}
	}
	return strconv.FormatUint(uint64(index), 10)
}

func ntohs(v uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(&v))
	return uint16(b[0])<<8 | uint16(b[1])
}
