package http1

import (
	"iter"
	"strings"
)

// The accessors below return copies, which live as long as the program wants
// them. Those whose names end in View return the parsed bytes themselves:
// they cost nothing, must not be changed, and are valid for as long as the
// bytes that were given to Parse (for a *Request: until the handler returns).

// Method returns the method, in the case it was sent.
func (h *Head) Method() string { return internMethod(h.MethodView()) }

// MethodView is Method without the copy.
func (h *Head) MethodView() []byte { return h.buf[h.begin:h.sp1:h.sp1] }

// Target returns the request target as it was sent.
func (h *Head) Target() string { return string(h.TargetView()) }

// TargetView is Target without the copy.
func (h *Head) TargetView() []byte { return h.buf[h.sp1+1 : h.sp2 : h.sp2] }

// Form returns the form of the target.
func (h *Head) Form() Form { return h.target.form }

// Path returns the target's path, percent-decoded once and without dot
// segments: "/a%20b/../c" is "/c". It may hold any byte but NUL. It is "/"
// when an absolute target has no path, "*" for OPTIONS *, and empty for
// CONNECT.
func (h *Head) Path() string {
	raw := h.RawPathView()
	if h.target.form == AuthorityForm {
		return ""
	}
	if isPlainPath(raw) {
		return string(raw)
	}
	return string(appendPath(nil, raw))
}

// AppendPath appends Path to dst.
func (h *Head) AppendPath(dst []byte) []byte {
	if h.target.form == AuthorityForm {
		return dst
	}
	return appendPath(dst, h.RawPathView())
}

// RawPath returns the target's path as it was sent.
func (h *Head) RawPath() string { return string(h.RawPathView()) }

// RawPathView is RawPath without the copy.
func (h *Head) RawPathView() []byte { return h.target.path.of(h.buf) }

// RawQuery returns what follows the target's first "?", as it was sent.
func (h *Head) RawQuery() string { return string(h.RawQueryView()) }

// RawQueryView is RawQuery without the copy.
func (h *Head) RawQueryView() []byte {
	q := h.target.query
	if q.from < q.to {
		q.from++
	}
	return q.of(h.buf)
}

// Query returns the first value of a query parameter, decoded, or "".
func (h *Head) Query(name string) string {
	for k, v := range queryPairs(h.RawQueryView()) {
		if unescapedEqual(k, name) {
			return unescape(v)
		}
	}
	return ""
}

// Queries yields the query parameters, decoded, in their order. Like all that
// yields here it ends with the Head's next Reset.
func (h *Head) Queries() iter.Seq2[string, string] {
	return h.until(func() iter.Seq2[string, string] { return ParseQuery(h.RawQueryView()) })
}

// until yields what seq does for as long as h is not reset.
func (h *Head) until(seq func() iter.Seq2[string, string]) iter.Seq2[string, string] {
	gen := h.gen
	return func(yield func(name, value string) bool) {
		if h.gen != gen {
			return
		}
		for k, v := range seq() {
			if !yield(k, v) || h.gen != gen {
				return
			}
		}
	}
}

// Host returns the host, and the port if given, that the request is for: of
// an absolute target or of CONNECT's, otherwise of the Host field. Only an
// HTTP/1.0 request can lack one.
func (h *Head) Host() string {
	if a := h.target.authority; a.from < a.to {
		return string(a.of(h.buf))
	}
	return string(h.host.of(h.buf))
}

// HTTP10 reports whether the client speaks HTTP/1.0.
func (h *Head) HTTP10() bool { return h.flags&flag10 != 0 }

// Header returns the value of the first field called name, in whatever case,
// or "".
func (h *Head) Header(name string) string { return string(h.HeaderView(name)) }

// HeaderView is Header without the copy; it is nil when there is no such
// field.
func (h *Head) HeaderView(name string) []byte {
	if i := h.lines.find(h.buf, name, 0); i >= 0 {
		return h.lines.valueView(h.buf, i)
	}
	return nil
}

// HeaderValues returns the values of all fields called name, in their order.
func (h *Head) HeaderValues(name string) []string {
	return h.lines.values(h.buf, name)
}

// Headers yields all fields, names as they were sent, in their order.
func (h *Head) Headers() iter.Seq2[string, string] {
	return h.until(func() iter.Seq2[string, string] { return h.lines.all(h.buf) })
}

// RawHead returns the head byte for byte: request line, fields, empty line.
func (h *Head) RawHead() []byte { return append([]byte(nil), h.RawHeadView()...) }

// RawHeadView is RawHead without the copy.
func (h *Head) RawHeadView() []byte { return h.buf[h.begin:h.end:h.end] }

// ContentLength returns the body's length as announced: -1 when it is
// chunked, 0 when there is none.
func (h *Head) ContentLength() int64 {
	if h.flags&flagChunked != 0 {
		return -1
	}
	return h.length
}

// Chunked reports whether the body comes in chunks.
func (h *Head) Chunked() bool { return h.flags&flagChunked != 0 }

// KeepAlive reports whether the client wants to use the connection again
// (RFC 9112 section 9.3).
func (h *Head) KeepAlive() bool {
	return h.flags&flagClose == 0 && h.flags&(flag10|flagKeepAlive) != flag10
}

// Upgrade returns the list of protocols that the client offers to change to,
// or "" when it offers none. An Upgrade field that Connection does
// not name is no offer.
func (h *Head) Upgrade() string {
	if h.flags&flagUpgrade == 0 {
		return ""
	}
	return strings.Join(h.HeaderValues("Upgrade"), ", ")
}

// ContentType returns the media type of the body in lower case, without
// parameters.
func (h *Head) ContentType() string {
	v := h.HeaderView("Content-Type")
	for i, c := range v {
		if c == ';' {
			v = v[:i]
			break
		}
	}
	return lower(trim(v))
}

func lower(b []byte) string {
	out := make([]byte, len(b))
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		out[i] = c
	}
	return string(out)
}

// internMethod returns the method as a string, without allocating for those
// of RFC 9110 and PATCH.
func internMethod(b []byte) string {
	switch string(b) {
	case "GET":
		return "GET"
	case "HEAD":
		return "HEAD"
	case "POST":
		return "POST"
	case "PUT":
		return "PUT"
	case "DELETE":
		return "DELETE"
	case "CONNECT":
		return "CONNECT"
	case "OPTIONS":
		return "OPTIONS"
	case "TRACE":
		return "TRACE"
	case "PATCH":
		return "PATCH"
	}
	return string(b)
}
