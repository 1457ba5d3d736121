package reset_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/leak"
	"github.com/jay-go/jay/internal/reset"
)

func TestMain(m *testing.M) { leak.Main(m) }

// TestNoTrace: whichever end closes first, neither is left.
func TestNoTrace(t *testing.T) {
	dial := func(addr string) (net.Conn, error) { return reset.Dial("tcp", addr, time.Minute) }
	for _, tt := range []struct {
		name  string
		dial  func(addr string) (net.Conn, error)
		close func(net.Conn) error
		first string // who closes first
		trace bool
	}{
		{"the client of Dial", dial, net.Conn.Close, "client", false},
		{"the server of Dial", dial, net.Conn.Close, "server", false},
		{"the client of DialContext", func(addr string) (net.Conn, error) {
			return reset.DialContext(context.Background(), "tcp", addr)
		}, net.Conn.Close, "client", false},
		{"Close", func(addr string) (net.Conn, error) { return net.Dial("tcp", addr) }, reset.Close, "client", false},
		{"in order", func(addr string) (net.Conn, error) { return net.Dial("tcp", addr) }, net.Conn.Close, "client", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			c, err := tt.dial(ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			s, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if tt.first == "server" {
				s.Close()
				if _, err := c.Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("the client reads %v, want the end", err)
				}
			}
			if err := tt.close(c); err != nil {
				t.Error(err)
			}
			if tt.first == "client" {
				s.SetReadDeadline(time.Now().Add(time.Minute))
				if _, err := s.Read(make([]byte, 1)); (err == io.EOF) != tt.trace {
					t.Errorf("the server reads %v", err)
				}
				s.Close()
			}
			port := ln.Addr().(*net.TCPAddr).Port
			for deadline := time.Now().Add(5 * time.Second); connections(t, port) > 0 != tt.trace; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("%d ends of connections are left", connections(t, port))
				}
			}
		})
	}
}

// connections counts the sockets of connections at a port, in any state.
func connections(t *testing.T, port int) (n int) {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		suffix := fmt.Sprintf(":%04X", port)
		const listening = "0A"
		if len(f) > 3 && f[3] != listening && (strings.HasSuffix(f[1], suffix) || strings.HasSuffix(f[2], suffix)) {
			n++
		}
	}
	return n
}
