package main

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// A load is what wrk puts on a server.
type load struct {
	connections int
	pipeline    int    // requests in one segment
	close       bool   // each request says Connection: close
	cores       string // of wrk; "": the client's
}

//go:embed pipeline.lua
var pipelineScript []byte

// cpuPerRequest measures all servers in turn, round after round, each time
// with a fresh process, and compares within each round: what the machine does
// besides then hits all of them alike: the first server is what the others are held against.
func cpuPerRequest(ctx context.Context, b *bench, f figure, o options) (result, error) {
	servers := f.servers
	if o.short {
		servers = servers[:2]
	}
	costs := make([][]float64, len(servers)) // by server, then round: ns per request
	for round := range o.rounds {
		for i, s := range servers {
			cost, err := costOnce(ctx, b, s, f.load, o.seconds)
			if err != nil {
				return result{}, fmt.Errorf("%s, round %d: %w", s.name, round+1, err)
			}
			costs[i] = append(costs[i], cost)
		}
	}
	r := result{figure: f}
	for i, s := range servers {
		ratios := make([]float64, o.rounds)
		for round := range ratios {
			ratios[round] = costs[i][round] / costs[0][round]
		}
		low, middle, high := spread(ratios)
		_, ns, _ := spread(costs[i])
		text := fmt.Sprintf("%.2f × %s (%.2f to %.2f; %.2f µs)", middle, servers[0].name, low, high, ns/1e3)
		if i == 0 {
			text = fmt.Sprintf("%.2f µs", ns/1e3)
		}
		r.values = append(r.values, value{s.name, middle, text})
	}
	return r, nil
}

// costOnce starts a server, loads it and returns its CPU nanoseconds per
// request. A short load before lets it grow its pools and its heap.
func costOnce(ctx context.Context, b *bench, s server, l load, seconds int) (float64, error) {
	p, err := s.start(ctx, b)
	if err != nil {
		return 0, err
	}
	defer p.stop()
	if _, err := wrk(ctx, b, p.addr, l, 1+l.connections/3000); err != nil {
		return 0, err
	}
	before, err := p.cpu()
	if err != nil {
		return 0, err
	}
	requests, err := wrk(ctx, b, p.addr, l, seconds)
	if err != nil {
		return 0, err
	}
	after, err := p.cpu()
	if err != nil {
		return 0, err
	}
	return float64(after-before) / float64(requests), nil
}

// wrk loads addr and returns how many requests were answered. Any that was
// not answered with 200 is an error.
func wrk(ctx context.Context, b *bench, addr string, l load, seconds int) (int, error) {
	script := b.path("pipeline.lua")
	if err := os.WriteFile(script, pipelineScript, 0o600); err != nil {
		return 0, err
	}
	args := []string{"-c", cmp.Or(l.cores, clientCore), "wrk", "-t1", "-c", strconv.Itoa(l.connections), "-d", strconv.Itoa(seconds), "--timeout", "10s"}
	if l.close {
		args = append(args, "-H", "Connection: close")
	}
	if l.pipeline > 1 {
		args = append(args, "-s", script, "http://"+addr+"/", "--", strconv.Itoa(l.pipeline))
	} else {
		args = append(args, "http://"+addr+"/")
	}
	out, err := exec.CommandContext(ctx, "taskset", args...).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	return parseWrk(string(out))
}

var wrkRequests = regexp.MustCompile(`(?m)^\s*(\d+) requests in `)

// parseWrk reads the report of wrk.
func parseWrk(out string) (requests int, err error) {
	for _, bad := range []string{"Socket errors", "Non-2xx"} {
		if strings.Contains(out, bad) {
			return 0, fmt.Errorf("wrk met failures:\n%s", out)
		}
	}
	m := wrkRequests.FindStringSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("wrk reported no number of requests:\n%s", out)
	}
	requests, err = strconv.Atoi(m[1])
	if err == nil && requests == 0 {
		err = fmt.Errorf("wrk got no answer:\n%s", out)
	}
	return requests, err
}
