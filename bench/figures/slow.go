package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	loads "github.com/jay-go/jay/internal/load"
	"github.com/jay-go/jay/internal/reset"
)

// slowConnections are those that send a byte a second: half of them a head,
// half of them a body.
const slowConnections = 2000

// besideSlowClients measures how long good clients wait for an answer, without
// and with slow ones beside them.
func besideSlowClients(ctx context.Context, b *bench, f figure, o options) (result, error) {
	r := result{figure: f}
	if err := pin(clientCore); err != nil {
		return r, err
	}
	for _, s := range f.servers {
		if o.short && s.name != jay.name {
			continue
		}
		alone, beside, err := waits(ctx, b, s, o)
		if err != nil {
			return r, fmt.Errorf("%s: %w", s.name, err)
		}
		r.values = append(r.values, value{s.name, beside, fmt.Sprintf("%.2f ms (%.2f ms without slow clients)", beside, alone)})
	}
	return r, nil
}

func waits(ctx context.Context, b *bench, s server, o options) (alone, beside float64, err error) {
	p, err := s.start(ctx, b)
	if err != nil {
		return 0, 0, err
	}
	defer p.stop()
	d := time.Duration(o.seconds) * time.Second
	if alone, err = p99(ctx, p.addr, d); err != nil {
		return 0, 0, err
	}
	end, err := dribble(p.addr)
	if err != nil {
		return 0, 0, err
	}
	defer end()
	beside, err = p99(ctx, p.addr, d)
	return alone, beside, err
}

// p99 is in milliseconds, of 16 clients that send 500 requests a second
// altogether: few enough that they do not wait for each other.
func p99(ctx context.Context, addr string, d time.Duration) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var mu sync.Mutex
	var took []float64
	good := loads.Load{Addr: addr, Connections: 16, Pause: 32 * time.Millisecond, Observe: func(r loads.Result) {
		mu.Lock()
		defer mu.Unlock()
		took = append(took, float64(r.Took)/1e6)
	}}
	if report := good.Run(ctx); report.Failed() > 0 {
		return 0, fmt.Errorf("good clients met failures: %v", report)
	}
	slices.Sort(took)
	return took[len(took)*99/100], nil
}

// dribble opens the slow connections and keeps them going until end.
func dribble(addr string) (end func(), err error) {
	var conns []net.Conn
	for i := range slowConnections {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return nil, err
		}
		conns = append(conns, conn)
		begin := "GET / HTTP/1.1\r\nX-Slow: "
		if i%2 == 0 {
			begin = "POST / HTTP/1.1\r\nHost: slow\r\nContent-Length: 100000\r\n\r\n"
		}
		if _, err := conn.Write([]byte(begin)); err != nil {
			return nil, err
		}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for every := time.Tick(time.Second); ; {
			select {
			case <-stop:
				for _, c := range conns {
					reset.Close(c)
				}
				return
			case <-every:
				for _, c := range conns {
					c.Write([]byte("x")) // one that was closed at its deadline fails
				}
			}
		}
	}()
	return func() { close(stop); <-stopped }, nil
}

// pin keeps all threads of this process, and those they start, on a core.
func pin(core string) error {
	n, err := strconv.Atoi(core)
	if err != nil {
		return err
	}
	var set unix.CPUSet
	set.Set(n)
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(tid, &set); err != nil && err != unix.ESRCH {
			return fmt.Errorf("pin thread %d to core %s: %w", tid, core, err)
		}
	}
	return nil
}
