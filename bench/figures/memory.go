package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/jay-go/jay/internal/reset"
)

// The slope is taken between these numbers of idle connections.
const (
	fewConnections  = 3000
	manyConnections = 9000
)

// A sample is what a server uses at one moment, in bytes.
type sample struct {
	inUse, anonymous float64
}

func memoryInUse(ctx context.Context, b *bench, f figure, o options) (result, error) {
	return memory(ctx, b, f, o, func(s sample) float64 { return s.inUse })
}

func memoryAnonymous(ctx context.Context, b *bench, f figure, o options) (result, error) {
	return memory(ctx, b, f, o, func(s sample) float64 { return s.anonymous })
}

func memory(ctx context.Context, b *bench, f figure, o options, of func(sample) float64) (result, error) {
	r := result{figure: f}
	for _, s := range f.servers {
		if o.short && s.name != jay.name {
			continue
		}
		few, many, err := grow(ctx, b, s)
		if err != nil {
			return r, fmt.Errorf("%s: %w", s.name, err)
		}
		slope := (of(many) - of(few)) / (manyConnections - fewConnections)
		r.values = append(r.values, value{s.name, slope, fmt.Sprintf("%.0f bytes", slope)})
	}
	return r, nil
}

// grow samples a server with few and then with many idle connections, each of
// which has had one request answered.
func grow(ctx context.Context, b *bench, s server) (few, many sample, err error) {
	p, err := s.start(ctx, b)
	if err != nil {
		return few, many, err
	}
	defer p.stop()
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			reset.Close(c)
		}
	}()
	for _, step := range []struct {
		count int
		into  *sample
	}{{fewConnections, &few}, {manyConnections, &many}} {
		for len(conns) < step.count && ctx.Err() == nil {
			conn, err := net.Dial("tcp", p.addr)
			if err != nil {
				return few, many, err
			}
			conns = append(conns, conn)
			if _, err := exchange(conn, "/"); err != nil {
				return few, many, err
			}
		}
		if *step.into, err = take(p, s); err != nil {
			return few, many, err
		}
	}
	return few, many, ctx.Err()
}

func take(p *process, s server) (now sample, err error) {
	if s.inUse {
		if now.inUse, err = readInUse(p.addr); err != nil {
			return now, err
		}
	}
	now.anonymous, err = anonymous(p.server())
	return now, err
}

// exchange sends a GET request and returns the answer byte for byte.
func exchange(conn net.Conn, target string) ([]byte, error) {
	if err := ask(conn, target); err != nil {
		return nil, err
	}
	return readAnswer(conn)
}

func ask(conn net.Conn, target string) error {
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", target)
	return err
}

func readAnswer(conn net.Conn) ([]byte, error) {
	answer := &record{from: conn}
	resp, err := http.ReadResponse(bufio.NewReader(answer), nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	return answer.bytes, nil
}

// A record keeps what was read through it.
type record struct {
	from  io.Reader
	bytes []byte
}

func (r *record) Read(b []byte) (int, error) {
	n, err := r.from.Read(b)
	r.bytes = append(r.bytes, b[:n]...)
	return n, err
}
