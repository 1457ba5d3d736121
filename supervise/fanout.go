package supervise

import (
	"sync"
	"sync/atomic"
)

// fanOut gives pieces of text to whoever reads at the moment. Any goroutine may
// use it, and nobody who sends ever waits.
type fanOut struct {
	mu      sync.Mutex
	readers map[*fanReader]struct{} // guarded by mu
}

// fanReader is one who reads. What its queue cannot hold it misses.
type fanReader struct {
	more   chan []byte
	missed atomic.Int64
	from   *fanOut
}

// join begins to read; leave ends it.
func (f *fanOut) join() *fanReader {
	r := &fanReader{more: make(chan []byte, 256), from: f}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.readers == nil {
		f.readers = map[*fanReader]struct{}{}
	}
	f.readers[r] = struct{}{}
	return r
}

func (r *fanReader) leave() {
	r.from.mu.Lock()
	defer r.from.mu.Unlock()
	delete(r.from.readers, r)
}

// send gives b, which nobody may change any more, to every reader.
func (f *fanOut) send(b []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for r := range f.readers {
		select {
		case r.more <- b:
		default:
			r.missed.Add(1)
		}
	}
}

// read reports whether anybody reads.
func (f *fanOut) read() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.readers) > 0
}
