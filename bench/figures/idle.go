package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/jay-go/jay/internal/reset"
)

// idleFor starts jay with an idle timeout.
func idleFor(d time.Duration) server {
	return server{name: jay.name, start: startJayProgram("idle", "--idle", d.String())}
}

// soon is the idle timeout whose end is waited for: long enough for all
// connections to be open before.
const soon = 10 * time.Second

// cpuAtRest measures the worker with many idle connections. The master is not
// counted: what it does, it does without connections, too.
func cpuAtRest(ctx context.Context, b *bench, f figure, o options) (result, error) {
	var shares []float64
	rounds := o.rounds
	if o.short {
		rounds = 1
	}
	for range rounds {
		share, err := restOnce(ctx, b, f.servers[0], time.Duration(3*o.seconds)*time.Second)
		if err != nil {
			return result{}, err
		}
		shares = append(shares, share)
	}
	low, middle, high := spread(shares)
	text := fmt.Sprintf("%.3f %% (%.3f to %.3f)", middle, low, high)
	return result{f, []value{{jay.name, middle, text}}}, nil
}

func restOnce(ctx context.Context, b *bench, s server, d time.Duration) (percent float64, err error) {
	p, err := s.start(ctx, b)
	if err != nil {
		return 0, err
	}
	defer p.stop()
	conns, err := openIdle(p.addr)
	defer closeIdle(conns)
	if err != nil {
		return 0, err
	}
	return p.share(ctx, d)
}

// share is the part of a core that the server takes for d, in percent, a second
// after what was done before.
func (p *process) share(ctx context.Context, d time.Duration) (percent float64, err error) {
	var used [2]time.Duration
	for i, wait := range []time.Duration{time.Second, d} {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(wait):
		}
		if used[i], err = cpuOf(p.server()); err != nil {
			return 0, err
		}
	}
	return 100 * float64(used[1]-used[0]) / float64(d), nil
}

// idleEnd measures how long after its deadline the last of many idle
// connections sees its end. None may see it earlier. What else the machine does
// only ever adds to that, so the figure is the least of the rounds.
func idleEnd(ctx context.Context, b *bench, f figure, o options) (result, error) {
	if err := pin(clientCore); err != nil {
		return result{}, err
	}
	var lasts []float64
	for range min(o.rounds, 3) {
		late, err := idleEndOnce(ctx, b, f.servers[0])
		if err != nil {
			return result{}, err
		}
		lasts = append(lasts, late)
		if o.short && late <= f.goal {
			break
		}
	}
	low, middle, high := spread(lasts)
	text := fmt.Sprintf("%.0f ms (median %.0f, greatest %.0f)", low, middle, high)
	return result{f, []value{{jay.name, low, text}}}, nil
}

func idleEndOnce(ctx context.Context, b *bench, s server) (last float64, err error) {
	p, err := s.start(ctx, b)
	if err != nil {
		return 0, err
	}
	defer p.stop()
	conns, err := openIdle(p.addr)
	defer closeIdle(conns)
	if err != nil {
		return 0, err
	}
	lates := make([]float64, len(conns))
	errs := make([]error, len(conns))
	var all sync.WaitGroup
	for i, c := range conns {
		all.Go(func() {
			c.SetReadDeadline(time.Now().Add(3 * soon))
			if _, err := c.Read(make([]byte, 1)); err != io.EOF {
				errs[i] = fmt.Errorf("an idle connection ended with %v", err)
			}
			lates[i] = float64(time.Since(c.used)-soon) / 1e6
		})
	}
	all.Wait()
	if early := slices.Min(lates); early < 0 {
		errs = append(errs, fmt.Errorf("a connection was closed %.1f ms before its deadline", -early))
	}
	return slices.Max(lates), errors.Join(append(errs, ctx.Err())...)
}

// idleConn is a connection and when it was last used.
type idleConn struct {
	net.Conn
	used time.Time // just before the client sent
}

// openIdle opens connections, on each of which one line has come back.
func openIdle(addr string) (conns []idleConn, err error) {
	answer := make([]byte, 2)
	for range manyConnections {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return conns, err
		}
		conns = append(conns, idleConn{c, time.Now()})
		if _, err := io.WriteString(c, "x\n"); err != nil {
			return conns, err
		}
		if _, err := io.ReadFull(c, answer); err != nil {
			return conns, err
		}
	}
	return conns, nil
}

func closeIdle(conns []idleConn) {
	for _, c := range conns {
		reset.Close(c.Conn)
	}
}
