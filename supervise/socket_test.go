//go:build unix

package supervise_test

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jay-go/jay/internal/needs"
	"github.com/jay-go/jay/supervise"
)

func TestListenAnswersOnEveryScheme(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.sock")
	for _, tt := range []struct{ name, addr, network string }{
		{"IPv4", "tcp://127.0.0.1:0", "tcp"},
		{"bare", "127.0.0.1:0", "tcp"},
		{"IPv6", "tcp://[::1]:0", "tcp"},
		{"tls", "tls://127.0.0.1:0", "tcp"},
		{"unix", "unix://" + path, "unix"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sockets, err := supervise.Listen([]string{tt.addr}, 0)
			if err != nil {
				t.Fatal(err)
			}
			s := sockets[0]
			defer s.Close()
			ln, err := s.Listener()
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			_, dial, _ := strings.Cut(s.Addr, "://")
			c, err := net.Dial(tt.network, dial)
			if err != nil {
				t.Fatalf("dial %s, bound as %s: %v", tt.addr, s.Addr, err)
			}
			defer c.Close()
			peer, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(peer, "hi")
			peer.Close()
			if b, err := io.ReadAll(c); string(b) != "hi" || err != nil {
				t.Errorf("read %q, %v", b, err)
			}
		})
	}
}

func TestCloseLeavesAnothersPath(t *testing.T) {
	needs.Linux(t) // elsewhere package net removes the path
	path := filepath.Join(t.TempDir(), "x.sock")
	sockets, err := supervise.Listen([]string{"unix://" + path}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	next, err := supervise.Listen([]string{"unix://" + path}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := sockets[0].Close(); err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("unix", path); err != nil {
		t.Errorf("the path of the second socket, when the first is closed: %v", err)
	} else {
		c.Close()
	}
	if err := next[0].Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the path when both are closed: %v", err)
	}
}

func TestListenIsAllOrNothing(t *testing.T) {
	first, err := supervise.Listen([]string{"127.0.0.1:0"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer first[0].Close()
	path := filepath.Join(t.TempDir(), "x.sock")
	_, err = supervise.Listen([]string{"unix://" + path, first[0].Addr}, 0)
	if err == nil || !strings.Contains(err.Error(), first[0].Addr) {
		t.Fatalf("a used address gave %v, want an error that names it", err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Errorf("the first address is still there after the second failed")
	}
}

func TestUnixSocketMode(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	path := filepath.Join(t.TempDir(), "x.sock")
	sockets, err := supervise.Listen([]string{"unix://" + path}, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer sockets[0].Close()
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if fi.Mode().Perm() != 0o660 {
		t.Errorf("mode %v under umask 0, want 0660", fi.Mode().Perm())
	}
}

func TestUnixSocketThatExists(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.sock")
	live, err := supervise.Listen([]string{"unix://" + path}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := supervise.Listen([]string{"unix://" + path}, 0); err == nil || !strings.Contains(err.Error(), "live server") {
		t.Errorf("a live socket gave %v, want it refused", err)
	}
	ln, err := live[0].Listener()
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	live[0].Close()

	// A stale one: closed without being removed.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	again, err := supervise.Listen([]string{"unix://" + path}, 0)
	if err != nil {
		t.Fatalf("a stale socket is in the way: %v", err)
	}
	again[0].Close()

	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := supervise.Listen([]string{"unix://" + path}, 0); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("a file in the way gave %v, want it refused", err)
	}
}

func TestUDP(t *testing.T) {
	sockets, err := supervise.Listen([]string{"udp://127.0.0.1:0"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer sockets[0].Close()
	pc, err := sockets[0].PacketConn()
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	c, err := net.Dial("udp", strings.TrimPrefix(sockets[0].Addr, "udp://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "hi")
	b := make([]byte, 8)
	if n, _, err := pc.ReadFrom(b); string(b[:n]) != "hi" || err != nil {
		t.Errorf("read %q, %v", b[:n], err)
	}
	if _, err := sockets[0].Listener(); err == nil {
		t.Errorf("a datagram socket gave a Listener")
	}
}
