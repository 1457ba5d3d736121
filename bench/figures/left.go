package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// leftServer is servers/left.
var leftServer = server{name: jay.name, start: startJayProgram("left")}

// leavings are what a request is in when its client closes, and what it has sent
// behind it that nobody reads.
var leavings = []string{
	"GET /later HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET /later HTTP/1.1\r\nHost: a\r\n\r\n" + strings.Repeat("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 500),
	"PUT /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 20_000),
}

// contextEnd has clients leave, and measures until the contexts of their requests
// have ended: by the same clock, for both are on one machine.
func contextEnd(ctx context.Context, b *bench, f figure, o options) (result, error) {
	r := result{figure: f}
	times := 20
	if o.short {
		times = 3
	}
	s := f.servers[0]
	p, err := s.start(ctx, b)
	if err != nil {
		return r, err
	}
	defer p.stop()
	var took []float64
	for _, request := range leavings {
		for range times {
			ms, err := leave(ctx, p.addr, request)
			if err != nil {
				return r, fmt.Errorf("%.20q: %w", request, err)
			}
			took = append(took, ms)
		}
	}
	slices.Sort(took)
	greatest := took[len(took)-1]
	r.values = append(r.values, value{s.name, greatest, fmt.Sprintf("%.1f ms (median %.1f)", greatest, took[len(took)/2])})
	return r, nil
}

// leave sends a request, closes and returns for how many milliseconds its context
// has gone on.
func leave(ctx context.Context, addr, request string) (ms float64, err error) {
	before, err := count(addr, "/begun")
	if err != nil {
		return 0, err
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(request)); err != nil {
		return 0, err
	}
	if _, err := until(ctx, addr, "/begun", before); err != nil {
		return 0, err
	}
	left := time.Now().UnixNano()
	conn.Close()
	ended, err := until(ctx, addr, "/ended", left)
	return float64(ended-left) / 1e6, err
}

// until asks until the number at path is greater than n, and returns it.
func until(ctx context.Context, addr, path string, n int64) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		got, err := count(addr, path)
		if err != nil || got > n {
			return got, err
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%s is still %d: %w", path, got, ctx.Err())
		case <-time.After(time.Millisecond):
		}
	}
}

// count is the number that the server has at path.
func count(addr, path string) (int64, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	answer, err := exchange(conn, path)
	if err != nil {
		return 0, err
	}
	_, body, _ := bytes.Cut(answer, []byte("\r\n\r\n"))
	return strconv.ParseInt(string(body), 10, 64)
}
