// Package addr parses and prints the listen addresses of the command line:
// tcp://host:port, host:port, tls://host:port, udp://host:port, unix:///path and,
// on Linux, unix://@name.
package addr

import (
	"fmt"
	"net/netip"
	"path"
	"runtime"
	"strconv"
	"strings"
)

// Scheme is the part of an address before "://".
type Scheme string

const (
	TCP  Scheme = "tcp"
	TLS  Scheme = "tls"
	UDP  Scheme = "udp"
	Unix Scheme = "unix"
)

// maxUnixPath is what fits sockaddr_un on every system we build for, the
// terminating zero excluded.
const maxUnixPath = 103

// maxAbstract is what fits sockaddr_un of Linux behind the zero that begins a name.
const maxAbstract = 107

// Addr is a parsed listen address. Unix has a Path, which is @ and a name where it
// is abstract, the others Host and Port.
// It is comparable: two spellings of one address give equal values.
type Addr struct {
	Scheme Scheme
	Host   string // name, IP without brackets, or "" for every interface
	Port   uint16 // 0 picks a free one
	Path   string
}

// Parse reads one address. The error says what was wrong and names the
// nearest right form.
func Parse(s string) (Addr, error) {
	if s == "" {
		return Addr{}, fmt.Errorf("listen address is empty; write tcp://127.0.0.1:9999 or unix:///path")
	}
	scheme, rest, found := strings.Cut(s, "://")
	if !found {
		scheme, rest = string(TCP), s
		if strings.HasPrefix(s, "/") {
			return Addr{}, fmt.Errorf("listen address %q: a path needs its scheme; write unix://%s", s, s)
		}
	}
	switch Scheme(scheme) {
	case Unix:
		return parseUnix(s, rest)
	case TCP, TLS, UDP:
		return parseHostPort(s, Scheme(scheme), rest)
	}
	return Addr{}, fmt.Errorf("listen address %q: unknown scheme %q; write %s://%s", s, scheme, nearestScheme(scheme), rest)
}

// String prints the address in the form that Parse reads, scheme included.
func (a Addr) String() string {
	if a.Scheme == Unix {
		return "unix://" + a.Path
	}
	return string(a.Scheme) + "://" + a.HostPort()
}

// HostPort is host:port with brackets where IPv6 needs them; "" for Unix.
func (a Addr) HostPort() string {
	if a.Scheme == Unix {
		return ""
	}
	host := a.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(a.Port))
}

// Network returns what package net calls the network and the address.
func (a Addr) Network() (network, address string) {
	switch a.Scheme {
	case Unix:
		return "unix", a.Path
	case UDP:
		return "udp", a.HostPort()
	}
	return "tcp", a.HostPort()
}

// Datagram reports whether the address has no connections to accept.
func (a Addr) Datagram() bool { return a.Scheme == UDP }

// Abstract reports a Unix address that is a name and no file.
func (a Addr) Abstract() bool { return a.Scheme == Unix && strings.HasPrefix(a.Path, "@") }

func parseAbstract(whole, p string) (Addr, error) {
	switch n := len(p) - 1; {
	case n == 0:
		return Addr{}, fmt.Errorf("listen address %q: no name; write unix://@name", whole)
	case n > maxAbstract:
		return Addr{}, fmt.Errorf("listen address %q: the name has %d bytes, at most %d fit a Unix address", whole, n, maxAbstract)
	case strings.ContainsRune(p, 0):
		return Addr{}, fmt.Errorf("listen address %q: the name has a zero byte", whole)
	case runtime.GOOS != "linux":
		return Addr{}, fmt.Errorf("listen address %q: abstract names are Linux's; write unix:///run/name.sock", whole)
	}
	return Addr{Scheme: Unix, Path: p}, nil
}

