package jay_test

import (
	"net"
	"testing"

	"github.com/jay-go/jay"
)

// TestLocalAddr: a listener on all addresses does not hide which one the
// client has dialled.
func TestLocalAddr(t *testing.T) {
	for _, tt := range []struct{ listen, dial, want string }{
		{"tcp://127.0.0.1:0", "127.0.0.1", "127.0.0.1"},
		{"tcp://0.0.0.0:0", "127.0.0.2", "127.0.0.2"},
		{"tcp://[::]:0", "::1", "::1"},
		{"tcp://[::]:0", "127.0.0.3", "127.0.0.3"},
	} {
		t.Run(tt.listen+" by "+tt.dial, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				addr := serve(t, &jay.Server{Addr: tt.listen, Handler: onLine(func(c *jay.Conn, _ string) {
					c.CloseWith([]byte(c.LocalAddr().String()))
				})}, backend)
				_, port, err := net.SplitHostPort(addr)
				if err != nil {
					t.Fatal(err)
				}
				c := dial(t, net.JoinHostPort(tt.dial, port))
				send(t, c, "x\n")
				expect(t, c, net.JoinHostPort(tt.want, port))
				expectEOF(t, c)
			})
		})
	}
}
