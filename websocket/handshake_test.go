package websocket

import (
	"net/http"
	"strings"
	"testing"

	"github.com/jay-go/jay/internal/http1"
)

// parseHead makes a head of a request with these lines.
func parseHead(t testing.TB, lines ...string) *http1.Head {
	t.Helper()
	var h http1.Head
	raw := "GET / HTTP/1.1\r\nHost: a.test\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
	if n, err := h.Parse([]byte(raw), http1.Limits{}); err != nil || n != len(raw) {
		t.Fatalf("parse %q: %d, %v", raw, n, err)
	}
	return &h
}

const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="

func TestHandshake(t *testing.T) {
	upgrade, version := []string{"Connection: Upgrade", "Upgrade: websocket"}, "Sec-WebSocket-Version: 13"
	for _, tt := range []struct {
		name   string
		lines  []string
		status int // 0: accepted
	}{
		{"good", append(upgrade, version, key), 0},
		{"lists and cases", []string{"Connection: keep-alive, UPGRADE", "Upgrade: h2c, WebSocket", version, key}, 0},
		{"a list in two fields", []string{"Connection: keep-alive", "Connection: Upgrade", "Upgrade: h2c", "Upgrade: websocket", version, key}, 0},
		{"no upgrade", []string{version, key}, 426},
		{"another protocol", []string{"Connection: Upgrade", "Upgrade: websocket2", version, key}, 426},
		{"a version of the protocol", []string{"Connection: Upgrade", "Upgrade: websocket/13", version, key}, 426},
		{"version 8", append(upgrade, "Sec-WebSocket-Version: 8", key), 426},
		{"two versions", append(upgrade, version, version, key), 426},
		{"no key", append(upgrade, version), 400},
		{"two keys", append(upgrade, version, key, key), 400},
		{"empty key", append(upgrade, version, "Sec-WebSocket-Key:"), 400},
		{"short key", append(upgrade, version, "Sec-WebSocket-Key: dGhlIHNhbXBsZQ=="), 400},
		{"long key", append(upgrade, version, key+"AAAA"), 400},
		{"key with bits too many", append(upgrade, version, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR=="), 400},
		{"key that is no base64", append(upgrade, version, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j*Q=="), 400},
		{"subprotocol that is no token", append(upgrade, version, key, `Sec-WebSocket-Protocol: a, "b"`), 400},
		{"empty members between subprotocols", append(upgrade, version, key, "Sec-WebSocket-Protocol: ,a,, b,"), 0},
		{"no subprotocol at all", append(upgrade, version, key, "Sec-WebSocket-Protocol: ,"), 400},
		{"foreign origin", append(upgrade, version, key, "Origin: http://b.test"), 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, no := new(Handler).handshake(parseHead(t, tt.lines...))
			switch {
			case no == nil && tt.status != 0:
				t.Errorf("accepted, want %d", tt.status)
			case no != nil && no.status != tt.status:
				t.Errorf("%+v, want %d", *no, tt.status)
			case no == nil && a.accept != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=":
				t.Errorf("Sec-WebSocket-Accept %q", a.accept) // RFC 6455 section 1.3
			}
		})
	}
}

func TestSubprotocols(t *testing.T) {
	h := &Handler{Subprotocols: []string{"v2", "v1"}}
	for offer, want := range map[string]string{"v1": "v1", "v1, v2": "v2", "V1": "", "v3": "", "v3 ,\tv1": "v1"} {
		a, no := h.handshake(parseHead(t, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", key, "Sec-WebSocket-Protocol: "+offer))
		if no != nil || a.subprotocol != want {
			t.Errorf("offered %q: chosen %q, want %q (%v)", offer, a.subprotocol, want, no)
		}
	}
}

func TestOrigin(t *testing.T) {
	allow := []string{"https://app.example.com", "*.wild.test", "http://*.plain.test", "http://[::1]:8080"}
	for _, tt := range []struct {
		name, host, origin string
		want               bool
	}{
		{"same", "a.test", "http://a.test", true},
		{"same behind TLS", "a.test", "https://a.test", true},
		{"same, port of the scheme", "a.test:443", "https://a.test", true},
		{"same port", "a.test:8080", "http://a.test:8080", true},
		{"case", "A.test", "http://a.TEST", true},
		{"other port", "a.test:8080", "http://a.test:8081", false},
		{"port of the other scheme", "a.test:443", "http://a.test", false},
		{"other host", "a.test", "http://evil.test", false},
		{"subdomain", "a.test", "http://x.a.test", false},
		{"suffix", "a.test", "http://evila.test", false},
		{"null", "a.test", "null", false},
		{"empty", "a.test", "", false},
		{"file", "a.test", "file://", false},
		{"with path", "a.test", "http://a.test/", false},
		{"with user", "a.test", "http://a.test@evil.test", false},
		{"same host as user", "evil.test", "http://a.test@evil.test", false},
		{"two in one", "a.test", "http://a.test http://evil.test", false},
		{"allowed", "a.test", "https://app.example.com", true},
		{"allowed, other scheme", "a.test", "http://app.example.com", false},
		{"allowed, other port", "a.test", "https://app.example.com:8443", false},
		{"pattern", "a.test", "https://x.wild.test", true},
		{"pattern needs a name", "a.test", "https://wild.test", false},
		{"pattern with scheme", "a.test", "http://x.plain.test", true},
		{"pattern with other scheme", "a.test", "https://x.plain.test", false},
		{"address", "a.test", "http://[::1]:8080", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var head http1.Head
			raw := "GET / HTTP/1.1\r\nHost: " + tt.host + "\r\nOrigin: " + tt.origin + "\r\n\r\n"
			if _, err := head.Parse([]byte(raw), http1.Limits{}); err != nil {
				t.Fatal(err)
			}
			h := &Handler{Origins: allow}
			if got := h.allowsOrigin(&head); got != tt.want {
				t.Errorf("origin %q at host %q: allowed %v", tt.origin, tt.host, got)
			}
			if all := (&Handler{Origins: []string{"*"}}); tt.name == "other host" && !all.allowsOrigin(&head) {
				t.Error(`"*" does not allow it`)
			}
			h.CheckOrigin = func(origin, host string) bool { return origin == tt.origin && host == tt.host }
			if !h.allowsOrigin(&head) {
				t.Error("CheckOrigin was not asked, or got something else")
			}
		})
	}
}

// FuzzHandshake: no head panics, and what is accepted has all that RFC 6455
// section 4.2.1 asks for, as net/http reads it.
func FuzzHandshake(f *testing.F) {
	f.Add("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" + key + "\r\nOrigin: http://a.test\r\n")
	f.Add("Connection: upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n" + key + "\r\nSec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: permessage-deflate\r\n")
	f.Fuzz(func(t *testing.T, fields string) {
		var head http1.Head
		n, err := head.Parse([]byte("GET / HTTP/1.1\r\nHost: a.test\r\n"+fields+"\r\n"), http1.Limits{})
		if err != nil || n == 0 {
			return
		}
		h := &Handler{Subprotocols: []string{"a"}, Deflate: &Deflate{}}
		if _, no := h.handshake(&head); no != nil {
			return
		}
		got := http.Header{}
		for k, v := range head.Headers() {
			got.Add(k, v)
		}
		if got.Get("Sec-WebSocket-Version") != "13" || len(got["Sec-Websocket-Key"]) != 1 || len(got.Get("Sec-WebSocket-Key")) != 24 ||
			!strings.Contains(strings.ToLower(strings.Join(got["Upgrade"], ",")), "websocket") {
			t.Errorf("accepted %q", fields)
		}
	})
}
