package web

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jay-go/jay/internal/http1"
)

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
	case !http1.IsToken(c.Name):
		return fmt.Errorf("set cookie %q: the name is not a token", c.Name)
	case !http1.IsCookieValue(c.Value):
		return fmt.Errorf("set cookie %q: the value holds a control character, space, quote, comma, semicolon, backslash or non-ASCII byte; encode it", c.Name)
	case !http1.IsCookiePath(c.Path):
		return fmt.Errorf("set cookie %q: path %q holds a byte that ends it", c.Name, c.Path)
	case !http1.IsHost(c.Domain):
		return fmt.Errorf("set cookie %q: domain %q is not a host name", c.Name, c.Domain)
	case int(c.SameSite) >= len(sameSiteNames):
		return fmt.Errorf("set cookie %q: SameSite %d is not one of the constants", c.Name, c.SameSite)
	case c.SameSite == SameSiteNone && !c.Secure:
		return errors.New("set cookie " + strconv.Quote(c.Name) + ": SameSite=None needs Secure; browsers drop it otherwise")
	}
	return nil
}
