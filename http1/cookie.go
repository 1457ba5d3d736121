package http1

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"
)

// Cookie returns the value of the first cookie called name that the client
// sent, and whether there is one.
func (h *Head) Cookie(name string) (value string, ok bool) {
	for k, v := range h.cookieViews() {
		if string(k) == name {
			return string(v), true
		}
	}
	return "", false
}

// Cookies yields the client's cookies in the order they were sent.
func (h *Head) Cookies() iter.Seq2[string, string] {
	return h.until(func() iter.Seq2[string, string] {
		return func(yield func(name, value string) bool) {
			for k, v := range h.cookieViews() {
				if !yield(string(k), string(v)) {
					return
				}
			}
		}
	})
}

func (h *Head) cookieViews() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for i := h.lines.find(h.buf, "Cookie", 0); i >= 0; i = h.lines.find(h.buf, "Cookie", i+1) {
			for k, v := range cookiePairs(h.lines.valueView(h.buf, i)) {
				if !yield(k, v) {
					return
				}
			}
		}
	}
}

// cookiePairs yields the pairs of one Cookie field. What RFC 6265 does not
// call a cookie-pair is passed over: no "=", or a name that is no token. The
// value is whatever the script or server that set it wrote, which browsers do
// not check. Double quotes around it are removed.
func cookiePairs(b []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for len(b) > 0 {
			pair, rest, _ := bytes.Cut(b, []byte{';'})
			b = rest
			name, value, ok := bytes.Cut(trim(pair), []byte{'='})
			if !ok || len(name) == 0 || !all(name, token) {
				continue
			}
			if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
				value = value[1 : n-1]
			}
			if !yield(name, value) {
				return
			}
		}
	}
}

// SameSite says with which requests from other sites a cookie is sent. The
// zero value is Lax.
type SameSite uint8

const (
	SameSiteLax SameSite = iota
	SameSiteStrict
	SameSiteNone // needs Secure
)

var sameSiteNames = [...]string{"; SameSite=Lax", "; SameSite=Strict", "; SameSite=None"}

// Cookie is a cookie to set. The zero value of every field but Name is the
// safe one: HttpOnly, SameSite=Lax, for the session.
type Cookie struct {
	Name     string
	Value    string
	Path     string        // "" means "/"
	Domain   string        // "" means the host alone
	MaxAge   time.Duration // 0 means until the browser closes; negative deletes the cookie
	Secure   bool
	Script   bool // scripts may read it (no HttpOnly)
	SameSite SameSite
}

// Append appends the cookie as a Set-Cookie value (RFC 6265 section 4.1.1).
// An error says which part would not arrive as it is.
func (c *Cookie) Append(dst []byte) ([]byte, error) {
	if err := c.check(); err != nil {
		return dst, err
	}
	dst = append(dst, c.Name...)
	dst = append(dst, '=')
	dst = append(dst, c.Value...)
	dst = append(dst, "; Path="...)
	if c.Path == "" {
		dst = append(dst, '/')
	}
	dst = append(dst, c.Path...)
	if c.Domain != "" {
		dst = append(append(dst, "; Domain="...), c.Domain...)
	}
	if c.MaxAge != 0 {
		dst = append(dst, "; Max-Age="...)
		dst = strconv.AppendInt(dst, max(0, int64(c.MaxAge/time.Second)), 10)
	}
	if c.Secure {
		dst = append(dst, "; Secure"...)
	}
	if !c.Script {
		dst = append(dst, "; HttpOnly"...)
	}
	return append(dst, sameSiteNames[c.SameSite]...), nil
}

func (c *Cookie) check() error {
	switch {
	case c.Name == "" || !all(c.Name, token):
		return fmt.Errorf("set cookie %q: the name is not a token", c.Name)
	case !all(c.Value, cookie):
		return fmt.Errorf("set cookie %q: the value holds a control character, space, quote, comma, semicolon, backslash or non-ASCII byte; encode it", c.Name)
	case !all(c.Path, plain|cookie) || strings.Contains(c.Path, ";"):
		return fmt.Errorf("set cookie %q: path %q holds a byte that ends it", c.Name, c.Path)
	case !all(c.Domain, host):
		return fmt.Errorf("set cookie %q: domain %q is not a host name", c.Name, c.Domain)
	case int(c.SameSite) >= len(sameSiteNames):
		return fmt.Errorf("set cookie %q: SameSite %d is not one of the constants", c.Name, c.SameSite)
	case c.SameSite == SameSiteNone && !c.Secure:
		return errors.New("set cookie " + strconv.Quote(c.Name) + ": SameSite=None needs Secure; browsers drop it otherwise")
	}
	return nil
}
