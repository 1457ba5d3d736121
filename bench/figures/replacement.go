package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// replacement kills the only worker again and again, each time after it has
// lived long enough to be restarted at once, and measures from the kill to the
// first answer of its replacement.
func replacement(ctx context.Context, b *bench, f figure, o options) (result, error) {
	kills := 20
	if o.short {
		kills = 3
	}
	r := result{figure: f}
	for _, s := range f.servers {
		if o.short && s.name != jay.name {
			continue
		}
		took, err := killAgainAndAgain(ctx, b, s, kills)
		if err != nil {
			return r, fmt.Errorf("%s: %w", s.name, err)
		}
		low, middle, high := spread(took)
		r.values = append(r.values, value{s.name, middle, fmt.Sprintf("%.0f ms (%.0f to %.0f)", middle, low, high)})
	}
	return r, nil
}

func killAgainAndAgain(ctx context.Context, b *bench, s server, kills int) (ms []float64, err error) {
	p, err := s.start(ctx, b)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	for range kills {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(1100 * time.Millisecond):
		}
		began := time.Now()
		if err := killWorker(p.server()); err != nil {
			return nil, err
		}
		if err := firstAnswer(p.addr); err != nil {
			return nil, err
		}
		ms = append(ms, float64(time.Since(began))/1e6)
	}
	return ms, nil
}

// killWorker returns when the process can answer no more.
func killWorker(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || bytes.Contains(stat, []byte(") Z ")) {
			return nil
		}
	}
	return fmt.Errorf("process %d outlives SIGKILL", pid)
}

// firstAnswer asks until somebody answers. A connection that the killed
// worker had accepted is reset; the others wait for the replacement.
func firstAnswer(addr string) (err error) {
	for range 100 {
		var conn net.Conn
		if conn, err = net.Dial("tcp", addr); err != nil {
			continue
		}
		_, err = exchange(conn, "/")
		conn.Close()
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("no answer after a worker was killed: %w", err)
}
