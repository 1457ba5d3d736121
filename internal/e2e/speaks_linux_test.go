package e2e

import (
	"encoding/json"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestConnectionsNameTheirProtocol: the one that is spoken now.
func TestConnectionsNameTheirProtocol(t *testing.T) {
	s := startOwn(t, "holding")
	st, _ := s.status()
	addr := strings.TrimPrefix(st.Programs[0].Addresses[0], "tcp://")
	ask := func(request, want string) {
		c, err := net.DialTimeout("tcp", addr, patience)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		_ = c.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(c, request)
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); string(got) != want {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200")
	ask("GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", "HTTP/1.1 101")
	out, code := s.command("connections", "--json")
	var list struct{ Connections []struct{ Protocol string } }
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v: %s", code, err, out)
	}
	var got []string
	for _, c := range list.Connections {
		got = append(got, c.Protocol)
	}
	slices.Sort(got)
	if !slices.Equal(got, []string{"http", "websocket"}) {
		t.Errorf("the connections speak %q, want http and websocket", got)
	}
}

// TestNoServerWithoutConnections: an address that cannot be served is refused
// by the start and by check, and neither says ok to it.
func TestNoServerWithoutConnections(t *testing.T) {
	s := startOwn(t, "holding")
	for _, scheme := range []string{"udp", "tls"} {
		for _, command := range []string{"start", "check"} {
			_, code := s.command(command, "--listen", "web="+scheme+"://127.0.0.1:0")
			if code == 0 {
				t.Errorf("%s with %s:// ends with 0", command, scheme)
			}
		}
	}
}
