package supervise

import (
	"runtime/metrics"

	"github.com/jay-go/jay/control"
)

// figures are those of the worker, and of each of its loops where there are
// several.
func (w *Worker) figures() (sum control.Stats, loops []control.LoopStats) {
	w.mu.Lock()
	live, sum := w.reporting(), w.past
	w.mu.Unlock()
	for _, r := range live {
		s := control.Stats{}
		if r.loop.Stats != nil {
			s = r.loop.Stats()
		}
		sum = sumOf(sum, s)
		loops = append(loops, control.LoopStats{Name: r.loop.Name, Stats: s})
	}
	if len(loops) < 2 {
		loops = nil
	}
	return sum, loops
}

// loopsInMessage is how many loops one message tells of at most.
const loopsInMessage = 16

// answerStats sends the worker's figures, in parts where there are many loops or
// figures of the program.
func (w *Worker) answerStats(seq uint64) {
	w.answering.Lock()
	defer w.answering.Unlock()
	sum, loops := w.figures()
	values := w.metricValues()
	m := message{Kind: msgStats, Seq: seq, Stats: &sum, Heap: heapBytes(), LogDropped: w.logDropped(), Health: w.health()}
	for {
		n := min(len(loops), loopsInMessage)
		m.Loops, loops = loops[:n], loops[n:]
		m.Metrics = nil
		if n == 0 {
			n = min(len(values), metricsInOne)
			m.Metrics, values = values[:n], values[n:]
		}
		m.More = len(loops)+len(values) > 0
		w.reply(m)
		if !m.More {
			return
		}
	}
}

// logDropped is how many lines of the logger were dropped.
func (w *Worker) logDropped() int64 {
	if w.lines == nil {
		return 0
	}
	dropped, _ := w.lines.Counted()
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
