package websocket

import (
	"net/url"
	"strings"
	"testing"
)

func TestOrigins(t *testing.T) {
	const host = "chat.example.com"
	for _, tt := range []struct {
		patterns, origin, host string // patterns: separated by blanks
		want                   bool
	}{
		// nothing listed: the same site alone
		{"", "https://chat.example.com", host, true},
		{"", "http://CHAT.example.com", host, true},
		{"", "https://chat.example.com:443", host, true},
		{"", "https://chat.example.com", host + ":443", true},
		{"", "http://chat.example.com", host + ":443", false},
		{"", "https://chat.example.com:8443", host, false},
		{"", "https://chat.example.com:8443", host + ":8443", true},
		{"", "http://[::1]:9", "[0:0:0:0:0:0:0:1]:9", true},
		{"", "http://[::1]", "[::1]:80", true},
		{"", "http://127.0.0.1:8080", "127.0.0.1:8080", true},
		{"", "https://evil.example", host, false},
		{"", "https://chat.example.com.evil.example", host, false},
		{"", "null", host, false},
		{"", "null", "null", false},
		{"", "file://", host, false},
		{"", "file://", "", false},
		{"", "capacitor://localhost", "localhost", false},
		{"", "https://user@chat.example.com", host, false},
		{"", "https://chat.example.com/", host, false},
		{"", "https://chat.example.com?", host, false},
		{"", `https://chat.example.com\@evil.example`, host, false},
		{"", "https://chat.example.com https://chat.example.com", host, false},
		{"", "", host, false},

		// all means all
		{"*", "null", host, true},
		{"*", "file://", host, true},
		{"*", "capacitor://localhost", host, true},
		{"*", "chrome-extension://abcdefghijklmnop", host, true},
		{"*", "https://evil.example:1", host, true},
		{"*", "whatever it is", host, true},

		// by name
		{"null", "null", host, true},
		{"null", "NULL", host, true},
		{"null", "https://null", host, false},
		{"https://null", "null", host, false},
		{"file://", "file://", host, true},
		{"file://", "null", host, false},
		{"capacitor://localhost ionic://localhost", "ionic://localhost", host, true},
		{"capacitor://localhost", "http://localhost", host, false},
		{"localhost", "capacitor://localhost", host, true},
		{"chrome-extension://*", "chrome-extension://abcdefghijklmnop", host, true},
		{"chrome-extension://*", "moz-extension://abcdefghijklmnop", host, false},
		{"*://localhost", "tauri://localhost", host, true},
		{"*://localhost", "null", host, false},
		{"vscode-webview://*", "vscode-webview://1a2b", host, true},
		{"HTTPS://App.Example.com", "https://app.example.com", host, true},
		{"https://app.example.com", "http://app.example.com", host, false},
		{"https://app.example.com:443", "https://app.example.com", host, true},
		{"https://app.example.com", "https://app.example.com:444", host, false},
		{"https://app.example.com:8443", "https://app.example.com:8443", host, true},
		{"http://app.example.com:443", "http://app.example.com", host, false},
		{"*.example.com", "https://a.example.com", host, true},
		{"*.example.com", "https://example.com", host, false},
		{"*.example.com", "https://evilexample.com", host, false},
		{"*.example.com", "https://a.example.com.evil.example", host, false},
		{"*.example.com", "https://a.example.com:8443", host, false},
		{"*.example.com:443", "https://a.example.com", host, true},
		{"*.example.com:*", "https://a.example.com:8443", host, true},
		{"http://localhost:*", "http://localhost:5173", host, true},
		{"http://localhost:*", "http://localhost", host, true},
		{"http://localhost:*", "http://localhost.evil.example:5173", host, false},
		{"https://*.example.com:*", "https://a.example.com", host, true},
		{"[::1]:5173", "http://[0::1]:5173", host, true},
		{"http://[::1]:*", "http://[::1]:5173", host, true},
		{"[0:0::1]:*", "http://[::1]", host, true},
		{"[::1]:*", "http://[::2]:5173", host, false},
		{"http://[::1]", "http://[::1]", host, true},
		{"http://[::1]", "http://:", host, false},
		{"xn--bcher-kva.example", "https://xn--bcher-kva.example", host, true},
		{"bücher.example", "https://bücher.example", host, false},
		{"https://*", "https://user@evil.example", host, false},
		{"https://*", "https://", host, false},
		{"app.example.com", "app.example.com", host, false},
	} {
		if got := allows(strings.Fields(tt.patterns), tt.origin, tt.host); got != tt.want {
			t.Errorf("Origins %q, Origin %q, Host %q: allowed %v, want %v", tt.patterns, tt.origin, tt.host, got, tt.want)
		}
	}
}

// FuzzOrigins: what is allowed without a pattern is of the host by another
// parser's account, too; all is all; and an exact pattern allows what it names.
func FuzzOrigins(f *testing.F) {
	for _, s := range []string{"https://a.example", "http://[::1]:80", "null", "file://", "capacitor://localhost", "https://u@a", "x://a:99999"} {
		f.Add(s, "a.example", s)
	}
	f.Fuzz(func(t *testing.T, value, host, pattern string) {
		if !allows([]string{pattern, "*"}, value, host) {
			t.Errorf("%q is not allowed by *", value)
		}
		o, ok := parseOrigin(value)
		if again, okAgain := parseOrigin(o.scheme + "://" + o.host); ok && o.scheme != "" && (!okAgain || again != o) {
			t.Errorf("%q is %v, and that is %v, %v", value, o, again, okAgain)
		}
		if ok && !allows([]string{value}, value, "") {
			t.Errorf("%q is not allowed by its own name", value)
		}
		if allows(nil, value, host) {
			u, err := url.Parse(strings.ToLower(value))
			if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Path != "" {
				t.Errorf("%q is allowed at %q", value, host)
			}
		}
		allows([]string{pattern}, value, host)
	})
}

// TestCheck: what can allow nobody, or compress nothing, is told before it serves.
func TestCheck(t *testing.T) {
	for _, origin := range []string{"*", "null", "example.com", "*.example.com:*", "https://example.com", "https://*", "*://localhost",
		"file://", "capacitor://localhost", "http://[::1]:*", "https://example.com:8*", "HTTPS://Example.com"} {
		if err := (&Handler{Origins: []string{origin}}).Check(); err != nil {
			t.Errorf("%s: %v", origin, err)
		}
	}
	for _, origin := range []string{"", "https://", "https://example.com/", "https://user@example.com", "http://[::1", "1x://a", "a b", "http://a:70000", "*://"} {
		if (&Handler{Origins: []string{"*", origin}}).Check() == nil {
			t.Errorf("%q was not refused", origin)
		}
	}
	for level, ok := range map[int]bool{0: true, 9: true, -2: true, 10: false, 99: false} {
		if err := (&Handler{Deflate: &Deflate{Level: level}}).Check(); err == nil != ok {
			t.Errorf("level %d: %v", level, err)
		}
	}
}
