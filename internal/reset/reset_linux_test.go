package reset_test

import (
	"context"
	"encoding/binary"
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
			client, server := row(c.LocalAddr()), row(c.RemoteAddr())
			for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
				left := between(t, client, server)
				if len(left) > 0 == tt.trace {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("of the connection is left: %q", left)
				}
			}
		})
	}
}

// row is an address as /proc/net/tcp has it.
func row(a net.Addr) string {
	ip, port := a.(*net.TCPAddr).IP.To4(), a.(*net.TCPAddr).Port
	return fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32(ip), port)
}

// between returns the rows of the sockets at both ends of one connection, in
// any state. The server's port alone would not tell them: another server's
// connections may be in TIME_WAIT at it.
func between(t *testing.T, client, server string) (rows []string) {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) > 3 && (f[1] == client && f[2] == server || f[1] == server && f[2] == client) {
			rows = append(rows, strings.TrimSpace(line))
		}
	}
	return rows
}
