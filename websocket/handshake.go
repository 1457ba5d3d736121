package websocket

import (
	"crypto/sha1"
	"encoding/base64"
	"strings"
)

// request is what a handshake looks at of a request.
type request interface {
	Method() string
	Host() string
	Upgrade() string
	HeaderValues(name string) []string
}

// refusal is why a handshake is answered with something else than 101.
type refusal struct {
	status int
	reason string

	// closes: what follows the request cannot be told. A client of a draft
	// before RFC 6455 sends eight bytes behind it that no length announces,
	// another may send frames; neither must be read as a request.
	closes bool
}

// acceptance is what the response 101 has to say.
type acceptance struct {
	accept      string // Sec-WebSocket-Accept
	subprotocol string // "": none
	extensions  string // "": none
	agreed      agreement
}

// handshake holds a request against RFC 6455 section 4.2 and against what h
// allows. It does no I/O.
func (h *Handler) handshake(r request) (a acceptance, no *refusal) {
	keys := r.HeaderValues("Sec-WebSocket-Key")
	switch {
	case r.Method() != "GET":
		return a, &refusal{status: 405, reason: "a WebSocket connection begins with GET"}
	case !lists(r.Upgrade(), "websocket"):
		return a, &refusal{status: 426, reason: "this resource speaks WebSocket: Connection: Upgrade, Upgrade: websocket"}
	case strings.Join(r.HeaderValues("Sec-WebSocket-Version"), ",") != version:
		return a, &refusal{status: 426, reason: "Sec-WebSocket-Version is not " + version, closes: true}
	case len(keys) != 1:
		return a, &refusal{status: 400, reason: "there must be one Sec-WebSocket-Key", closes: true}
	case !validKey(keys[0]):
		return a, &refusal{status: 400, reason: "Sec-WebSocket-Key is not 16 bytes in base64", closes: true}
	case !h.allowsOrigin(r):
		return a, &refusal{status: 403, reason: "requests of this Origin are not allowed here"}
	}
	offered, ok := tokens(r.HeaderValues("Sec-WebSocket-Protocol"))
	if !ok {
		return a, &refusal{status: 400, reason: "Sec-WebSocket-Protocol is not a list of tokens", closes: true}
	}
	a.accept = acceptKey(keys[0])
	a.subprotocol = h.choose(offered)
	a.agreed, a.extensions = negotiate(h.Deflate, strings.Join(r.HeaderValues("Sec-WebSocket-Extensions"), ","))
	return a, nil
}

const version = "13"

// lists reports whether a comma-separated list has name, in any case. A
// version behind a slash makes another name of it.
func lists(list, name string) bool {
	for member := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.Trim(member, " \t"), name) {
			return true
		}
	}
	return false
}

func validKey(key string) bool {
	var raw [18]byte
	n, err := base64.StdEncoding.Strict().Decode(raw[:], []byte(key[:min(len(key), 24)]))
	return err == nil && n == 16 && len(key) == 24
}

// acceptKey proves to the client that its handshake was understood.
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// tokens splits the lists of one field. Each must be tokens, at least one;
// empty members do not count (RFC 9110 section 5.6.1).
func tokens(values []string) (all []string, ok bool) {
	for member := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name, rest, ok := cutToken(member)
		switch {
		case ok && rest == "":
			all = append(all, name)
		case ok || strings.Trim(member, " \t") != "":
			return nil, false
		}
	}
	return all, len(all) > 0 || len(values) == 0
}

// choose returns the first of our subprotocols that the client has offered.
func (h *Handler) choose(offered []string) string {
	for _, ours := range h.Subprotocols {
		for _, theirs := range offered {
			if ours == theirs {
				return ours
			}
		}
	}
	return ""
}
