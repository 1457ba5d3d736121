package logs

import (
	"bytes"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	maxQueued  = 4 << 20     // bytes that may wait for a slow log
	perLine    = 64          // bytes that a line which waits costs besides
	retryLines = time.Second // how often a log that fails is tried without a line to write
)

// Queue writes lines on a goroutine of its own, so that whoever logs never
// waits. What the queue cannot hold, or cannot be written, is dropped and
// counted, and the log says so once it takes lines again.
type Queue struct {
	put  func([]byte) (int, error) // writes; may block, and is called by the goroutine alone
	now  func([]byte) (int, error) // nil, or writes what it can without waiting, with mu held
	note func(lost int64) []byte   // the line that tells of dropped ones
	wake chan struct{}
	done chan struct{}

	mu      sync.Mutex
	lines   []queued // guarded by mu
	size    int      // guarded by mu; of lines
	writing bool     // guarded by mu; put may be running
	putting bool     // guarded by mu; put is running
	closed  bool     // guarded by mu
	dropped int64    // guarded by mu; since the start
	gap     int64    // guarded by mu; of these, those that would have come after lines
	untold  int64    // guarded by mu; of these, those that the log has to tell of now
	failure string   // guarded by mu; why the last write failed, "" when it did not

	rest []byte // of the goroutine: what is left of a line that was written in part
}

// queued is a line, or the place of some that are lost.
type queued struct {
	line []byte
	lost int64
}

// NewQueue begins to write with put.
func NewQueue(put, now func([]byte) (int, error), note func(lost int64) []byte) *Queue {
	q := &Queue{put: put, now: now, note: note, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go q.run()
	return q
}

// Write takes one line, newline included. It keeps no reference to b.
func (q *Queue) Write(b []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		q.dropped++
		return len(b), nil
	}
	var begun int
	if q.now != nil && !q.writing && len(q.lines) == 0 {
		if n, err := q.now(b); err == nil {
			begun = n
		}
		if begun == len(b) {
			return len(b), nil
		}
	}
	if begun == 0 && q.size+len(b)+perLine > maxQueued {
		q.dropped++
		q.gap++
		return len(b), nil
	}
	if q.gap > 0 {
		q.lines = append(q.lines, queued{lost: q.gap})
		q.gap = 0
	}
	q.lines = append(q.lines, queued{line: append([]byte(nil), b[begun:]...)})
	q.size += len(b) - begun + perLine
	q.writing = true // from now on everything goes through the goroutine, in order
	q.signal()
	return len(b), nil
}

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *Queue) run() {
	defer close(q.done)
	retry := time.NewTicker(retryLines)
	defer retry.Stop()
	for {
		line, state := q.next()
		if line != nil && (!q.settle() || !q.write(line)) {
			q.mu.Lock()
			q.dropped++
			q.untold++
			q.mu.Unlock()
		}
		if state == queueMore {
			continue
		}
		if !q.settled() && !q.failing() {
			q.settle()
			continue
		}
		if state == queueEnd {
			q.settle()
			return
		}
		select {
		case <-q.wake:
		case <-retry.C:
			if !q.settled() {
				q.settle()
			}
		}
	}
}

// queueState is what follows a call of next.
type queueState int

const (
	queueMore  queueState = iota // another call
	queueEmpty                   // nothing, until there is something
	queueEnd                     // nothing
)

// next takes what comes first; it is no line where some are lost.
func (q *Queue) next() (line []byte, state queueState) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.lines) == 0 {
		q.untold, q.gap = q.untold+q.gap, 0
		q.writing = q.rest != nil || q.untold > 0
		if q.closed {
			return nil, queueEnd
		}
		return nil, queueEmpty
	}
	first := q.lines[0]
	q.lines[0], q.lines = queued{}, q.lines[1:]
	if first.line != nil {
		q.size -= len(first.line) + perLine
	}
	q.untold += first.lost
	return first.line, queueMore
}

func (q *Queue) failing() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.failure != ""
}

func (q *Queue) settled() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.rest == nil && q.untold == 0
}

// settle writes what has to come before any other line: the rest of one that
// was cut, and how many were dropped.
func (q *Queue) settle() bool {
	if rest := q.rest; rest != nil {
		q.rest = nil
		if !q.write(rest) {
			q.rest = rest
			return false
		}
		if q.rest != nil {
			return false
		}
	}
	q.mu.Lock()
	lost := q.untold
	q.mu.Unlock()
	if lost == 0 {
		return true
	}
	if !q.write(q.note(lost)) {
		return false
	}
	q.mu.Lock()
	q.untold -= lost
	q.mu.Unlock()
	return q.rest == nil
}

// write puts b out, the rest of it later where it was only begun. False means
// that nothing of it was.
func (q *Queue) write(b []byte) bool {
	q.mu.Lock()
	q.putting = true
	q.mu.Unlock()
	n, err := q.put(b)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.putting, q.failure = false, ""
	if err == nil {
		return true
	}
	q.failure = err.Error()
	if n == 0 {
		return false
	}
	q.rest = b[n:]
	return true
}

// Counted is how many lines were dropped, and what is wrong with the log now.
func (q *Queue) Counted() (dropped int64, failure string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped, q.failure
}

// Flush waits until everything is written, or cannot be, or the time is over.
func (q *Queue) Flush(d time.Duration) {
	for deadline := time.Now().Add(d); !q.idle() && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
}

func (q *Queue) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.lines) == 0 && (!q.writing || q.failure != "")
}

// Abandon counts what waits as dropped: nobody will write it. It returns what
// a queue that takes over begins with.
func (q *Queue) Abandon() (dropped, untold int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	dropped, untold = q.dropped, q.untold+q.gap
	for _, l := range q.lines {
		untold += l.lost
		if l.line != nil {
			dropped, untold = dropped+1, untold+1
		}
	}
	if q.putting {
		dropped, untold = dropped+1, untold+1
	}
	return dropped, untold
}

// Inherit begins with what another queue has left.
func (q *Queue) Inherit(dropped, untold int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.dropped += dropped
	q.untold += untold
	q.writing = true
	q.signal()
}

// Close drops later lines. The channel that it returns is closed when all that
// are queued are written, or cannot be.
func (q *Queue) Close() <-chan struct{} {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
	return q.done
}

// Note makes a Queue's note in a log's format.
func Note(format string, args ...any) func(lost int64) []byte {
	return func(lost int64) []byte {
		var line bytes.Buffer
		slog.New(NewHandler(&line, format, "warn")).Warn(fmt.Sprintf("log: %d lines dropped", lost), args...)
		return line.Bytes()
	}
}
