package jay_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
)

const v2Signature = "\r\n\r\n\x00\r\nQUIT\n"

// v2 returns a header of the second version.
func v2(command, family byte, rest string) string {
	return v2Signature + string([]byte{command, family}) + string(binary.BigEndian.AppendUint16(nil, uint16(len(rest)))) + rest
}

// tlv returns an extension.
func tlv(kind byte, value string) string {
	return string(kind) + string(binary.BigEndian.AppendUint16(nil, uint16(len(value)))) + value
}

// summed puts the checksum of section 2.2.4 at the end of a header.
func summed(command, family byte, rest string) string {
	h := v2(command, family, rest+tlv(3, "\x00\x00\x00\x00"))
	sum := crc32.Checksum([]byte(h), crc32.MakeTable(crc32.Castagnoli))
	return h[:len(h)-4] + string(binary.BigEndian.AppendUint32(nil, sum))
}

const (
	v2Four = "\xc0\x00\x02\x01\xc6\x33\x64\x01\xdc\x04\x01\xbb" // 192.0.2.1:56324 to 198.51.100.1:443
	v2Six  = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\xdc\x04\x01\xbb"
)

// proxyHeaders are headers with whom they name; "" is the peer itself.
var proxyHeaders = map[string]struct{ header, client string }{
	"v1, TCP4":               {"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", "192.0.2.1:56324"},
	"v1, TCP6":               {"PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n", "[2001:db8::1]:56324"},
	"v1, IPv4 in IPv6":       {"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.1 1 65535\r\n", "192.0.2.1:1"},
	"v1, UNKNOWN":            {"PROXY UNKNOWN\r\n", ""},
	"v1, UNKNOWN and more":   {"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", ""},
	"v1, the longest":        {"PROXY UNKNOWN " + strings.Repeat("f", 107-len("PROXY UNKNOWN \r\n")) + "\r\n", ""},
	"v2, TCP4":               {v2(0x21, 0x11, v2Four), "192.0.2.1:56324"},
	"v2, TCP6":               {v2(0x21, 0x21, v2Six), "[2001:db8::1]:56324"},
	"v2, extensions":         {v2(0x21, 0x11, v2Four+tlv(1, "h2")+tlv(2, "example.com")+tlv(4, "")), "192.0.2.1:56324"},
	"v2, a checksum":         {summed(0x21, 0x11, v2Four+tlv(5, "id")), "192.0.2.1:56324"},
	"v2, LOCAL":              {v2(0x20, 0x00, ""), ""},
	"v2, LOCAL with more":    {v2(0x20, 0x11, "whatever"), ""},
	"v2, UNSPEC":             {v2(0x21, 0x00, "whatever"), ""},
	"v2, UNSPEC of a stream": {v2(0x21, 0x01, ""), ""},
	"v2, Unix sockets":       {v2(0x21, 0x31, strings.Repeat("\x00", 216)), ""},
	"v2, UDP4":               {v2(0x21, 0x12, v2Four), ""},
}

