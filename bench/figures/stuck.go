package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jay-go/jay/internal/reset"
)

// stuckRounds is how many connections there are of each kind of stuckKinds, in
// each way of stuckWays.
const stuckRounds = 5

// stuckWays says who has sent until nothing more was taken; nobody reads.
var stuckWays = []struct{ client, backend bool }{{true, true}, {false, true}}

// stuckKinds are what then happens to a connection on which nothing can move.
var stuckKinds = []struct {
	name string
	do   func(client, backend *net.TCPConn) error
}{
	{"nothing more", func(_, _ *net.TCPConn) error { return nil }},
	{"FIN of the client", func(client, _ *net.TCPConn) error { return client.CloseWrite() }},
	{"FIN of the backend, then of the client", func(client, backend *net.TCPConn) error {
		return errors.Join(backend.CloseWrite(), client.CloseWrite())
	}},
	{"reset by the client", func(client, _ *net.TCPConn) error { return reset.Close(client) }},
	{"reset by the backend", func(_, backend *net.TCPConn) error { return reset.Close(backend) }},
}

// cpuStuck measures the worker of a proxy whose connections cannot move.
func cpuStuck(ctx context.Context, b *bench, f figure, o options) (result, error) {
	share, err := stuckOnce(ctx, b, time.Duration(3*o.seconds)*time.Second)
	if err != nil {
		return result{}, err
	}
	return result{f, []value{{jay.name, share, fmt.Sprintf("%.3f %%", share)}}}, nil
}

func stuckOnce(ctx context.Context, b *bench, d time.Duration) (percent float64, err error) {
	backend, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer backend.Close()
	b.sink = backend.Addr().String()
	p, err := jayProxy.start(ctx, b)
	if err != nil {
		return 0, err
	}
	defer p.stop()
	var open []net.Conn
	defer func() {
		for _, c := range open {
			reset.Close(c)
		}
	}()
	for i := range stuckRounds * len(stuckWays) {
		way := stuckWays[i%len(stuckWays)]
		for _, kind := range stuckKinds {
			there, err := net.Dial("tcp", p.addr)
			if err != nil {
				return 0, err
			}
			open = append(open, there)
			here, err := backend.Accept()
			if err != nil {
				return 0, err
			}
			open = append(open, here)
			if way.client {
				fill(there)
			}
			if way.backend {
				fill(here)
			}
			if err := kind.do(there.(*net.TCPConn), here.(*net.TCPConn)); err != nil {
				return 0, fmt.Errorf("%s: %w", kind.name, err)
			}
		}
	}
	return p.share(ctx, d)
}

// fill sends until nobody takes more.
func fill(c net.Conn) {
	block := make([]byte, 64<<10)
	for {
		c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := c.Write(block); err != nil {
			return
		}
	}
}
