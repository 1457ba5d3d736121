package jay_test

import (
	"context"
	"net"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
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
				addr := serve(t, &jay.Server{Addr: tt.listen, Protocol: onLine(func(c *jay.Conn, _ string) {
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

// answers is what a connection says of its addresses.
type answers struct {
	Remote, Local net.Addr
	AddrPort      string
	Transport     string
}

func ask(c *jay.Conn) answers {
	return answers{c.RemoteAddr(), c.LocalAddr(), c.RemoteAddrPort().String(), c.Transport()}
}

// TestAddresses asks for addresses of every kind, on both backends, of
// connections that are accepted and dialled, open and closed: what they say is
// what the client sees.
func TestAddresses(t *testing.T) {
	dir := t.TempDir()
	none := &net.UnixAddr{Net: "unix"}
	for name, tt := range map[string]struct {
		listen, dial, bind string
		after              string // LocalAddr of a closed connection, if it is another
	}{
		"IPv4":                       {listen: "tcp://127.0.0.1:0", dial: "127.0.0.1"},
		"IPv6":                       {listen: "tcp://[::1]:0", dial: "::1"},
		"all of IPv4":                {listen: "tcp://0.0.0.0:0", dial: "127.0.0.2", after: "0.0.0.0"},
		"all of IPv6":                {listen: "tcp://[::]:0", dial: "::1", after: "::"},
		"IPv4 at a socket of IPv6":   {listen: "tcp://[::]:0", dial: "127.0.0.3", after: "::"},
		"Unix":                       {listen: "unix"},
		"Unix, a client with a path": {listen: "unix", bind: "client"},
		"Unix, an abstract client":   {listen: "unix", bind: "@jay-client-" + filepath.Base(filepath.Dir(dir))},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.HasPrefix(tt.bind, "@") && runtime.GOOS != "linux" {
				t.Skip("only Linux has abstract names")
			}
			eachBackend(t, func(t *testing.T, backend string) {
				dir := t.TempDir()
				said, after := make(chan answers, 1), make(chan answers, 1)
				s := &jay.Server{Addr: tt.listen, Protocol: onLine(func(c *jay.Conn, _ string) { said <- ask(c) })}
				s.OnClose = func(c *jay.Conn, _ error) { after <- ask(c) }
				var d net.Dialer
				network := "tcp"
				if tt.listen == "unix" {
					network, s.Addr = "unix", "unix://"+filepath.Join(dir, "server")
					if tt.bind != "" {
						d.LocalAddr = &net.UnixAddr{Net: "unix", Name: tt.bind}
						if tt.bind[0] != '@' {
							d.LocalAddr = &net.UnixAddr{Net: "unix", Name: filepath.Join(dir, tt.bind)}
						}
					}
				}
				addr := serve(t, s, backend)
				to := addr
				if network == "tcp" {
					_, port, err := net.SplitHostPort(addr)
					if err != nil {
						t.Fatal(err)
					}
					to = net.JoinHostPort(tt.dial, port)
				}
				c, err := d.DialContext(context.Background(), network, to)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				send(t, c, "x\n")
				want := answers{plain(c.LocalAddr()), plain(c.RemoteAddr()), "invalid AddrPort", network}
				if network == "tcp" {
					want.AddrPort = c.LocalAddr().String()
				}
				if got := receive(t, said, "the addresses"); !reflect.DeepEqual(got, want) {
					t.Errorf("got  %+v\nwant %+v", got, want)
				}
				c.Close()
				if network == "unix" {
					want.Remote = none
				}
				if tt.after != "" {
					want.Local = &net.TCPAddr{IP: net.ParseIP(tt.after), Port: c.RemoteAddr().(*net.TCPAddr).Port}
				}
				got := receive(t, after, "the addresses after the end")
				if got.Local.String() == want.Local.String() {
					got.Local = want.Local
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("after the end: got  %+v\nwant %+v", got, want)
				}
			})
		})
	}
}

// plain is an address in the form in which connections have it.
func plain(a net.Addr) net.Addr {
	switch a := a.(type) {
	case *net.TCPAddr:
		return net.TCPAddrFromAddrPort(a.AddrPort())
	case *net.UnixAddr:
		if a.Name == "@" {
			return &net.UnixAddr{Net: a.Net}
		}
	}
	return a
}