// notProxy are beginnings of connections that are no header.
var notProxy = map[string]string{
	"no header":              "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"another case":           "proxy TCP4 192.0.2.1 198.51.100.1 56324 443\r\n",
	"two spaces":             "PROXY TCP4  192.0.2.1 198.51.100.1 56324 443\r\n",
	"an address too few":     "PROXY TCP4 192.0.2.1 56324 443\r\n",
	"a word too many":        "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 1\r\n",
	"the wrong family":       "PROXY TCP6 192.0.2.1 198.51.100.1 56324 443\r\n",
	"a family of none":       "PROXY UDP4 192.0.2.1 198.51.100.1 56324 443\r\n",
	"a name":                 "PROXY TCP4 localhost 198.51.100.1 56324 443\r\n",
	"a leading zero":         "PROXY TCP4 192.0.2.1 198.51.100.1 056324 443\r\n",
	"a port too large":       "PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n",
	"a sign":                 "PROXY TCP4 192.0.2.1 198.51.100.1 +5632 443\r\n",
	"a zone":                 "PROXY TCP6 fe80::1%lo fe80::2 56324 443\r\n",
	"LF alone":               "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\n" + strings.Repeat(" ", 107),
	"a line without end":     "PROXY UNKNOWN " + strings.Repeat("f", 107),
	"v2, another signature":  "\r\n\r\n\x00\r\nQUIT\r" + "\x21\x11\x00\x0c" + v2Four,
	"v2, version 1":          v2(0x11, 0x11, v2Four),
	"v2, an unknown command": v2(0x22, 0x11, v2Four),
	"v2, an unknown family":  v2(0x21, 0x41, v2Four),
	"v2, too short":          v2(0x21, 0x21, v2Four),
	"v2, too long":           v2(0x21, 0x11, v2Four+strings.Repeat("x", 4096)),
	"v2, half an extension":  v2(0x21, 0x11, v2Four+"\x01"),
	"v2, a long extension":   v2(0x21, 0x11, v2Four+"\x01\x00\x09abc"),
	"v2, a wrong checksum":   v2(0x21, 0x11, v2Four+tlv(3, "abcd")),
	"v2, a short checksum":   v2(0x21, 0x11, v2Four+tlv(3, "abc")),
}

// whois is a protocol of lines that answers each with who the client is.
func whois() jay.Protocol {
	return onLine(func(c *jay.Conn, line string) { c.WriteString(line + " " + c.RemoteAddr().String() + "\n") })
}

var loopback = &jay.ProxyProtocol{From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}

// TestProxyProtocol: the client is who the header says, whatever follows in the
// same bytes, and OnConnect knows it already.
func TestProxyProtocol(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		connected := make(chan string, 1)
		addr := serve(t, &jay.Server{Protocol: whois(), Proxy: loopback, OnConnect: func(c *jay.Conn) { connected <- c.RemoteAddr().String() }}, backend)
		for name, h := range proxyHeaders {
			c := dial(t, addr)
			want := h.client
			if want == "" {
				want = c.LocalAddr().String()
			}
			send(t, c, h.header+"one\nt")
			if got := receive(t, connected, "OnConnect"); got != want {
				t.Errorf("%s: OnConnect sees %s, want %s", name, got, want)
			}
			expect(t, c, "one "+want+"\n")
			send(t, c, "wo\n")
			expect(t, c, "two "+want+"\n")
			c.Close()
		}
	})
}

// TestNoProxyHeader: what is no header ends the connection before anybody hears
// of it, and the peer is to blame.
func TestNoProxyHeader(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		errs := make(chan error, 1)
		addr := serve(t, &jay.Server{
			Protocol: whois(), Proxy: loopback,
			OnConnect: func(c *jay.Conn) { t.Error("OnConnect was called") },
			OnError:   func(_ *jay.Conn, err error) { errs <- err },
		}, backend)
		for name, beginning := range notProxy {
			c := dial(t, addr)
			send(t, c, beginning)
			expectEOF(t, c)
			err := receive(t, errs, "OnError for "+name)
			var b jay.Blamer
			if !errors.Is(err, jay.ErrProxyHeader) || !errors.As(err, &b) || b.Blames() != jay.PeerFault {
				t.Errorf("%s: OnError got %v", name, err)
			}
			c.Close()
		}
	})
}

// TestProxyFrom: only who is trusted may say who he is.
func TestProxyFrom(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		errs := make(chan error, 1)
		addr := serve(t, &jay.Server{
			Protocol:  whois(),
			Proxy:     &jay.ProxyProtocol{From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("::1/128")}},
			OnConnect: func(c *jay.Conn) { t.Error("OnConnect was called") },
			OnError:   func(_ *jay.Conn, err error) { errs <- err },
		}, backend)
		expectEOF(t, dial(t, addr))
		if err := receive(t, errs, "OnError"); !errors.Is(err, jay.ErrProxyHeader) || !strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("OnError got %v", err)
		}
	})
	for name, from := range map[string][]netip.Prefix{"nobody": nil, "nothing": {{}}} {
		err := (&jay.Server{Addr: "tcp://127.0.0.1:0", Protocol: whois(), Proxy: &jay.ProxyProtocol{From: from}}).Serve(t.Context())
		if err == nil || !strings.Contains(err.Error(), "Proxy: field From") {
			t.Errorf("%s: Serve returned %v", name, err)
		}
	}
}

