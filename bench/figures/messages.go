package main

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// nsPerMessage compares codecs in turns, as cpuPerRequest does servers: the
// ratio to fasthttp within each round is what counts.
func nsPerMessage(ctx context.Context, _ *bench, f figure, o options) (result, error) {
	const atOnce = 50 * time.Millisecond
	costs := map[string][]float64{}
	allocs := map[string]float64{}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for range o.rounds {
		for _, impl := range f.codecs() {
			ns, perMessage, err := timeOnce(ctx, impl.New(), atOnce)
			if err != nil {
				return result{}, fmt.Errorf("%s: %w", impl.Name, err)
			}
			costs[impl.Name] = append(costs[impl.Name], ns)
			allocs[impl.Name] = perMessage
		}
	}
	r := result{figure: f}
	for _, impl := range f.codecs() {
		ratios := make([]float64, o.rounds)
		for round := range ratios {
			ratios[round] = costs[impl.Name][round] / costs[fastHTTP.name][round]
		}
		low, middle, high := spread(ratios)
		_, ns, _ := spread(costs[impl.Name])
		text := fmt.Sprintf("%.2f × fasthttp (%.2f to %.2f; %.0f ns, %.0f allocations)", middle, low, high, ns, allocs[impl.Name])
		r.values = append(r.values, value{impl.Name, middle, text})
	}
	return r, nil
}

// timeOnce repeats once for about d and returns what one of it took.
func timeOnce(ctx context.Context, once func() error, d time.Duration) (ns, allocs float64, err error) {
	const batch = 1000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, began := 0, time.Now()
	for time.Since(began) < d {
		for range batch {
			if err := once(); err != nil {
				return 0, 0, err
			}
		}
		n += batch
	}
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	return float64(took) / float64(n), float64((after.Mallocs - before.Mallocs) / uint64(n)), ctx.Err()
}
