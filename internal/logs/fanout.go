package logs

import (
	"sync"
	"sync/atomic"
)

// FanOut gives pieces of text to whoever reads at the moment. Any goroutine may
// use it, and nobody who sends ever waits.
type FanOut struct {
	mu      sync.Mutex
	readers map[*FanReader]struct{} // guarded by mu
}

// FanReader is one who reads. What its queue cannot hold it misses.
type FanReader struct {
	More   chan []byte
	Missed atomic.Int64
	from   *FanOut
}

// Join begins to read; leave ends it.
func (f *FanOut) Join() *FanReader {
	r := &FanReader{More: make(chan []byte, 256), from: f}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.readers == nil {
		f.readers = map[*FanReader]struct{}{}
	}
	f.readers[r] = struct{}{}
	return r
}

func (r *FanReader) Leave() {
	r.from.mu.Lock()
	defer r.from.mu.Unlock()
	delete(r.from.readers, r)
}

// Send gives b, which nobody may change any more, to every reader.
func (f *FanOut) Send(b []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for r := range f.readers {
		select {
		case r.More <- b:
		default:
			r.Missed.Add(1)
		}
	}
}

// HasReaders reports whether anybody reads.
func (f *FanOut) HasReaders() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.readers) > 0
}
