package jay

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// ProxyProtocol has the connections of an endpoint begin with a header of the PROXY
// protocol, version 1 or 2 (haproxy.org, proxy-protocol.txt): the load balancer in
// front says who the client is, and [Conn.RemoteAddr] returns that. The header is
// mandatory; a connection without it, or from somebody who is not trusted, is
// closed before the protocol or OnConnect hears of it.
//
// A header that says LOCAL, UNKNOWN or UNSPEC, a health check say, or that has
// addresses of Unix sockets, leaves the address of the socket's peer.
type ProxyProtocol struct {
	// From are the networks whose hosts are trusted to tell the client's address:
	// those of the load balancers. At least one has to be named; 0.0.0.0/0 and
	// ::/0 are everybody. Peers on a Unix socket are trusted.
	From []netip.Prefix

	// Timeout is how long the header may take. Zero means 5 seconds, negative
	// no limit.
	Timeout time.Duration
}

// ErrProxyHeader: a connection did not begin with a header of the PROXY protocol
// that its endpoint requires, or was not allowed to.
var ErrProxyHeader = errors.New("PROXY protocol")

// proxyError is what the peer has done wrong.
type proxyError string

func (e proxyError) Error() string   { return ErrProxyHeader.Error() + ": " + string(e) }
func (proxyError) Is(err error) bool { return err == ErrProxyHeader }
func (proxyError) Blames() Fault     { return PeerFault }

func (p *ProxyProtocol) check() error {
	if len(p.From) == 0 {
		return errors.New("field From is empty: nobody could connect; name the networks of the load balancers, as 10.0.0.0/8, or 0.0.0.0/0 and ::/0 for everybody")
	}
	for i, from := range p.From {
		if !from.IsValid() {
			return fmt.Errorf("field From[%d] is no network; use netip.MustParsePrefix(\"10.0.0.0/8\"), say", i)
		}
	}
	return nil
}

// trusts reports whether the host at a may send headers.
func (p *ProxyProtocol) trusts(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, from := range p.From {
		if from.Contains(a) {
			return true
		}
	}
	return false
}

// proxyLayer reads the header and gives way to the endpoint's own layer.
type proxyLayer struct {
	p     *ProxyProtocol
	next  func() Layer
	under *Under
	heard bool
}

// Open begins the wait for the header.
func (l *proxyLayer) Open(under *Under) {
	l.under = under
	under.SetDeadline(max(cmp.Or(l.p.Timeout, 5*time.Second), 0))
	if peer := (*Conn)(under).RemoteAddrPort(); peer.IsValid() && !l.p.trusts(peer.Addr()) {
		under.CloseOn(PeerFault, proxyError(fmt.Sprintf("%s is not one of those that may connect", peer.Addr())))
	}
}

// Ready is false: when the header is there another layer, or none, is asked.
func (l *proxyLayer) Ready() bool { return false }

// Decode reads the header.
func (l *proxyLayer) Decode(plain, wire []byte) ([]byte, int, error) {
	l.heard = l.heard || len(wire) > 0
	client, n, err := parseProxyHeader(wire)
	if err != nil || n == 0 {
		return plain, 0, err
	}
	if client.IsValid() {
		l.under.SetRemote(client)
	}
	l.under.SetDeadline(0)
	var next Layer
	if l.next != nil {
		next = l.next()
	}
	l.under.Replace(next)
	return plain, n, nil
}

// Encode is not called: nothing is written before the header is there.
func (l *proxyLayer) Encode(wire, plain []byte) ([]byte, error) { return append(wire, plain...), nil }

// End: who has sent nothing has asked whether somebody listens.
func (l *proxyLayer) End() error {
	if l.heard {
		return ErrTruncated
	}
	return nil
}

// Finish has no last words.
func (l *proxyLayer) Finish(wire []byte) []byte { return wire }

const (
	proxyV1    = "PROXY "
	proxyV2    = "\r\n\r\n\x00\r\nQUIT\n"
	maxProxyV1 = 107 // with CR LF: section 2.1

	// maxProxyV2 bounds the part behind the first 16 bytes, addresses and
	// extensions; the longest in use have some hundred.
	maxProxyV2 = 4096
)

// parseProxyHeader parses the header that b begins with. n is its length, 0 if it
// is not complete. client is not valid where the header does not tell it.
func parseProxyHeader(b []byte) (client netip.AddrPort, n int, err error) {
	switch {
	case begins(b, proxyV2):
		return parseProxyV2(b)
	case begins(b, proxyV1):
		return parseProxyV1(b)
	}
	return client, 0, proxyError(fmt.Sprintf("the connection begins with %q, not with a header", b[:min(len(b), len(proxyV2))]))
}

// begins reports whether b begins with text, or is the beginning of it.
func begins(b []byte, text string) bool {
	n := min(len(b), len(text))
	return string(b[:n]) == text[:n]
}

