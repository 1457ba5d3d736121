package websocket

import (
	"strconv"
	"strings"
)

// Deflate is how a Handler compresses (permessage-deflate, RFC 7692). The
// zero value works. Compressors are shared by all connections of a Handler;
// without takeover a connection at rest holds nothing for compression.
type Deflate struct {
	// Level is the effort, 1 (fast) to 9. Zero means 1.
	Level int

	// MinSize is the length in bytes from which on a message is compressed.
	// Zero means 256; negative means always.
	MinSize int

	// ServerTakeover lets a message that is sent refer to earlier ones, if
	// the client does not object: better compression of small messages for
	// up to 32 KiB a connection, and more work for each message.
	ServerTakeover bool

	// ClientTakeover allows the client the same, for up to 32 KiB as well.
	ClientTakeover bool

	// ServerWindowBits and ClientWindowBits bound the windows to 2^bits
	// bytes, 9 to 15. The client's is bounded only if it can do that. Zero
	// means 15.
	ServerWindowBits, ClientWindowBits int
}

func (d *Deflate) level() int {
	if d.Level == 0 {
		return 1
	}
	return d.Level
}

func (d *Deflate) minSize() int {
	if d.MinSize == 0 {
		return 256
	}
	return d.MinSize
}

// maxWindowBits and minWindowBits are those of RFC 7692 section 7.1.2.
const (
	minWindowBits = 8
	maxWindowBits = 15
)

// agreement is what was negotiated for a connection. The zero value is no
// compression.
type agreement struct {
	serverBits     uint8 // 8 to 15; 0: no compression
	clientBits     uint8
	serverTakeover bool
	clientTakeover bool
}

const extensionName = "permessage-deflate"

// deflateOffer is one acceptable offer of a client.
type deflateOffer struct {
	noServerTakeover, noClientTakeover bool
	serverBits                         uint8 // 0: not given
	clientBits                         uint8 // 0: not given
	clientBitsKnown                    bool  // the client can be told a window size
}

// negotiate takes the first acceptable offer in a Sec-WebSocket-Extensions
// field. Offers with parameters that are unknown, twice, or out of range are
// declined, as RFC 7692 section 7 asks.
func negotiate(d *Deflate, field string) (agreement, string) {
	if d == nil {
		return agreement{}, ""
	}
	for {
		field = strings.TrimLeft(field, ", \t") // a list may have empty members (RFC 9110 section 5.6.1)
		ext, rest, ok := cutExtension(field)
		if !ok {
			return agreement{}, "" // the end, or what cannot be read
		}
		field = rest
		if offer, ok := ext.deflate(); ok {
			return d.accept(offer)
		}
	}
}

// accept returns what holds from now on and how the response says so.
func (d *Deflate) accept(o deflateOffer) (agreement, string) {
	a := agreement{
		serverBits:     uint8(windowBits(d.ServerWindowBits)),
		clientBits:     maxWindowBits,
		serverTakeover: d.ServerTakeover && !o.noServerTakeover,
		clientTakeover: d.ClientTakeover && !o.noClientTakeover,
	}
	if o.serverBits != 0 {
		a.serverBits = min(a.serverBits, o.serverBits)
	}
	var b strings.Builder
	b.WriteString(extensionName)
	if !a.serverTakeover {
		b.WriteString("; server_no_context_takeover")
	}
	if !a.clientTakeover {
		b.WriteString("; client_no_context_takeover")
	}
	if o.serverBits != 0 || a.serverBits < maxWindowBits {
		b.WriteString("; server_max_window_bits=" + strconv.Itoa(int(a.serverBits)))
	}
	// A client that offers a smaller window by itself need not be told; it is
	// not relied upon either.
	if bits := windowBits(d.ClientWindowBits); o.clientBitsKnown && (o.clientBits == 0 || bits < int(o.clientBits)) && bits < maxWindowBits {
		a.clientBits = uint8(bits)
		b.WriteString("; client_max_window_bits=" + strconv.Itoa(bits))
	}
	return a, b.String()
}

func windowBits(configured int) int {
	if configured == 0 {
		return maxWindowBits
	}
	return min(max(configured, minWindowBits+1), maxWindowBits)
}

// extension is one member of a Sec-WebSocket-Extensions field.
type extension struct {
	name   string
	params []parameter
}

type parameter struct {
	name, value string
	hasValue    bool
}

// deflate reads an offer of permessage-deflate.
func (e extension) deflate() (o deflateOffer, ok bool) {
	if e.name != extensionName {
		return o, false
	}
	seen := map[string]bool{}
	for _, p := range e.params {
		if seen[p.name] || !o.set(p) {
			return o, false
		}
		seen[p.name] = true
	}
	return o, true
}

func (o *deflateOffer) set(p parameter) (ok bool) {
	switch p.name {
	case "server_no_context_takeover":
		o.noServerTakeover = true
		return !p.hasValue
	case "client_no_context_takeover":
		o.noClientTakeover = true
		return !p.hasValue
	case "server_max_window_bits":
		o.serverBits, ok = parseBits(p.value)
		return ok
	case "client_max_window_bits":
		o.clientBitsKnown = true
		if !p.hasValue {
			return true
		}
		o.clientBits, ok = parseBits(p.value)
		return ok
	}
	return false
}

// parseBits reads a decimal number from 8 to 15 without leading zeros.
func parseBits(s string) (uint8, bool) {
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil || n < minWindowBits || n > maxWindowBits || s[0] == '0' {
		return 0, false
	}
	return uint8(n), true
}

// cutExtension reads the first extension of a field value (RFC 6455 section
// 9.1) and returns the rest behind its comma.
func cutExtension(s string) (e extension, rest string, ok bool) {
	if e.name, s, ok = cutToken(s); !ok {
		return e, "", false
	}
	for s != "" && s[0] == ';' {
		var p parameter
		if p.name, s, ok = cutToken(s[1:]); !ok {
			return e, "", false
		}
		if s != "" && s[0] == '=' {
			p.hasValue = true
			if p.value, s, ok = cutValue(s[1:]); !ok {
				return e, "", false
			}
		}
		e.params = append(e.params, p)
	}
	if s == "" {
		return e, "", true
	}
	return e, s[1:], s[0] == ','
}

// cutToken reads a token and the white space around it.
func cutToken(s string) (token, rest string, ok bool) {
	s = strings.TrimLeft(s, " \t")
	n := 0
	for n < len(s) && isToken(s[n]) {
		n++
	}
	return s[:n], strings.TrimLeft(s[n:], " \t"), n > 0
}

// cutValue reads a token, or a quoted string that holds one.
func cutValue(s string) (value, rest string, ok bool) {
	s = strings.TrimLeft(s, " \t")
	if s == "" || s[0] != '"' {
		return cutToken(s)
	}
	value, rest, ok = strings.Cut(s[1:], `"`)
	_, behind, isOne := cutToken(value)
	return value, strings.TrimLeft(rest, " \t"), ok && isOne && behind == ""
}

// isToken tells the characters of RFC 9110 section 5.6.2.
func isToken(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
