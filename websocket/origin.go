package websocket

import (
	"fmt"
	"net/netip"
	"path"
	"strconv"
	"strings"
)

// allowsOrigin is the defence against pages of other sites that open a
// connection in the name of their visitor (RFC 6455 section 10.2). A request
// without Origin is not a browser's.
func (h *Handler) allowsOrigin(r request) bool {
	values := r.HeaderValues("Origin")
	switch {
	case len(values) == 0:
		return true
	case len(values) > 1:
		return false
	case h.CheckOrigin != nil:
		return h.CheckOrigin(values[0], r.Host())
	}
	return allows(h.Origins, values[0], r.Host())
}

// allows reports whether a page of an origin may connect to host: its own pages,
// and those that a pattern of Handler.Origins allows.
func allows(patterns []string, value, host string) bool {
	o, ok := parseOrigin(value)
	if ok && o.sameSite(host) {
		return true
	}
	for _, pattern := range patterns {
		if pattern == "*" || ok && o.matches(strings.ToLower(pattern)) {
			return true
		}
	}
	return false
}

// origin is a scheme and a host in lower case. The host has its port, if that is
// not the one that the scheme has anyway; it is empty for file and its like. The
// opaque origin "null", of sandboxed pages and files, has no scheme either.
type origin struct{ scheme, host string }

// parseOrigin reads a serialised origin (RFC 6454 section 6.1) of any scheme.
func parseOrigin(s string) (o origin, ok bool) {
	s = strings.ToLower(s)
	if s == "null" {
		return o, true
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || !validScheme(scheme) {
		return o, false
	}
	host, ok := cleanHost(rest, scheme)
	if !ok || host == "" && webScheme(scheme) {
		return o, false
	}
	return origin{scheme, host}, true
}

// sameSite reports whether the page is of the server itself. The scheme that the
// client has used is not known where a proxy ends TLS, so it is http or https.
func (o origin) sameSite(host string) bool {
	own, ok := cleanHost(strings.ToLower(host), o.scheme)
	return ok && own != "" && webScheme(o.scheme) && own == o.host
}

func webScheme(scheme string) bool { return scheme == "http" || scheme == "https" }

// validScheme is RFC 3986 section 3.1, in lower case.
func validScheme(s string) bool {
	for i, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z':
		case i > 0 && (c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return s != ""
}

// cleanHost returns host and port in the one way that they are compared in:
// without the port that the scheme has anyway, an IPv6 address in its shortest
// form. What is no host with a port, user information and paths with it, is
// refused. Names in other scripts come as "xn--" (RFC 5891).
func cleanHost(s, scheme string) (string, bool) {
	host, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		host, port = s[:i], s[i+1:]
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || host == "" {
			return "", false
		}
		if port = ":" + strconv.FormatUint(n, 10); port == defaultPort(scheme) {
			port = ""
		}
	}
	if strings.HasPrefix(host, "[") {
		ip, err := netip.ParseAddr(strings.TrimSuffix(host[1:], "]"))
		if err != nil || !ip.Is6() || ip.Zone() != "" || !strings.HasSuffix(host, "]") {
			return "", false
		}
		return "[" + ip.String() + "]" + port, true
	}
	for _, c := range []byte(host) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`/\?#@[]:"<>^|`+"`{}%", c) >= 0 {
			return "", false
		}
	}
	return host + port, true
}

// matches compares with a pattern of Handler.Origins in lower case.
func (o origin) matches(pattern string) bool {
	if pattern == "null" {
		return o == origin{}
	}
	scheme, host, ok := strings.Cut(pattern, "://")
	switch {
	case o == origin{}:
		return false
	case ok && scheme != o.scheme && scheme != "*":
		return false
	case !ok:
		host = pattern
	}
	own := o.host
	if name, anyPort := strings.CutSuffix(host, ":*"); anyPort {
		host, own = name, withoutPort(own)
	}
	if clean, ok := cleanHost(host, o.scheme); ok && clean == own {
		return true
	}
	if !strings.Contains(host, "*") {
		return false
	}
	if port := defaultPort(o.scheme); port != "" {
		host = strings.TrimSuffix(host, port)
	}
	matched, err := path.Match(host, own)
	return err == nil && matched
}

// withoutPort takes the port off what cleanHost has returned.
func withoutPort(host string) string {
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		return host[:i]
	}
	return host
}

// checkPattern says what is wrong with a pattern of Handler.Origins that no origin
// can match.
func checkPattern(pattern string) error {
	if pattern == "*" || pattern == "null" {
		return nil
	}
	scheme, host, ok := strings.Cut(strings.ToLower(pattern), "://")
	if !ok {
		scheme, host = "*", scheme
	}
	host, _ = strings.CutSuffix(host, ":*")
	_, clean := cleanHost(strings.ReplaceAll(host, "*", "1"), scheme)
	if !clean || scheme != "*" && !validScheme(scheme) || host == "" && (scheme == "*" || webScheme(scheme)) {
		return fmt.Errorf("%q allows nothing; write a host or scheme://host, without a path", pattern)
	}
	return nil
}

func defaultPort(scheme string) string {
	switch scheme {
	case "https":
		return ":443"
	case "http":
		return ":80"
	}
	return ""
}
