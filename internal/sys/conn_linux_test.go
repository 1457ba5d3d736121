package sys_test

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"testing"

	"github.com/jay-go/jay/internal/leak"
	"github.com/jay-go/jay/internal/sys"
	"golang.org/x/sys/unix"
)

func closeAll(t testing.TB, fds ...int) {
	for _, fd := range fds {
		if err := sys.Close(fd); err != nil {
			t.Errorf("close %d: %v", fd, err)
		}
	}
}

// listenOn opens a listening socket on a free port of sa's address.
func listenOn(t testing.TB, domain int, sa unix.Sockaddr) (fd int) {
	t.Helper()
	fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAll(t, fd) })
	if err := unix.Bind(fd, sa); err != nil {
		t.Skipf("bind: %v", err)
	}
	if err := unix.Listen(fd, 10); err != nil {
		t.Fatal(err)
	}
	return fd
}

// connect returns a blocking client of the listening socket fd.
func connect(t testing.TB, fd int) (client int, local unix.Sockaddr) {
	t.Helper()
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		t.Fatal(err)
	}
	if client, err = unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(client, sa); err != nil {
		t.Fatal(err)
	}
	if local, err = unix.Getsockname(client); err != nil {
		t.Fatal(err)
	}
	return client, local
}

func tcpPair(t testing.TB) (server, client int) {
	t.Helper()
	ln := listenOn(t, unix.AF_INET, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	client, _ = connect(t, ln)
	server, _, err := sys.Accept(ln)
	if err != nil {
		t.Fatal(err)
	}
	return server, client
}

func TestAcceptNamesThePeer(t *testing.T) {
	loopback6 := [16]byte{15: 1}
	for _, tt := range []struct {
		name   string
		domain int
		sa     unix.Sockaddr
	}{
		{"IPv4", unix.AF_INET, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}},
		{"IPv6", unix.AF_INET6, &unix.SockaddrInet6{Addr: loopback6}},
		{"Unix, unnamed", unix.AF_UNIX, &unix.SockaddrUnix{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leak.Check(t)
			ln := listenOn(t, tt.domain, tt.sa)
			if fd, _, err := sys.Accept(ln); err != unix.EAGAIN {
				t.Errorf("Accept with nobody there = %d, %v; want EAGAIN", fd, err)
			}
			client, local := connect(t, ln)
			defer closeAll(t, client)
			fd, peer, err := sys.Accept(ln)
			if err != nil {
				t.Fatal(err)
			}
			defer closeAll(t, fd)
			var want netip.AddrPort
			switch sa := local.(type) {
			case *unix.SockaddrInet4:
				want = netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
			case *unix.SockaddrInet6:
				want = netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
			}
			if peer != want {
				t.Errorf("peer %v, want %v", peer, want)
			}
			for _, ask := range []func() (net.Addr, error){
				func() (net.Addr, error) { return sys.LocalAddr(client) },
				func() (net.Addr, error) { return sys.PeerAddr(fd) },
			} {
				if a, err := ask(); err != nil || want.IsValid() && a.String() != want.String() || !want.IsValid() && a.String() != "" {
					t.Errorf("the address of the client is %v, %v; want %v", a, err, want)
				}
			}
		})
	}
}

func TestReadWrite(t *testing.T) {
	leak.Check(t)
	server, client := tcpPair(t)
	defer closeAll(t, server)
	buf := make([]byte, 100)
	if n, err := sys.Read(server, buf); n != 0 || err != unix.EAGAIN {
		t.Errorf("Read of nothing = %d, %v; want EAGAIN", n, err)
	}
	if n, err := sys.Write(server, []byte("hello")); n != 5 || err != nil {
		t.Errorf("Write = %d, %v", n, err)
	}
	if n, err := sys.Write(server, nil); n != 0 || err != nil {
		t.Errorf("Write of nothing = %d, %v", n, err)
	}
	if n, err := sys.Read(client, buf); string(buf[:max(n, 0)]) != "hello" || err != nil {
		t.Errorf("the client read %q, %v", buf[:max(n, 0)], err)
	}
	if err := sys.TuneTCP(server); err != nil {
		t.Error(err)
	}
	for opt, level := range map[int]int{unix.TCP_NODELAY: unix.IPPROTO_TCP, unix.SO_KEEPALIVE: unix.SOL_SOCKET} {
		if v, err := unix.GetsockoptInt(server, level, opt); v == 0 || err != nil {
			t.Errorf("after TuneTCP option %d is %d, %v", opt, v, err)
		}
	}
	if err := sys.CloseWrite(client); err != nil {
		t.Error(err)
	}
	if n, err := readWaiting(server, buf); n != 0 || err != io.EOF {
		t.Errorf("Read after FIN = %d, %v; want EOF", n, err)
	}
	closeAll(t, client)
	if n, err := sys.Write(-1, buf); n != 0 || err != unix.EBADF {
		t.Errorf("Write on no descriptor = %d, %v; want EBADF", n, err)
	}
}

