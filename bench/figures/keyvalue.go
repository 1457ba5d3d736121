package main

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
)

// Servers that speak Redis's protocol; jay's is examples/resp.
var (
	redis = server{name: "redis", start: startRedis}
	resp  = server{name: jay.name, start: startJayProgram("resp")}
)

func startRedis(ctx context.Context, b *bench) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	return startAccepting(ctx, addr, "redis-server", "--logfile", b.path("redis.log"), "--bind", host(addr), "--port", port(addr), "--dir", b.dir,
		"--save", "", "--appendonly", "no", "--loglevel", "warning")
}

// operationCost is cpuPerRequest with redis-benchmark as the client.
func operationCost(command string, pipeline int) func(context.Context, *bench, figure, options) (result, error) {
	return func(ctx context.Context, b *bench, f figure, o options) (result, error) {
		costs := make([][]float64, len(f.servers)) // by server, then round: ns per operation
		operations := 80_000 * o.seconds
		if pipeline > 1 {
			operations *= 8 // such take less time
		}
		for range o.rounds {
			for i, s := range f.servers {
				cost, err := operationCostOnce(ctx, b, s, command, pipeline, operations)
				if err != nil {
					return result{}, fmt.Errorf("%s: %w", s.name, err)
				}
				costs[i] = append(costs[i], cost)
			}
		}
		return besideFirst(f, f.servers, costs), nil
	}
}

func operationCostOnce(ctx context.Context, b *bench, s server, command string, pipeline, operations int) (float64, error) {
	p, err := s.start(ctx, b)
	if err != nil {
		return 0, err
	}
	defer p.stop()
	// The first run lets the server grow its heap and fills the keys.
	for _, c := range []string{"set", command} {
		if err := redisBenchmark(ctx, p.addr, c, pipeline, operations/4); err != nil {
			return 0, err
		}
	}
	before, err := p.cpu()
	if err != nil {
		return 0, err
	}
	if err := redisBenchmark(ctx, p.addr, command, pipeline, operations); err != nil {
		return 0, err
	}
	after, err := p.cpu()
	return float64(after-before) / float64(operations), err
}

// redisBenchmark sends operations on 50 connections, with 10,000 keys. It ends
// with an error at the first error reply.
func redisBenchmark(ctx context.Context, addr, command string, pipeline, operations int) error {
	argv := []string{"-c", clientCore, "redis-benchmark", "-h", host(addr), "-p", port(addr), "-q", "-c", "50", "-r", "10000",
		"-t", command, "-P", strconv.Itoa(pipeline), "-n", strconv.Itoa(operations)}
	if out, err := exec.CommandContext(ctx, "taskset", argv...).CombinedOutput(); err != nil {
		return fmt.Errorf("redis-benchmark: %w\n%s", err, out)
	}
	return nil
}
