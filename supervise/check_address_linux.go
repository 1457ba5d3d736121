package supervise

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/jay-go/jay/internal/addr"
	"github.com/jay-go/jay/internal/sys"
)

// checkAddresses tries to bind every address of every program.
func (k *checker) checkAddresses() {
	for i := range k.c.programs {
		p := &k.c.programs[i]
		for at := range p.Listen {
			k.checkAddress(p, at)
		}
	}
	for _, s := range unserved(k.activated, k.c.specs()) {
		k.say(checkWarning, "address", fmt.Sprintf("%s is a socket of the service manager, named %s, that no program serves: who connects waits for ever", s.Bound, s.Name),
			"FileDescriptorName= with a program's name in the socket unit", "or: its address for a program (--listen)")
	}
}

func (k *checker) checkAddress(p *Program, at int) {
	const area = "address"
	a, err := addr.Parse(p.Listen[at])
	if err != nil {
		k.say(checkError, area, err.Error())
		return
	}
	given, ok := activatedFor(k.activated, p.name(), p.Listen, at)
	switch {
	case ok:
		k.ok(area, "%s is a socket of the service manager, bound to %s", a, given.Bound)
	case a.Abstract():
		k.checkAbstract(p, a)
	case a.Scheme == addr.Unix:
		k.checkUnix(p, a)
	default:
		k.checkBind(p, a)
	}
}

// checkUnix looks whether a Unix socket could be made, which would leave a path.
func (k *checker) checkUnix(p *Program, a addr.Addr) {
	const area = "address"
	dir := filepath.Dir(a.Path)
	stale, err := sys.StaleUnix(a.Path)
	if errors.Is(err, sys.ErrLive) && k.isOwn(a) {
		k.ok(area, "%s is the running service's own", a)
		return
	}
	if err == nil {
		err = sys.MayCreateIn(dir)
	}
	elsewhere := k.elsewhere(p, "unix:///run/NAME.sock")
	switch {
	case errors.Is(err, sys.ErrLive):
		k.say(checkError, area, fmt.Sprintf("%s is in use by %s", a, k.users(a)), "stop that", elsewhere)
	case errors.Is(err, os.ErrNotExist):
		k.say(checkError, area, fmt.Sprintf("%s: the directory %s is not there", a, dir), "mkdir -p "+dir, elsewhere)
	case errors.Is(err, os.ErrPermission), errors.Is(err, unix.EROFS):
		k.say(checkError, area, fmt.Sprintf("%s: %s may not make files in %s: %v", a, userName(uint32(os.Geteuid())), dir, err),
			ownIt(dir), elsewhere)
	case err != nil:
		k.say(checkError, area, fmt.Sprintf("%s: %v", a, err), "rm "+a.Path+", if nobody needs it", elsewhere)
	case stale:
		k.ok(area, "%s is free (a socket that nobody listens on is there and will be replaced)", a)
	default:
		k.ok(area, "%s is free", a)
	}
}

// checkAbstract binds a name for a moment.
func (k *checker) checkAbstract(p *Program, a addr.Addr) {
	const area = "address"
	network, name := a.Network()
	switch err := sys.ProbeBind(network, name, false); {
	case err == nil:
		k.ok(area, "%s is free", a)
	case errors.Is(err, unix.EADDRINUSE) && k.isOwn(a):
		k.ok(area, "%s is the running service's own", a)
	case errors.Is(err, unix.EADDRINUSE):
		k.say(checkError, area, fmt.Sprintf("%s is in use by %s", a, k.users(a)), "stop that", k.elsewhere(p, "unix://@NAME"))
	default:
		k.say(checkError, area, fmt.Sprintf("%s cannot be bound: %v", a, err), k.elsewhere(p, "unix://@NAME"))
	}
}

// checkBind binds a TCP or UDP address for a moment, without listening.
func (k *checker) checkBind(p *Program, a addr.Addr) {
	const area = "address"
	network, address := a.Network()
	shared := p.ReusePort || a.Datagram()
	err := sys.ProbeBind(network, address, false)
	switch {
	case err == nil && a.Port == 0:
		k.ok(area, "%s picks a free port", a)
	case err == nil:
		k.ok(area, "%s is free", a)
	case errors.Is(err, unix.EADDRINUSE) && k.isOwn(a):
		k.ok(area, "%s is the running service's own", a)
	case errors.Is(err, unix.EADDRINUSE) && shared && sys.ProbeBind(network, address, true) == nil:
		k.say(checkWarning, area, fmt.Sprintf("%s is shared with %s: the kernel spreads clients over both (SO_REUSEPORT)", a, k.users(a)), "stop that, if it is not meant")
	default:
		k.say(checkError, area, fmt.Sprintf("%s %s", a, k.why(a, err)), k.cures(p, a, err)...)
	}
}