// readWaiting reads once something is there.
func readWaiting(fd int, b []byte) (int, error) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if _, err := unix.Poll(fds, 20_000); err != nil {
		return 0, err
	}
	return sys.Read(fd, b)
}

// Writev writes the first MaxIovecs pieces that are not empty, in order.
func TestWritev(t *testing.T) {
	for _, tt := range []struct {
		name  string
		piece func(i int) []byte
		count int
		want  int // bytes
	}{
		{"none", nil, 0, 0},
		{"empty ones", func(int) []byte { return nil }, 10, 0},
		{"a few", func(i int) []byte { return []byte{byte(i), 'x'} }, 3, 6},
		{"exactly as many as fit", func(i int) []byte { return []byte{byte(i)} }, sys.MaxIovecs, sys.MaxIovecs},
		{"more than fit", func(i int) []byte { return []byte{byte(i)} }, 3 * sys.MaxIovecs, sys.MaxIovecs},
		{"empty ones among them do not count", func(i int) []byte { return make([]byte, i%2) }, 2 * sys.MaxIovecs, sys.MaxIovecs},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leak.Check(t)
			server, client := tcpPair(t)
			defer closeAll(t, server, client)
			var bufs [][]byte
			for i := range tt.count {
				bufs = append(bufs, tt.piece(i))
			}
			n, err := sys.Writev(server, bufs)
			if n != tt.want || err != nil {
				t.Fatalf("Writev = %d, %v; want %d", n, err, tt.want)
			}
			got := make([]byte, tt.want)
			if tt.want > 0 {
				_, err = sys.Read(client, got)
			}
			if want := bytes.Join(bufs, nil)[:tt.want]; err != nil || !bytes.Equal(got, want) {
				t.Errorf("arrived %q, %v; want %q", got, err, want)
			}
		})
	}
}

// A full socket takes a part, then nothing, and loses nothing of it.
func TestWriteShort(t *testing.T) {
	leak.Check(t)
	server, client := tcpPair(t)
	defer closeAll(t, server, client)
	chunk := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	total, err := 0, error(nil)
	for n := 0; err == nil; total += n {
		n, err = sys.Writev(server, [][]byte{chunk[:1000], chunk[1000:]})
	}
	if err != unix.EAGAIN {
		t.Fatalf("after %d bytes: %v, want EAGAIN", total, err)
	}
	if n, err := sys.Write(server, chunk); n != 0 || err != unix.EAGAIN {
		t.Errorf("Write on a full socket = %d, %v; want 0, EAGAIN", n, err)
	}
	errFIN := sys.CloseWrite(server)
	got := 0
	buf := make([]byte, 1<<20)
	for {
		n, err := sys.Read(client, buf)
		got += n
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if got != total || errFIN != nil {
		t.Errorf("the peer got %d of %d bytes (%v)", got, total, errFIN)
	}
}

func TestReset(t *testing.T) {
	leak.Check(t)
	server, client := tcpPair(t)
	if err := sys.Reset(server); err != nil {
		t.Error(err)
	}
	closeAll(t, server)
	if n, err := sys.Read(client, make([]byte, 1)); n != 0 || err != unix.ECONNRESET {
		t.Errorf("the peer reads %d, %v; want ECONNRESET", n, err)
	}
	closeAll(t, client)
}
