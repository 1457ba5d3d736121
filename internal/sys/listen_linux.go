package sys

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

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
	if network == "unix" {
		return listenUnix(address, o)
	}
	domain, sa, wildcard, err := resolve(network, address)
	if err != nil {
		return -1, err
	}
	fd, domain, sa, err := newSocket(network, domain, sa, wildcard)
	if err != nil {
		return -1, err
	}
	err = bind(fd, domain, network, sa, o.ReusePort)
	if err == nil && network != "udp" {
		err = os.NewSyscallError("listen", unix.Listen(fd, o.Backlog))
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// newSocket makes a socket for an address. A wildcard is one of IPv4 where there
// is no IPv6.
func newSocket(network string, domain int, sa unix.Sockaddr, wildcard bool) (int, int, unix.Sockaddr, error) {
	kind := unix.SOCK_STREAM
	if network == "udp" {
		kind = unix.SOCK_DGRAM
	}
	fd, err := unix.Socket(domain, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if errors.Is(err, unix.EAFNOSUPPORT) && wildcard {
		domain, sa = unix.AF_INET, &unix.SockaddrInet4{Port: sa.(*unix.SockaddrInet6).Port}
		fd, err = unix.Socket(domain, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	}
	return fd, domain, sa, os.NewSyscallError("socket", err)
}

func bind(fd, domain int, network string, sa unix.Sockaddr, reusePort bool) error {
	if domain == unix.AF_INET6 {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0); err != nil {
			return os.NewSyscallError("setsockopt IPV6_V6ONLY", err)
		}
	}
	if network != "udp" {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return os.NewSyscallError("setsockopt SO_REUSEADDR", err)
		}
	}
	if reusePort {
		if err := SetReusePort(fd); err != nil {
			return err
		}
	}
	return os.NewSyscallError("bind", unix.Bind(fd, sa))
}

// SetBacklog changes the length of a listening socket's queue.
func SetBacklog(fd, backlog int) error {
	return os.NewSyscallError("listen", unix.Listen(fd, backlog))
}

// SetReusePort lets further sockets bind the address of fd, also when fd is
// bound already.
func SetReusePort(fd int) error {
	return os.NewSyscallError("setsockopt SO_REUSEPORT", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
}

// listenUnix gives the socket its mode before its path, which so never exists with
// a wider one. The process's umask stays as it is: other threads create files, and
// start programs, meanwhile. An abstract address has no file, and so no mode and
// no owner.
func listenUnix(path string, o ListenOptions) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := unix.Fchmod(fd, uint32(o.Mode.Perm())); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("fchmod", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("bind", err)
	}
	if !abstract(path) {
		err = widen(path, o.Mode.Perm())
		if err == nil && (o.UID >= 0 || o.GID >= 0) {
			err = os.Lchown(path, o.UID, o.GID)
		}
	}
	if err == nil {
		err = os.NewSyscallError("listen", unix.Listen(fd, o.Backlog))
	}
	if err != nil {
		unix.Close(fd)
		if !abstract(path) {
			os.Remove(path)
		}
		return -1, err
	}
	return fd, nil
}

// abstract reports the address of a Unix socket that has no file.
func abstract(path string) bool { return strings.HasPrefix(path, "@") }

// FileID tells a file from others that have had its path. The zero value is none.
type FileID struct {
	Dev uint64 `json:"dev"`
	Ino uint64 `json:"ino"`
}

// FileAt is the file at a path, links not followed; zero where there is none.
func FileAt(path string) FileID {
	var st unix.Stat_t
	if abstract(path) || unix.Lstat(path, &st) != nil {
		return FileID{}
	}
	return FileID{Dev: uint64(st.Dev), Ino: st.Ino}
}

// RemoveFile removes a path that still is the file: another that has taken its
// place stays.
func RemoveFile(path string, id FileID) error {
	if id == (FileID{}) || FileAt(path) != id {
		return nil
	}
	return os.Remove(path)
}

// ErrLive says that a Unix socket's path has a process listening on it.
var ErrLive = errors.New("a live server listens on it")

// UnlinkStale removes a Unix socket that nobody listens on. A path that does
// not exist is fine; a live socket is ErrLive; anything else is left alone.
func UnlinkStale(path string) error {
	stale, err := StaleUnix(path)
	if !stale {
		return err
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
	return printAddr(sa)
}

// BoundNetwork is tcp, udp or unix, or "" for a socket that is nothing of the kind.
func BoundNetwork(fd int) (string, error) {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return "", os.NewSyscallError("getsockopt SO_TYPE", err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return "", os.NewSyscallError("getsockname", err)
	}
	_, isUnix := sa.(*unix.SockaddrUnix)
	switch {
	case kind == unix.SOCK_STREAM && isUnix:
		return "unix", nil
	case kind == unix.SOCK_STREAM:
		return "tcp", nil
	case kind == unix.SOCK_DGRAM && !isUnix:
		return "udp", nil
	}
	return "", nil
}

// IsBoundTo reports whether ListenSocket would bind an address as a socket is
// that is bound to bound, in the form of BoundAddr.
func IsBoundTo(bound, network, address string) bool {
	if network == "unix" {
		return bound == address
	}
	_, sa, wildcard, err := resolve(network, address)
	if err != nil {
		return false
	}
	if wildcard { // either family may have stood in for both
		host, port, err := net.SplitHostPort(bound)
		return err == nil && ":"+port == address && (host == "::" || host == "0.0.0.0")
	}
	name, err := printAddr(sa)
	return err == nil && name == bound
}

func printAddr(sa unix.Sockaddr) (string, error) {
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
	return "", fmt.Errorf("address of a socket: family of %T is not ours", sa)
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

// widen gives a Unix socket's file the bits of its mode that the umask has taken
// from it. What somebody has put in its place is left alone.
func widen(path string, mode os.FileMode) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK || st.Mode&0o777 == uint32(mode) {
		return nil
	}
	return os.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), mode)
}
