package http1

import (
	"bytes"
	"net/netip"
)

// Form is one of the four forms of a request target (RFC 9112 section 3.2).
type Form uint8

const (
	OriginForm    Form = iota // /path?query
	AbsoluteForm              // http://host/path?query
	AuthorityForm             // host:port, for CONNECT
	AsteriskForm              // *, for OPTIONS
)

// target is a request target taken apart, as ranges of its bytes. query
// includes the "?" and is empty when there is none.
type target struct {
	form                   Form
	authority, path, query span
}

// shifted returns t for a buffer in which the target begins at offset by.
func (t target) shifted(by int) target {
	for _, s := range []*span{&t.authority, &t.path, &t.query} {
		s.from += by
		s.to += by
	}
	return t
}

// parseTarget takes the target b apart. b holds no control characters,
// spaces, "#" or bytes beyond ASCII, and is not empty.
func parseTarget(method, b []byte) (t target, err error) {
	switch {
	case string(method) == "CONNECT":
		if !validAuthority(b, true) {
			return t, errForm
		}
		return target{form: AuthorityForm, authority: span{0, len(b)}}, nil
	case b[0] == '/':
		q := queryStart(b)
		return target{form: OriginForm, path: span{0, q}, query: span{q, len(b)}}, nil
	case string(b) == "*":
		if string(method) != "OPTIONS" {
			return t, errForm
		}
		return target{form: AsteriskForm, path: span{0, 1}, query: span{1, 1}}, nil
	}
	return parseAbsolute(b)
}

func parseAbsolute(b []byte) (t target, err error) {
	name, rest, ok := bytes.Cut(b, []byte("://"))
	if !ok || !foldEqual(name, "http") && !foldEqual(name, "https") {
		return t, errForm
	}
	from := len(b) - len(rest)
	end := bytes.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	if !validAuthority(rest[:end], false) {
		return t, errAuthority
	}
	path := from + end
	q := queryStart(b)
	return target{AbsoluteForm, span{from, path}, span{path, q}, span{q, len(b)}}, nil
}

func queryStart(b []byte) int {
	if q := bytes.IndexByte(b, '?'); q >= 0 {
		return q
	}
	return len(b)
}

// checkPercent checks a path's percent-encoding. A NUL that it hides has no
// use but to cut the name of a file short.
func checkPercent(path []byte) error {
	for i := range path {
		if path[i] != '%' {
			continue
		}
		if i+2 >= len(path) || !is(path[i+1], hexDig) || !is(path[i+2], hexDig) {
			return errPercent
		}
		if path[i+1] == '0' && path[i+2] == '0' {
			return errNUL
		}
	}
	return nil
}

// validAuthority reports whether b is a host and, optionally or as required,
// a port (RFC 3986 section 3.2). User information is refused, as RFC 9110
// section 4.2.4 advises, and so are "," and "%" in a name.
func validAuthority(b []byte, needPort bool) bool {
	name, port := b, []byte(nil)
	if len(b) > 0 && b[0] == '[' {
		i := bytes.IndexByte(b, ']')
		if i < 0 || !validIPLiteral(b[1:i]) {
			return false
		}
		name, port = nil, b[i+1:]
	} else {
		if i := bytes.IndexByte(b, ':'); i >= 0 {
			name, port = b[:i], b[i:]
		}
		if len(name) == 0 || !all(name, host) {
			return false
		}
	}
	if len(port) == 0 {
		return !needPort
	}
	return port[0] == ':' && validPort(port[1:], needPort)
}

func validPort(b []byte, needed bool) bool {
	n := 0
	for _, c := range b {
		if !is(c, digit) || n > 65535 {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return n <= 65535 && (len(b) > 0 || !needed)
}

// validIPLiteral accepts an IPv6 address, with a zone as in RFC 6874.
func validIPLiteral(b []byte) bool {
	addr, zone, hasZone := bytes.Cut(b, []byte("%25"))
	if hasZone && (len(zone) == 0 || !all(zone, host)) || bytes.IndexByte(addr, '%') >= 0 {
		return false
	}
	a, err := netip.ParseAddr(string(addr))
	return err == nil && a.Is6()
}

// appendPath appends the path that raw stands for: decoded once, then
// without dot segments (RFC 3986 section 5.2.4), so that an encoded dot or
// slash resolves like a plain one and never climbs above the root. An empty
// path is "/".
func appendPath(dst, raw []byte) []byte {
	at := len(dst)
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c == '%' && i+2 < len(raw) {
			c = unhex(raw[i+1])<<4 | unhex(raw[i+2])
			i += 2
		}
		dst = append(dst, c)
	}
	if len(dst) == at {
		return append(dst, '/')
	}
	if dst[at] != '/' {
		return dst // "*"
	}
	return dst[:at+removeDots(dst[at:])]
}

// removeDots resolves dot segments in place and returns the new length. p
// begins with a slash.
func removeDots(p []byte) int {
	out := 0
	for i := 0; i < len(p); {
		end := i + 1
		for end < len(p) && p[end] != '/' {
			end++
		}
		dots := dotSegment(p[i+1 : end])
		if dots == 2 {
			out = max(bytes.LastIndexByte(p[:out], '/'), 0)
		}
		if dots == 0 {
			out += copy(p[out:], p[i:end])
		} else if end == len(p) {
			p[out] = '/'
			out++
		}
		i = end
	}
	return out
}

// dotSegment returns the number of dots of "." and "..", 0 for the rest.
func dotSegment(s []byte) int {
	if len(s) > 0 && len(s) <= 2 && s[0] == '.' && s[len(s)-1] == '.' {
		return len(s)
	}
	return 0
}

// isPlainPath reports whether appendPath would only copy raw.
func isPlainPath(raw []byte) bool {
	return len(raw) > 0 && bytes.IndexByte(raw, '%') < 0 && !bytes.Contains(raw, []byte("/."))
}