// TestProxyEndpoints: the header is asked for where it is switched on, and is no
// header anywhere else; a layer comes behind it; who is beyond MaxConns is refused
// behind it.
func TestProxyEndpoints(t *testing.T) {
	for _, loops := range []int{1, 4} {
		t.Run(fmt.Sprintf("%d loops", loops), func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) { proxyEndpoints(t, backend, loops) })
		})
	}
}

func proxyEndpoints(t *testing.T, backend string, loops int) {
	header := proxyHeaders["v1, TCP4"]
	ends := make(chan error, 8)
	addrs := serveAll(t, &jay.Server{
		Addr: "tcp://127.0.0.1:0", Protocol: sorry{whois()}, MaxConns: 3, Loops: loops,
		Endpoints: []jay.Endpoint{
			{Addr: "unix://" + filepath.Join(t.TempDir(), "s"), Proxy: loopback, Conn: jay.ConnConfig{MaxInput: 4, CloseTimeout: 50 * time.Millisecond}, OnClose: func(_ *jay.Conn, err error) { ends <- err }},
			{Addr: "tcp://localhost:0", Proxy: loopback, Layer: func() jay.Layer { return &shift{ready: true} }},
		},
		OnError: func(*jay.Conn, error) {},
	}, backend)
	plain := dial(t, addrs[0])
	send(t, plain, header.header)
	expect(t, plain, strings.TrimSuffix(header.header, "\r\n")+"\r "+plain.LocalAddr().String()+"\n")
	near, err := net.Dial("unix", addrs[1])
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	send(t, near, header.header+"a\n")
	expect(t, near, "a "+header.client+"\n")
	layered := dial(t, addrs[2])
	send(t, layered, header.header+plus("a\n"))
	expect(t, layered, "hi "+plus("a "+header.client+"\n"))
	late := dial(t, addrs[2])
	send(t, late, header.header)
	expect(t, late, "hi "+plus("full, try later")+"bye")
	expectEOF(t, late)
	const long = "longer than one of them allows"
	send(t, near, long)
	if err := receive(t, ends, "the end of what is too long"); !errors.Is(err, jay.ErrInputLimit) {
		t.Errorf("it ended with %v, want ErrInputLimit", err)
	}
	send(t, layered, plus(long+"\n"))
	expect(t, layered, plus(long+" "+header.client+"\n"))
}

// TestProxyTimeout: a header that does not come in time ends the connection, and
// the time does not count for what follows.
func TestProxyTimeout(t *testing.T) {
	virtual(t, func(t *testing.T, serve func(*jay.Server) *pipes) {
		p := serve(&jay.Server{Protocol: every(echo{}), Proxy: &jay.ProxyProtocol{From: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}, Timeout: 2 * time.Second}, Conn: jay.ConnConfig{IdleTimeout: 20 * time.Second}})
		slow, quick := p.dial(), p.dial()
		send(t, slow, "PROXY ")
		send(t, quick, "PROXY UNKNOWN\r\n")
		wantBetween(t, "the slow one closed", endOf(t, slow), 2*time.Second)
		wantBetween(t, "the quick one closed", endOf(t, quick), 18*time.Second)
	})
}

// TestProxyPings: who connects and says nothing is no error, for load balancers do.
func TestProxyPings(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		addr := serve(t, &jay.Server{Protocol: whois(), Proxy: loopback, OnError: func(_ *jay.Conn, err error) { t.Errorf("OnError: %v", err) }}, backend)
		c := dial(t, addr)
		c.CloseWrite()
		expectEOF(t, c)
	})
}
