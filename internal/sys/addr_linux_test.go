package sys

import (
	"net"
	"strconv"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An address of one interface says of which: by name, or by number where there
// is no such interface.
func TestZone(t *testing.T) {
	lo, err := net.InterfaceByIndex(1)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	const nobody = 1 << 30
	for scope, want := range map[uint32]string{0: "[fe80::1]:80", 1: "[fe80::1%" + lo.Name + "]:80", nobody: "[fe80::1%" + strconv.Itoa(nobody) + "]:80"} {
		var sa unix.RawSockaddrAny
		in := (*unix.RawSockaddrInet6)(unsafe.Pointer(&sa))
		*in = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: ntohs(80), Addr: [16]byte{0xfe, 0x80, 15: 1}, Scope_id: scope}
		if got := addrPort(fd, &sa); got.String() != want {
			t.Errorf("scope %d: %v, want %s", scope, got, want)
		}
	}
}
