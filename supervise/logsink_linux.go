package supervise

import (
	"os"
	"sync"
	"time"
)

// sinkRing is how many lines are kept for the logs command.
const sinkRing = 1000

// logSink is the log of a master: a file or standard error, the last lines in
// memory, and those who follow it. Any goroutine may write, and never waits.
type logSink struct {
	queue *lineQueue
	file  *logFile // nil: standard error

	mu      sync.Mutex
	ring    [][]byte // guarded by mu
	readers fanOut
}

// newLogSink begins to write to file, or to standard error where it is nil.
func newLogSink(file *logFile, format string) *logSink {
	s := &logSink{file: file}
	put := os.Stderr.Write
	if file != nil {
		put = file.Write
	}
	s.queue = newLineQueue(put, nil, noteIn(format, "pid", os.Getpid()))
	return s
}

// reopen opens the log's path anew, after somebody has renamed the file.
func (s *logSink) reopen() error {
	if s.file == nil {
		return nil
	}
	return s.file.reopen()
}

// Write takes one line, newline included. It keeps no reference to b.
func (s *logSink) Write(b []byte) (int, error) {
	line := append([]byte(nil), b...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ring) == sinkRing {
		s.ring = append(s.ring[:0], s.ring[sinkRing/10:]...)
	}
	s.ring = append(s.ring, line)
	s.readers.send(line)
	return s.queue.Write(line)
}

// counted is how many lines the service has dropped, and what is wrong with
// the log now.
func (s *logSink) counted() (dropped int64, failure string) { return s.queue.counted() }

// leave writes what is queued, for at most d, before another master continues.
// It returns what is lost in all, and how much of it the log does not tell of.
func (s *logSink) leave(d time.Duration) (dropped, untold int64) {
	s.queue.flush(d)
	return s.queue.abandon()
}

// close closes the file. Nothing may be written after it, and the queue is closed.
func (s *logSink) close() {
	if s.file != nil {
		s.file.close()
	}
}

// remember puts the lines of an earlier master before ours, and counts on.
func (s *logSink) remember(lines []string, dropped, untold int64) {
	s.queue.inherit(dropped, untold)
	s.mu.Lock()
	defer s.mu.Unlock()
	var old [][]byte
	for _, l := range lines {
		old = append(old, []byte(l))
	}
	s.ring = append(old, s.ring...)
}

// last returns the last n lines.
func (s *logSink) last(n int) [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([][]byte(nil), s.ring[max(0, len(s.ring)-n):]...)
}

// follow returns the last n lines and a reader of those that come.
func (s *logSink) follow(n int) (lines [][]byte, more *fanReader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([][]byte(nil), s.ring[max(0, len(s.ring)-n):]...), s.readers.join()
}
