package main

import (
	"context"
	"fmt"
)

// cpuOfACrowd compares, in each round, what a request costs a server with many
// busy connections and with few: beyond the few everything that belongs to a
// connection has to be fetched from memory for each request.
func cpuOfACrowd(ctx context.Context, b *bench, f figure, o options) (result, error) {
	servers := f.servers
	if o.short {
		servers = servers[:1]
	}
	ratios, costs := make([][]float64, len(servers)), make([][]float64, len(servers))
	for round := range o.rounds {
		for i, s := range servers {
			var cost [2]float64
			for k, n := range [...]int{fewBusy, manyConnections} {
				var err error
				if cost[k], err = costOnce(ctx, b, s, load{connections: n, pipeline: 1}, 2*o.seconds); err != nil {
					return result{}, fmt.Errorf("%s, %d connections, round %d: %w", s.name, n, round+1, err)
				}
			}
			ratios[i] = append(ratios[i], cost[1]/cost[0])
			costs[i] = append(costs[i], cost[1])
		}
	}
	r := result{figure: f}
	for i, s := range servers {
		low, middle, high := spread(ratios[i])
		_, ns, _ := spread(costs[i])
		r.values = append(r.values, value{s.name, middle, fmt.Sprintf("%.2f × that on %d (%.2f to %.2f; %.2f µs)", middle, fewBusy, low, high, ns/1e3)})
	}
	return r, nil
}

// fewBusy is with how many connections a request costs least.
const fewBusy = 64
