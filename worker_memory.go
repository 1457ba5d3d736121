package jay

import (
	"runtime"
	"time"
)

// trimEvery is how often a half of what the pool has too much is dropped.
const trimEvery = 100 * time.Millisecond

func (w *Worker) trim() {
	w.trimming = w.pool.trim()
	if w.trimming {
		w.loop.AfterFunc(trimEvery, w.trim)
	}
}

// collectFrom is how much memory is given back before it is collected.
func (w *Worker) collectFrom() int { return max(min(4<<20, w.maxBuffered/2), w.maxBuffered/8) }

// collect has the memory that connections have given back collected before the
// heap has doubled: the budget is for what the process takes, and what nobody
// has collected counts for that. Large buffers cost a collection nothing, for
// there are no pointers in them.
func (w *Worker) collect() {
	w.pool.collecting = w.pool.dropped
	w.help(func() {
		runtime.GC()
		_ = w.loop.PostAnyway(func() { w.pool.collected(w.pool.collecting) }) // 0 if it has been meanwhile
	})
}
