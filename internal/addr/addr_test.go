package addr_test

import (
	"strings"
	"testing"

	"github.com/jay-go/jay/internal/addr"
)

// TestAbstractIsNoFile: only what begins with @ is a name.
func TestAbstractIsNoFile(t *testing.T) {
	for in, want := range map[string]bool{"unix://@x": true, "unix:///@x": false, "unix:///x": false, "tcp://127.0.0.1:80": false} {
		a, err := addr.Parse(in)
		if err != nil || a.Abstract() != want {
			t.Errorf("Parse(%q).Abstract() = %v, %v; want %v", in, a.Abstract(), err, want)
		}
	}
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, in, want, network, address string
	}{
		{"scheme", "tcp://127.0.0.1:9999", "tcp://127.0.0.1:9999", "tcp", "127.0.0.1:9999"},
		{"bare", "127.0.0.1:9999", "tcp://127.0.0.1:9999", "tcp", "127.0.0.1:9999"},
		{"IPv6", "[::1]:80", "tcp://[::1]:80", "tcp", "[::1]:80"},
		{"IPv6 spelled out", "tcp://[0:0:0:0:0:0:0:1]:80", "tcp://[::1]:80", "tcp", "[::1]:80"},
		{"zone", "tcp://[fe80::1%eth0]:80", "tcp://[fe80::1%eth0]:80", "tcp", "[fe80::1%eth0]:80"},
		{"zone with capitals", "tcp://[fe80::1%Eth0]:80", "tcp://[fe80::1%Eth0]:80", "tcp", "[fe80::1%Eth0]:80"},
		{"every interface", ":80", "tcp://:80", "tcp", ":80"},
		{"name", "tcp://LocalHost:0", "tcp://localhost:0", "tcp", "localhost:0"},
		{"tls", "tls://0.0.0.0:443", "tls://0.0.0.0:443", "tcp", "0.0.0.0:443"},
		{"udp", "udp://127.0.0.1:53", "udp://127.0.0.1:53", "udp", "127.0.0.1:53"},
		{"unix", "unix:///run/jay/x.sock", "unix:///run/jay/x.sock", "unix", "/run/jay/x.sock"},
		{"unix cleaned", "unix:////run/../run//x.sock", "unix:///run/x.sock", "unix", "/run/x.sock"},
		{"abstract", "unix://@jay/../x", "unix://@jay/../x", "unix", "@jay/../x"},
		{"abstract, not UTF-8", "unix://@\xff@", "unix://@\xff@", "unix", "@\xff@"},
		{"abstract, as long as can be", "unix://@" + strings.Repeat("x", 107), "unix://@" + strings.Repeat("x", 107), "unix", "@" + strings.Repeat("x", 107)},
		{"a file that is called so", "unix:///@x", "unix:///@x", "unix", "/@x"},
		{"leading zeros", "127.0.0.1:0080", "tcp://127.0.0.1:80", "tcp", "127.0.0.1:80"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, err := addr.Parse(tt.in)
			if err != nil {
				t.Fatalf("Parse(%q): %v", tt.in, err)
			}
			network, address := a.Network()
			if a.String() != tt.want || network != tt.network || address != tt.address {
				t.Errorf("Parse(%q) = %s, %s %s; want %s, %s %s", tt.in, a, network, address, tt.want, tt.network, tt.address)
			}
		})
	}
}

func TestParseErrorsNameTheRightForm(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"empty", "", "tcp://127.0.0.1:9999"},
		{"no port", "127.0.0.1", "tcp://127.0.0.1:8080"},
		{"no host", "8080", "tcp://127.0.0.1:8080"},
		{"IPv6 without brackets", "::1:80", "tcp://[::1]:80"},
		{"IPv6 without port", "[::1]", "tcp://[::1]:8080"},
		{"open bracket", "[::1:80", "[::1]:8080"},
		{"not IPv6", "[::zz]:80", `"::zz" is not an IPv6 address`},
		{"port too large", "127.0.0.1:65536", "0 to 65535"},
		{"port by name", "127.0.0.1:http", "not a number"},
		{"negative port", "127.0.0.1:-1", "not a number"},
		{"http", "http://127.0.0.1:80", "write tcp://127.0.0.1:80"},
		{"https", "https://127.0.0.1:443", "write tls://127.0.0.1:443"},
		{"path in host", "tcp://127.0.0.1/x:80", "is not a host"},
		{"bracket as a host", "[[]:0", "is not a host"},
		{"not ASCII", "tcp://İ:80", "is not a host"},
		{"bare path", "/run/x.sock", "write unix:///run/x.sock"},
		{"relative path", "unix://x.sock", "unix:///x.sock"},
		{"no path", "unix://", "unix:///run/name.sock"},
		{"the root directory", "unix:///a/../.", "unix:///run/name.sock"},
		{"long path", "unix:///" + strings.Repeat("x", 110), "at most 103"},
		{"abstract without a name", "unix://@", "unix://@name"},
		{"long abstract name", "unix://@" + strings.Repeat("x", 108), "at most 107"},
		{"abstract with a zero byte", "unix://@a\x00b", "zero byte"},
		{"zero byte", "unix:///a\x00b", "zero byte"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, err := addr.Parse(tt.in)
			if err == nil {
				t.Fatalf("Parse(%q) = %v, want an error", tt.in, a)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Parse(%q): %v; want it to contain %q", tt.in, err, tt.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"tcp://127.0.0.1:9999", ":80", "[::1]:80", "unix:///a", "unix://@a", "unix://@", "unix://@/../\xff", "unix:///.", "unix:////../", "[[]:0", "udp://h:1", "x://y", "[fe80::1%e]:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := addr.Parse(s)
		if err != nil {
			return
		}
		again, err := addr.Parse(a.String())
		if err != nil || again != a {
			t.Fatalf("Parse(%q) prints %q, which parses as %+v, %v", s, a, again, err)
		}
	})
}
