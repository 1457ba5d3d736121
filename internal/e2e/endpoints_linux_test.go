package e2e

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/framing"
	"github.com/jay-go/jay/internal/reset"
)

// endpoints has a plain endpoint, one with the PROXY protocol and one with a layer,
// with a limit of its own each. All answer a line with it and who has sent it.
func endpoints() {
	who := framing.Lines(func(c *jay.Conn, line string) { fmt.Fprintf(c, "%s %s\n", line, c.RemoteAddr()) })
	jay.Main(&jay.Server{
		Name: "endpoints", Addr: "tcp://127.0.0.1:0", Workers: 1, Protocol: who,
		Endpoints: []jay.Endpoint{
			{Addr: "tcp://localhost:0", Proxy: &jay.ProxyProtocol{From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, Conn: jay.ConnConfig{MaxInput: 8}},
			{Addr: "tcp://127.0.0.2:0", Layer: func() jay.Layer { return capitals{} }},
		},
		OnError: func(*jay.Conn, error) {},
	})
}

// capitals is a layer that sends capitals.
type capitals struct{}

func (capitals) Open(*jay.Under)           {}
func (capitals) Ready() bool               { return true }
func (capitals) End() error                { return nil }
func (capitals) Finish(wire []byte) []byte { return append(wire, "BYE\n"...) }
func (capitals) Decode(plain, wire []byte) ([]byte, int, error) {
	return append(plain, wire...), len(wire), nil
}
func (capitals) Encode(wire, plain []byte) ([]byte, error) {
	return append(wire, strings.ToUpper(string(plain))...), nil
}

// TestEndpointsOfAService: each endpoint of one server is what it says, under a
// master, with one loop and several, and a reload changes nothing.
func TestEndpointsOfAService(t *testing.T) {
	t.Parallel()
	const header = "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"
	for _, args := range [][]string{{"--loops", "1"}, {"--loops", "4"}, {"--loops", "4", "--loop", "goroutine"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			s := startOwn(t, "endpoints", args...)
			for range 2 {
				st, _ := s.status()
				for i, want := range []struct{ send, answer string }{
					{"a\n", "a 127.0.0.1:"}, {header + "a\n", "a 192.0.2.1:56324\n"}, {"a\n", "A 127.0.0.1:"},
					{strings.Repeat("x", 20) + "\n", strings.Repeat("x", 20) + " 127.0.0.1:"}, {header + strings.Repeat("x", 20), ""}, {"a", ""},
				} {
					c, err := net.Dial("tcp", strings.TrimPrefix(st.Programs[0].Addresses[i%3], "tcp://"))
					if err != nil {
						t.Fatal(err)
					}
					_ = c.SetDeadline(time.Now().Add(patience))
					_, _ = io.WriteString(c, want.send)
					if i != 4 { // its input limit is passed, and the server closes
						_ = c.(*net.TCPConn).CloseWrite()
					}
					got, err := io.ReadAll(c)
					if i%3 == 2 {
						want.answer = strings.ToUpper(want.answer)
						if !strings.HasSuffix(string(got), "BYE\n") {
							t.Errorf("endpoint %d ends with %q", i%3, got)
						}
					}
					if !strings.HasPrefix(string(got), want.answer) || i == 4 && len(got) > 0 || err != nil {
						t.Errorf("endpoint %d answers %q with %q, %v; want %q", i%3, want.send, got, err, want.answer)
					}
					_ = reset.Close(c)
				}
				if out, code := s.command("reload"); code != 0 {
					t.Fatalf("reload: exit %d\n%s", code, out)
				}
			}
		})
	}
}
