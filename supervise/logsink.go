package supervise

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	maxLine   = 8 << 10 // bytes; a longer line of a worker is split
	sinkQueue = 4096    // lines that may wait for a slow log
	sinkRing  = 1000    // lines kept for the logs command
)

// logSink writes lines to the log on a goroutine of its own. Whoever logs never
// waits: what the queue cannot hold is dropped and counted.
type logSink struct {
	queue chan []byte
	done  chan struct{}

	mu      sync.Mutex
	out     io.Writer // guarded by mu; where lines go
	file    *os.File  // guarded by mu; out, where it is a file of ours
	path    string    // of file; "" for standard error
	max     int64     // bytes before it is renamed; negative: never
	size    int64     // guarded by mu
	dropped int64     // guarded by mu
	ring    [][]byte  // guarded by mu
	readers fanOut
}

// newLogSink begins to write. path "" means w.
func newLogSink(w io.Writer, path string, maxSize int64) (*logSink, error) {
	if maxSize == 0 {
		maxSize = 100 << 20
	}
	s := &logSink{
		queue: make(chan []byte, sinkQueue), done: make(chan struct{}), out: w, path: path, max: maxSize,
	}
	if path != "" {
		if err := s.reopen(); err != nil {
			return nil, err
		}
	}
	go s.run()
	return s, nil
}

// reopen opens the log's path anew, after somebody has renamed the file.
func (s *logSink) reopen() error {
	if s.path == "" {
		return nil
	}
	f, err := os.OpenFile(s.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		s.file.Close()
	}
	s.file, s.out, s.size = f, f, fi.Size()
	return nil
}

// Write queues one line, newline included. It keeps no reference to b.
func (s *logSink) Write(b []byte) (int, error) {
	line := append([]byte(nil), b...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ring) == sinkRing {
		s.ring = append(s.ring[:0], s.ring[sinkRing/10:]...)
	}
	s.ring = append(s.ring, line)
	s.readers.send(line)
	select {
	case s.queue <- line:
	default:
		s.dropped++
	}
	return len(b), nil
}

func (s *logSink) run() {
	defer close(s.done)
	for line := range s.queue {
		s.mu.Lock()
		lost := s.dropped
		s.mu.Unlock()
		if lost > 0 {
			note := fmt.Sprintf("%s log: %d lines dropped\n", time.Now().Format(time.RFC3339), lost)
			if _, err := s.put([]byte(note)); err == nil {
				s.mu.Lock()
				s.dropped -= lost
				s.mu.Unlock()
			}
		}
		n, err := s.put(line)
		s.mu.Lock()
		if err != nil {
			s.dropped++
		}
		s.size += int64(n)
		rotate := s.file != nil && s.max > 0 && s.size > s.max
		s.mu.Unlock()
		if rotate && os.Rename(s.path, s.path+".1") == nil {
			s.reopen() // on failure the old file goes on
		}
	}
}

// put writes to the log as it is now, also when it is reopened meanwhile.
func (s *logSink) put(b []byte) (n int, err error) {
	for {
		s.mu.Lock()
		out := s.out
		s.mu.Unlock()
		n, err = out.Write(b)
		s.mu.Lock()
		same := s.out == out
		s.mu.Unlock()
		if same || !errors.Is(err, os.ErrClosed) {
			return n, err
		}
	}
}

// flush waits until what is queued has been written, or the time is over.
func (s *logSink) flush(d time.Duration) {
	deadline := time.Now().Add(d)
	for len(s.queue) > 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
}

// close writes what is queued, for at most d. Nothing may be written after it.
func (s *logSink) close(d time.Duration) {
	close(s.queue)
	select {
	case <-s.done:
	case <-time.After(d):
	}
}

// remember puts the lines of an earlier master before ours.
func (s *logSink) remember(lines []string) {
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

// parseLevel reads --log-level.
func parseLevel(s string) (slog.Level, error) {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	l, ok := levels[s]
	if !ok {
		return 0, usagef("--log-level %q; write debug, info, warn or error", s)
	}
	return l, nil
}

// newHandler formats records in the log's format.
func newHandler(w io.Writer, format, level string) slog.Handler {
	l, err := parseLevel(level)
	if err != nil {
		l = slog.LevelInfo
	}
	if format == "json" {
		return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: l})
	}
	return slog.NewTextHandler(w, &slog.HandlerOptions{Level: l})
}

// outputLine formats a line that a worker wrote.
func outputLine(format, program string, slot, pid int, stream, line string) []byte {
	line = printable(line, maxLine)
	if format == "json" {
		if strings.HasPrefix(line, "{") && json.Valid([]byte(line)) { // it logs JSON itself
			return fmt.Appendf(nil, `{"program":%q,"slot":%d,"pid":%d,"stream":%q,"record":%s}`+"\n", program, slot, pid, stream, line)
		}
		b, err := json.Marshal(map[string]any{
			"time": time.Now(), "level": "INFO", "msg": line, "program": program, "slot": slot, "pid": pid, "stream": stream,
		})
		if err == nil {
			return append(b, '\n')
		}
	}
	return fmt.Appendf(nil, "%s/%d[%d] %s\n", program, slot, pid, line)
}

// nothing is a context for slog calls.
func nothing() context.Context { return context.Background() }