// why says in words what a bind has refused.
func (k *checker) why(a addr.Addr, err error) string {
	var name *net.DNSError
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return "is in use by " + k.users(a)
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Sprintf("cannot be bound: %s is not an address of this machine, which has %s", a.Host, strings.Join(localAddresses(), ", "))
	case errors.Is(err, unix.EACCES) && int(a.Port) < k.unprivileged():
		return fmt.Sprintf("cannot be bound: ports below %d need CAP_NET_BIND_SERVICE, which %s does not have", k.unprivileged(), userName(uint32(os.Geteuid())))
	case errors.Is(err, unix.EAFNOSUPPORT):
		return "cannot be bound: this machine has no IPv6"
	case errors.As(err, &name):
		return fmt.Sprintf("cannot be bound: the host name is not known (%v)", name)
	}
	return fmt.Sprintf("cannot be bound: %v", err)
}

// cures are what helps against it.
func (k *checker) cures(p *Program, a addr.Addr, err error) []string {
	at := func(host string, port int) string {
		return k.elsewhere(p, (addr.Addr{Scheme: a.Scheme, Host: host, Port: uint16(port)}).String())
	}
	var name *net.DNSError
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return []string{"stop that", at(a.Host, 0) + " (0 picks a free port)"}
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return []string{at("", int(a.Port)) + " for all addresses", fmt.Sprintf("sysctl -w net.%s.ip_nonlocal_bind=1, if the machine gets the address later", family(a.Host))}
	case errors.Is(err, unix.EACCES) && int(a.Port) < k.unprivileged():
		return []string{
			"in a systemd unit: AmbientCapabilities=CAP_NET_BIND_SERVICE, or a socket unit with ListenStream= (contrib/jay.socket)",
			"as root: setcap cap_net_bind_service=+ep " + k.path,
			fmt.Sprintf("as root: sysctl -w net.ipv4.ip_unprivileged_port_start=%d", a.Port),
			at(a.Host, 8000+int(a.Port)),
		}
	case errors.Is(err, unix.EAFNOSUPPORT):
		return []string{at("127.0.0.1", int(a.Port)) + ", or at 0.0.0.0"}
	case errors.As(err, &name):
		return []string{"write the IP address itself", "put the name into /etc/hosts"}
	}
	return nil
}

func family(host string) string {
	if strings.Contains(host, ":") {
		return "ipv6"
	}
	return "ipv4"
}

// elsewhere is the flag that gives a program another address.
func (k *checker) elsewhere(p *Program, address string) string {
	if len(k.c.programs) > 1 {
		address = p.name() + "=" + address
	}
	return "--listen " + address
}

// isOwn reports whether the service that runs here holds what is in the way of
// an address.
func (k *checker) isOwn(a addr.Addr) bool {
	return slices.ContainsFunc(k.own, func(own addr.Addr) bool {
		n, _ := a.Network()
		m, _ := own.Network()
		if n != m || a.Port != own.Port || a.Path != own.Path {
			return false
		}
		ours, theirs := hostIP(a.Host), hostIP(own.Host)
		return n == "unix" || ours.Equal(theirs) || ours.IsUnspecified() || theirs.IsUnspecified()
	})
}

// hostIP is the address that a host stands for; nil where it is none.
func hostIP(host string) net.IP {
	if host == "" {
		return net.IPv6unspecified
	}
	ip, err := net.ResolveIPAddr("ip", host)
	if err != nil {
		return nil
	}
	return ip.IP
}

// localAddresses lists those of the machine.
func localAddresses() []string {
	var list []string
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return list
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLinkLocalUnicast() {
			list = append(list, n.IP.String())
		}
	}
	return list
}

// unprivileged is the first port that everybody may bind.
func (k *checker) unprivileged() int {
	if n, ok := k.sysctl("net.ipv4.ip_unprivileged_port_start"); ok {
		return int(n)
	}
	return 1024
}

// sysctl reads a number of the kernel's; ok is false where it has none.
func (k *checker) sysctl(name string) (n int64, ok bool) {
	b, err := os.ReadFile(filepath.Join(k.root, "proc/sys", strings.ReplaceAll(name, ".", "/")))
	if err != nil {
		return 0, false
	}
	n, err = strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	return n, err == nil
}
