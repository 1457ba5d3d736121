package supervise

import (
	"runtime/metrics"
	"slices"
)

// ReportStats sets the function that gives the worker's figures; those that it
// leaves nil are what [DrainHTTP] counts, or not known. It is called
// from a goroutine of the package whenever the master asks, and must not block.
func (w *Worker) ReportStats(fn func() Stats) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats = fn
}

// count adds to what the worker counts by itself, until it is ended.
func (w *Worker) count(fn func() tally) (end func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tallies = append(w.tallies, &fn)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.tallies = slices.DeleteFunc(w.tallies, func(f *func() tally) bool { return f == &fn })
	}
}

// counted are the figures that the worker counts by itself.
func (w *Worker) counted() Stats {
	w.mu.Lock()
	all := slices.Clone(w.tallies)
	w.mu.Unlock()
	if len(all) == 0 {
		return Stats{}
	}
	var sum tally
	for _, fn := range all {
		t := (*fn)()
		sum.connections += t.connections
		sum.accepted += t.accepted
		sum.requests += t.requests
		sum.panics += t.panics
	}
	return Stats{Connections: &sum.connections, Accepted: &sum.accepted, Requests: &sum.requests, Panics: &sum.panics}
}

// answerStats sends the worker's figures.
func (w *Worker) answerStats(seq uint64) {
	w.mu.Lock()
	fn := w.stats
	w.mu.Unlock()
	s := w.counted()
	if fn != nil {
		s = fn().or(s)
	}
	w.reply(message{Kind: msgStats, Seq: seq, Stats: &s, Heap: heapBytes(), LogDropped: w.logDropped()})
}

// logDropped is how many lines of the logger were dropped.
func (w *Worker) logDropped() int64 {
	if w.lines == nil {
		return 0
	}
	dropped, _ := w.lines.counted()
	return dropped
}

// heapBytes is what live and not yet collected objects take.
func heapBytes() int64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return int64(sample[0].Value.Uint64())
}