// parseProxyV1 parses "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443" CR LF.
func parseProxyV1(b []byte) (client netip.AddrPort, n int, err error) {
	line, _, found := bytes.Cut(b[:min(len(b), maxProxyV1)], []byte("\r\n"))
	switch {
	case !found && len(b) >= maxProxyV1:
		return client, 0, proxyError(fmt.Sprintf("a line of more than %d bytes", maxProxyV1))
	case !found:
		return client, 0, nil
	}
	n = len(line) + len("\r\n")
	f := strings.Split(string(line), " ")
	if f[1] == "UNKNOWN" {
		return client, n, nil
	}
	if len(f) != 6 || f[1] != "TCP4" && f[1] != "TCP6" {
		return client, 0, proxyError(fmt.Sprintf("%q is not PROXY TCP4 or TCP6 with two addresses and two ports", line))
	}
	client, err = proxyAddr(f[1], f[2], f[4])
	if err == nil {
		_, err = proxyAddr(f[1], f[3], f[5])
	}
	if err != nil {
		return netip.AddrPort{}, 0, proxyError(fmt.Sprintf("%v in %q", err, line))
	}
	return client, n, nil
}

func proxyAddr(family, host, port string) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(host)
	if err != nil || a.Is4() != (family == "TCP4") || a.Zone() != "" {
		return netip.AddrPort{}, fmt.Errorf("%q is no address of %s", host, family)
	}
	p, err := strconv.ParseUint(port, 10, 16)
	if err != nil || strconv.FormatUint(p, 10) != port {
		return netip.AddrPort{}, fmt.Errorf("%q is no port", port)
	}
	return netip.AddrPortFrom(a, uint16(p)), nil
}

// The second version has 12 bytes of signature, then version and command, family
// and transport, and the length of what follows: section 2.2.
const (
	v2Head   = len(proxyV2) + 4
	v2Local  = 0x20
	v2Proxy  = 0x21
	v2CRC32C = 0x03
	v2TCP4   = 0x11
	v2TCP6   = 0x21
)

// v2Addresses is how long the addresses of a family and transport are. Where either
// is unspecified everything behind the length is to be ignored.
func v2Addresses(family byte) (n int, specified, known bool) {
	const datagram = 2
	lengths := [...]int{0, 12, 36, 216}
	af, transport := family>>4, family&0xf
	if int(af) >= len(lengths) || transport > datagram {
		return 0, false, false
	}
	return lengths[af], af != 0 && transport != 0, true
}

func parseProxyV2(b []byte) (client netip.AddrPort, n int, err error) {
	if len(b) < v2Head {
		return client, 0, nil
	}
	command, family := b[len(proxyV2)], b[len(proxyV2)+1]
	size := int(binary.BigEndian.Uint16(b[len(proxyV2)+2:]))
	addresses, specified, known := v2Addresses(family)
	switch {
	case command != v2Local && command != v2Proxy:
		return client, 0, proxyError(fmt.Sprintf("version and command 0x%02x, want 0x%02x or 0x%02x", command, v2Local, v2Proxy))
	case command == v2Local:
		specified = false // whatever family says
	case !known:
		return client, 0, proxyError(fmt.Sprintf("an unknown family 0x%02x", family))
	case specified && size < addresses:
		return client, 0, proxyError(fmt.Sprintf("%d bytes are too short for the addresses of family 0x%02x", size, family))
	}
	if size > maxProxyV2 {
		return client, 0, proxyError(fmt.Sprintf("a header of %d bytes, at most %d are allowed", v2Head+size, v2Head+maxProxyV2))
	}
	if n = v2Head + size; len(b) < n {
		return client, 0, nil
	}
	if !specified {
		return client, n, nil
	}
	if err := checkExtensions(b[:n], v2Head+addresses); err != nil {
		return client, 0, err
	}
	switch at := b[v2Head:]; family {
	case v2TCP4:
		client = netip.AddrPortFrom(netip.AddrFrom4([4]byte(at)), binary.BigEndian.Uint16(at[8:]))
	case v2TCP6:
		client = netip.AddrPortFrom(netip.AddrFrom16([16]byte(at)), binary.BigEndian.Uint16(at[32:]))
	}
	return client, n, nil
}

// checkExtensions goes through the type-length-values from at on and holds the
// header against its checksum, where it has one: section 2.2.4.
func checkExtensions(header []byte, at int) error {
	for at < len(header) {
		if len(header)-at < 3 || len(header)-at-3 < int(binary.BigEndian.Uint16(header[at+1:])) {
			return proxyError("an extension is longer than the header")
		}
		size := int(binary.BigEndian.Uint16(header[at+1:]))
		if value := header[at+3 : at+3+size]; header[at] == v2CRC32C {
			if size != crc32.Size {
				return proxyError(fmt.Sprintf("a checksum of %d bytes", size))
			}
			sent := binary.BigEndian.Uint32(value)
			blank := bytes.Clone(header)
			clear(blank[at+3 : at+3+size])
			if sum := crc32.Checksum(blank, crc32.MakeTable(crc32.Castagnoli)); sum != sent {
				return proxyError(fmt.Sprintf("checksum 0x%08x, want 0x%08x", sent, sum))
			}
		}
		at += 3 + size
	}
	return nil
}
