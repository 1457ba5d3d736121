package http1

import "strings"

// Classes of bytes, as bits of classes[b].
const (
	token  uint8 = 1 << iota // tchar, RFC 9110 section 5.6.2
	plain                    // in a target, without a meaning to the parser: VCHAR except # % ?
	host                     // reg-name, RFC 3986 section 3.2.2, without "," (a joined list of hosts) and "%"
	hexDig                   // HEXDIG
	digit                    // DIGIT
	text                     // in a field value: VCHAR, obs-text, SP, HTAB
	cookie                   // cookie-octet, RFC 6265 section 4.1.1
	scheme                   // after the first letter of a scheme, RFC 3986 section 3.1
)

var classes = makeClasses()

func makeClasses() (t [256]uint8) {
	mark := func(set string, bits uint8) {
		for i := range len(set) {
			t[set[i]] |= bits
		}
	}
	for c := range 256 {
		if c >= 0x20 && c != 0x7f || c == '\t' {
			t[c] |= text
		}
		if c > 0x20 && c < 0x7f {
			t[c] |= plain | cookie
		}
	}
	const digits, letters = "0123456789", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	mark(digits, digit|hexDig|token|host|scheme)
	mark(letters, token|host|scheme)
	mark("abcdefABCDEF", hexDig)
	mark("!#$%&'*+-.^_`|~", token)
	mark("-._~!$&'()*+;=", host)
	mark("+-.", scheme)
	for _, c := range "#%?" {
		t[c] &^= plain
	}
	for _, c := range "\",;\\" {
		t[c] &^= cookie
	}
	return t
}

// is reports whether c belongs to one of the classes in bits.
func is(c, bits uint8) bool { return classes[c]&bits != 0 }

// all reports whether every byte of s belongs to one of the classes in bits.
func all[T string | []byte](s T, bits uint8) bool {
	for i := range len(s) {
		if classes[s[i]]&bits == 0 {
			return false
		}
	}
	return true
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// trim returns s without the optional white space (SP, HTAB) around it.
func trim[T string | []byte](s T) T {
	for len(s) > 0 && isBlank(s[0]) {
		s = s[1:]
	}
	for len(s) > 0 && isBlank(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// foldEqual compares s with lower, which has no upper-case letters, without
// regard to the case of ASCII letters.
func foldEqual[T string | []byte](s T, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// unhex returns the value of a HEXDIG.
func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// IsToken reports whether s is a token (RFC 9110 section 5.6.2).
func IsToken(s string) bool { return s != "" && all(s, token) }

// IsCookieValue reports whether s consists of cookie-octets, IsCookiePath
// whether it can be the Path of a cookie, IsHost whether it has the characters of a host
// name. All are true of an empty s.
func IsCookieValue(s string) bool { return all(s, cookie) }
func IsCookiePath(s string) bool  { return all(s, plain|cookie) && !strings.Contains(s, ";") }
func IsHost(s string) bool        { return all(s, host) }
