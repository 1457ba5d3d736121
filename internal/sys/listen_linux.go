package sys

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// ListenOptions say how a socket is opened.
type ListenOptions struct {
	Backlog   int         // of stream sockets
	ReusePort bool        // SO_REUSEPORT, set before bind
	Mode      os.FileMode // of a Unix socket
	UID, GID  int         // of a Unix socket; -1 leaves it as created
}

// ListenSocket opens a bound socket, listening where it is a stream, and
// returns its descriptor: non-blocking, close-on-exec, never known to the Go
// runtime, so that nothing changes the blocking mode that its inheritors share.
// network is tcp, udp or unix. A Unix path that exists must have been dealt
// with before (UnlinkStale).
func ListenSocket(network, address string, o ListenOptions) (int, error) {
	kind := unix.SOCK_STREAM
	if network == "udp" {
		kind = unix.SOCK_DGRAM
	}
	if network == "unix" {
		return listenUnix(address, o)
	}
	domain, sa, wildcard, err := resolve(network, address)
	if err != nil {
		return -1, err
	}
	fd, err := unix.Socket(domain, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if errors.Is(err, unix.EAFNOSUPPORT) && wildcard {
		domain, sa = unix.AF_INET, &unix.SockaddrInet4{Port: sa.(*unix.SockaddrInet6).Port}
		fd, err = unix.Socket(domain, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	}
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := bindAndListen(fd, domain, kind, sa, o); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func bindAndListen(fd, domain, kind int, sa unix.Sockaddr, o ListenOptions) error {
	if domain == unix.AF_INET6 {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0); err != nil {
			return os.NewSyscallError("setsockopt IPV6_V6ONLY", err)
		}
	}
	if kind == unix.SOCK_STREAM {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return os.NewSyscallError("setsockopt SO_REUSEADDR", err)
		}
	}
	if o.ReusePort {
		if err := SetReusePort(fd); err != nil {
			return err
		}
	}
	if err := unix.Bind(fd, sa); err != nil {
		return os.NewSyscallError("bind", err)
	}
	if kind == unix.SOCK_STREAM {
		if err := unix.Listen(fd, o.Backlog); err != nil {
			return os.NewSyscallError("listen", err)
		}
	}
	return nil
}

// Relisten changes the length of a listening socket's queue, and makes it
// non-blocking and close-on-exec.
func Relisten(fd, backlog int) error {
	unix.CloseOnExec(fd)
	if err := SetNonblock(fd); err != nil {
		return err
	}
	return os.NewSyscallError("listen", unix.Listen(fd, backlog))
}

// SetReusePort lets further sockets bind the address of fd, also when fd is
// bound already.
func SetReusePort(fd int) error {
	return os.NewSyscallError("setsockopt SO_REUSEPORT", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
}

// listenUnix binds under a umask, so that the path never exists with a wider mode.
// The umask is the process's: the caller creates no files meanwhile.
func listenUnix(path string, o ListenOptions) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	old := unix.Umask(0o777 &^ int(o.Mode.Perm()))
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	unix.Umask(old)
	if err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("bind", err)
	}
	err = nil
	if o.UID >= 0 || o.GID >= 0 {
		err = os.Lchown(path, o.UID, o.GID)
	}
	if err == nil {
		err = os.NewSyscallError("listen", unix.Listen(fd, o.Backlog))
	}
	if err != nil {
		unix.Close(fd)
		os.Remove(path)
		return -1, err
	}
	return fd, nil
}

// ErrLive says that a Unix socket's path has a process listening on it.
var ErrLive = errors.New("a live server listens on it")

// UnlinkStale removes a Unix socket that nobody listens on. A path that does
// not exist is fine; a live socket is ErrLive; anything else is left alone.
func UnlinkStale(path string) error {
	fi, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if fi.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("%s exists and is not a socket", path)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	if !errors.Is(err, unix.ECONNREFUSED) {
		return ErrLive // connected, or its queue is full, or it is of another type
	}
	return os.Remove(path)
}

// BoundAddr is the address that a socket is bound to, in the form of package
// net: host:port, or the path of a Unix socket.
func BoundAddr(fd int) (string, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return "", os.NewSyscallError("getsockname", err)
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return net.JoinHostPort(net.IP(sa.Addr[:]).String(), strconv.Itoa(sa.Port)), nil
	case *unix.SockaddrInet6:
		host := net.IP(sa.Addr[:]).String()
		if sa.ZoneId != 0 {
			host += "%" + zoneName(int(sa.ZoneId))
		}
		return net.JoinHostPort(host, strconv.Itoa(sa.Port)), nil
	case *unix.SockaddrUnix:
		return sa.Name, nil
	}
	return "", fmt.Errorf("getsockname: family of %T is not ours", sa)
}

// DupFD duplicates a descriptor, close-on-exec.
func DupFD(fd int) (int, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	return n, os.NewSyscallError("fcntl F_DUPFD_CLOEXEC", err)
}

// resolve gives the socket address for host:port; wildcard says that no host was
// named, so that both IPv4 and IPv6 are wanted.
func resolve(network, address string) (domain int, sa unix.Sockaddr, wildcard bool, err error) {
	var ip net.IP
	var port int
	var zone string
	if network == "udp" {
		a, err := net.ResolveUDPAddr("udp", address)
		if err != nil {
			return 0, nil, false, err
		}
		ip, port, zone = a.IP, a.Port, a.Zone
	} else {
		a, err := net.ResolveTCPAddr("tcp", address)
		if err != nil {
			return 0, nil, false, err
		}
		ip, port, zone = a.IP, a.Port, a.Zone
	}
	if ip4 := ip.To4(); ip4 != nil {
		return unix.AF_INET, &unix.SockaddrInet4{Port: port, Addr: [4]byte(ip4)}, false, nil
	}
	in6 := &unix.SockaddrInet6{Port: port}
	if ip != nil {
		in6.Addr = [16]byte(ip.To16())
	}
	if zone != "" {
		in6.ZoneId = uint32(zoneID(zone))
	}
	return unix.AF_INET6, in6, ip == nil, nil
}

func zoneName(id int) string {
	if ifi, err := net.InterfaceByIndex(id); err == nil {
		return ifi.Name
	}
	return strconv.Itoa(id)
}

func zoneID(zone string) int {
	if ifi, err := net.InterfaceByName(zone); err == nil {
		return ifi.Index
	}
	n, _ := strconv.Atoi(zone) // zero, no zone, where it is neither
	return n
}
