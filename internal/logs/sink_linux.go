package logs

import (
	"os"
	"sync"
	"time"
)

// sinkRing is how many lines are kept for the logs command.
const sinkRing = 1000

// Sink is the log of a master: a file or standard error, the last lines in
// memory, and those who follow it. Any goroutine may write, and never waits.
type Sink struct {
	queue *Queue
	file  *File // nil: standard error

	mu      sync.Mutex
	ring    [][]byte // guarded by mu
	readers FanOut
}

// NewSink begins to write to file, or to standard error where it is nil.
func NewSink(file *File, format string) *Sink {
	s := &Sink{file: file}
	put := os.Stderr.Write
	if file != nil {
		put = file.Write
	}
	s.queue = NewQueue(put, nil, Note(format, "pid", os.Getpid()))
	return s
}

// Reopen opens the log's path anew, after somebody has renamed the file.
func (s *Sink) Reopen() error {
	if s.file == nil {
		return nil
	}
	return s.file.Reopen()
}

// Write takes one line, newline included. It keeps no reference to b.
func (s *Sink) Write(b []byte) (int, error) {
	line := append([]byte(nil), b...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ring) == sinkRing {
		s.ring = append(s.ring[:0], s.ring[sinkRing/10:]...)
	}
	s.ring = append(s.ring, line)
	s.readers.Send(line)
	return s.queue.Write(line)
}

// Counted is how many lines the service has dropped, and what is wrong with
// the log now.
func (s *Sink) Counted() (dropped int64, failure string) { return s.queue.Counted() }

// Leave writes what is queued, for at most d, before another master continues.
// It returns what is lost in all, and how much of it the log does not tell of.
func (s *Sink) Leave(d time.Duration) (dropped, untold int64) {
	s.queue.Flush(d)
	return s.queue.Abandon()
}

// End takes no more lines. The channel that it returns is closed when all that are
// queued are written, or cannot be.
func (s *Sink) End() <-chan struct{} { return s.queue.Close() }

// Idle reports whether nothing waits to be written that can be.
func (s *Sink) Idle() bool { return s.queue.idle() }

// InFile reports whether the log is a file, and not standard error.
func (s *Sink) InFile() bool { return s.file != nil }

// Close closes the file, after End.
func (s *Sink) Close() {
	if s.file != nil {
		s.file.Close()
	}
}

// Remember puts the lines of an earlier master before ours, and counts on.
func (s *Sink) Remember(lines []string, dropped, untold int64) {
	s.queue.Inherit(dropped, untold)
	s.mu.Lock()
	defer s.mu.Unlock()
	var old [][]byte
	for _, l := range lines {
		old = append(old, []byte(l))
	}
	s.ring = append(old, s.ring...)
}

// Last returns the last n lines.
func (s *Sink) Last(n int) [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([][]byte(nil), s.ring[max(0, len(s.ring)-n):]...)
}

// Follow returns the last n lines and a reader of those that come.
func (s *Sink) Follow(n int) (lines [][]byte, more *FanReader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([][]byte(nil), s.ring[max(0, len(s.ring)-n):]...), s.readers.Join()
}
