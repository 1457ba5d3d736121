package http1

import (
	"bytes"
	"iter"
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