func parseUnix(whole, p string) (Addr, error) {
	if strings.HasPrefix(p, "@") {
		return parseAbstract(whole, p)
	}
	switch {
	case p == "" || strings.HasPrefix(p, "/") && path.Clean(p) == "/":
		return Addr{}, fmt.Errorf("listen address %q: no path; write unix:///run/name.sock", whole)
	case !strings.HasPrefix(p, "/"):
		return Addr{}, fmt.Errorf("listen address %q: the path is relative; write unix:///%s with three slashes and the whole path", whole, p)
	case strings.ContainsRune(p, 0):
		return Addr{}, fmt.Errorf("listen address %q: the path has a zero byte", whole)
	}
	p = path.Clean(p)
	if len(p) > maxUnixPath {
		return Addr{}, fmt.Errorf("listen address %q: the path has %d bytes, at most %d fit a Unix address; use a shorter directory", whole, len(p), maxUnixPath)
	}
	return Addr{Scheme: Unix, Path: p}, nil
}

func parseHostPort(whole string, scheme Scheme, s string) (Addr, error) {
	host, port, err := splitHostPort(whole, scheme, s)
	if err != nil {
		return Addr{}, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return Addr{}, fmt.Errorf("listen address %q: port %q is not a number from 0 to 65535; write %s://%s:8080", whole, port, scheme, bracket(host))
	}
	if strings.ContainsAny(host, "/?#@ \t\r\n\x00") {
		return Addr{}, notHost(whole, host, scheme, port)
	}
	if strings.Contains(host, ":") {
		ip, err := netip.ParseAddr(host)
		if err != nil {
			return Addr{}, fmt.Errorf("listen address %q: %q is not an IPv6 address", whole, host)
		}
		return Addr{Scheme: scheme, Host: ip.String(), Port: uint16(n)}, nil // a zone may have capitals
	}
	if strings.ContainsFunc(host, notInName) {
		return Addr{}, notHost(whole, host, scheme, port)
	}
	return Addr{Scheme: scheme, Host: strings.ToLower(host), Port: uint16(n)}, nil
}

func notHost(whole, host string, scheme Scheme, port string) error {
	return fmt.Errorf("listen address %q: %q is not a host; write %s://HOST:%s and nothing else", whole, host, scheme, port)
}

// notInName reports what neither a host name nor an IPv4 address has in it.
func notInName(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_')
}

// splitHostPort cuts at the last colon outside brackets.
func splitHostPort(whole string, scheme Scheme, s string) (host, port string, err error) {
	if strings.HasPrefix(s, "[") {
		host, rest, ok := strings.Cut(s[1:], "]")
		if !ok {
			return "", "", fmt.Errorf("listen address %q: '[' without ']'; write %s://[::1]:8080", whole, scheme)
		}
		port, ok := strings.CutPrefix(rest, ":")
		if !ok {
			return "", "", fmt.Errorf("listen address %q: no port; write %s://[%s]:8080 (port 0 picks a free one)", whole, scheme, host)
		}
		return host, port, nil
	}
	colon := strings.LastIndexByte(s, ':')
	if colon < 0 {
		if _, err := strconv.ParseUint(s, 10, 16); err == nil {
			return "", "", fmt.Errorf("listen address %q: no host; write %s://127.0.0.1:%s, or %s://:%s for every interface", whole, scheme, s, scheme, s)
		}
		return "", "", fmt.Errorf("listen address %q: no port; write %s://%s:8080 (port 0 picks a free one)", whole, scheme, s)
	}
	host, port = s[:colon], s[colon+1:]
	if strings.Contains(host, ":") {
		return "", "", fmt.Errorf("listen address %q: an IPv6 address needs brackets; write %s://[%s]:%s", whole, scheme, host, port)
	}
	return host, port, nil
}

func bracket(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// nearestScheme guesses which of our schemes a stranger's stands for.
func nearestScheme(s string) Scheme {
	s = strings.ToLower(s)
	switch {
	case strings.HasPrefix(s, "unix"):
		return Unix
	case strings.HasPrefix(s, "udp"):
		return UDP
	case s == "https", s == "wss", s == "ssl", strings.HasPrefix(s, "tls"):
		return TLS
	}
	return TCP
}
