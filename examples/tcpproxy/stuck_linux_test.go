package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/exampletest"
	"github.com/jay-go/jay/internal/reset"
)

// ends are what an end of a stuck connection does at last. It fails where the
// other one's reset has come through.
var ends = []func(net.Conn){
	func(net.Conn) {},
	func(c net.Conn) { _ = c.(interface{ CloseWrite() error }).CloseWrite() },
	func(c net.Conn) { _ = reset.Close(c) },
}

// TestStuckConnectionsCostNothing: connections on which nothing can move any
// more, since nobody reads, and of which either end then does what it can, take
// less than a hundredth of a processor altogether.
func TestStuckConnectionsCostNothing(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			address := "127.0.0.1:0"
			if network == "unix" {
				address = filepath.Join(t.TempDir(), "up")
			}
			ln, err := net.Listen(network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			s := exampletest.Start(t, "--workers", "1", "--to", network+"://"+ln.Addr().String())
			addr, worker := s.Addr("tcpproxy"), s.Status().Workers[0].PID
			for _, clientSends := range []bool{true, false} {
				for _, clientEnds := range ends {
					for _, backendEnds := range ends {
						near, err := reset.Dial("tcp", addr, exampletest.Patience)
						if err != nil {
							t.Fatal(err)
						}
						defer near.Close()
						far, err := ln.Accept()
						if err != nil {
							t.Fatal(err)
						}
						defer reset.Close(far)
						if fill(far); clientSends {
							fill(near)
						}
						backendEnds(far)
						clientEnds(near)
					}
				}
			}
			const long = 2 * time.Second
			time.Sleep(long / 2) // what the filling leaves to do
			used := long
			for stretch := 0; stretch < 8 && used > long/100; stretch++ { // what spins does so in all of them
				before := processorTime(t, worker)
				time.Sleep(long)
				used = processorTime(t, worker) - before
			}
			if used > long/100 {
				t.Errorf("%v of processor time in %v", used, long)
			}
		})
	}
}

// fill sends until nobody takes more.
func fill(c net.Conn) {
	block := make([]byte, 256<<10)
	for {
		_ = c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := c.Write(block); err != nil {
			return
		}
	}
}

// processorTime is what all threads of a process have used.
func processorTime(t *testing.T, pid int) (used time.Duration) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(files) == 0 {
		t.Fatalf("process %d: %v, %v", pid, files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var ns time.Duration
		if _, err := fmt.Sscan(strings.TrimSpace(string(text)), &ns); err != nil {
			t.Fatal(err)
		}
		used += ns
	}
	return used
}
