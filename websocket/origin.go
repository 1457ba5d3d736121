package websocket

import (
	"net/url"
	"path"
	"strings"

	"github.com/jay-go/jay/http1"
)

// allowsOrigin is the defence against pages of other sites that open a
// connection in the name of their visitor (RFC 6455 section 10.2). A request
// without Origin is not a browser's.
func (h *Handler) allowsOrigin(r *http1.Head) bool {
	values := r.HeaderValues("Origin")
	if len(values) == 0 {
		return true
	}
	if h.CheckOrigin != nil {
		return len(values) == 1 && h.CheckOrigin(values[0], r.Host())
	}
	origin, ok := parseOrigin(values[0])
	if !ok || len(values) > 1 {
		return false
	}
	if origin.host == withoutPort(strings.ToLower(r.Host()), origin.scheme) {
		return true
	}
	for _, pattern := range h.Origins {
		if origin.matches(strings.ToLower(pattern)) {
			return true
		}
	}
	return false
}

// origin is a scheme and a host in lower case, the host without the port that
// the scheme has anyway.
type origin struct{ scheme, host string }

// parseOrigin reads a serialised origin (RFC 6454 section 6.1). "null" and
// everything that is not http or https is none.
func parseOrigin(s string) (o origin, ok bool) {
	u, err := url.Parse(strings.ToLower(s))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" || u.User != nil ||
		strings.ContainsAny(s, "?#") {
		return o, false
	}
	return origin{u.Scheme, withoutPort(u.Host, u.Scheme)}, true
}

func withoutPort(host, scheme string) string {
	if scheme == "https" {
		return strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":80")
}

// matches compares with a pattern of Handler.Origins in lower case.
func (o origin) matches(pattern string) bool {
	scheme, host, ok := strings.Cut(pattern, "://")
	if !ok {
		scheme, host = o.scheme, pattern
	}
	host = withoutPort(host, o.scheme)
	matched, err := path.Match(host, o.host)
	return scheme == o.scheme && (host == o.host || err == nil && matched)
}
