package supervise

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jay-go/jay/internal/sys"
)

// tailLines are kept of a worker's standard error.
const tailLines = 20

// capture reads what a process writes, line by line. The reading goroutine
// never waits for anybody but the process.
type capture struct {
	f    *os.File
	fd   int
	line func(string) // called for each line, by one goroutine at a time
	done chan struct{}

	partial []byte   // of the reading goroutine, after done of the closer
	tail    []string // likewise
	fatal   string   // the first line that says why the process dies; likewise
}

// newCapture takes over the reading end of a pipe; partial is what an earlier
// reader had of an unfinished line.
func newCapture(fd int, partial []byte, line func(string)) *capture {
	c := &capture{f: os.NewFile(uintptr(fd), "output"), fd: fd, line: line, partial: partial, done: make(chan struct{})}
	go c.read()
	return c
}

func (c *capture) read() {
	defer close(c.done)
	buf := make([]byte, 8<<10)
	for {
		n, err := c.f.Read(buf)
		c.take(buf[:n])
		if err != nil {
			return
		}
	}
}

func (c *capture) take(b []byte) {
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		if i < 0 && len(c.partial)+len(b) < maxLine {
			c.partial = append(c.partial, b...)
			return
		}
		end, skip := i, i+1
		if i < 0 || len(c.partial)+i > maxLine {
			end = min(len(b), maxLine-len(c.partial))
			skip = end
		}
		c.emit(string(append(c.partial, b[:end]...)))
		c.partial = c.partial[:0]
		b = b[skip:]
	}
}

func (c *capture) emit(s string) {
	s = strings.TrimSuffix(s, "\r")
	c.line(s)
	if c.fatal == "" && tellsDeath(s) {
		c.fatal = s
	}
	if s == "" {
		return
	}
	if len(c.tail) == tailLines {
		c.tail = slices.Delete(c.tail, 0, 1)
	}
	c.tail = append(c.tail, s)
}

// tellsDeath reports whether a line is the one by which Go's runtime says why it
// ends the process; what follows it are goroutines and registers.
func tellsDeath(line string) bool {
	if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
		return true
	}
	name, _, ok := strings.Cut(line, ": ") // SIGSEGV: segmentation violation
	return ok && strings.HasPrefix(name, "SIG") && strings.ToUpper(name) == name && !strings.Contains(name, " ")
}

// pause stops the reading goroutine without losing anything; partial is then
// the unfinished line.
func (c *capture) pause() {
	c.f.SetReadDeadline(time.Unix(1, 0))
	<-c.done
}

// resume goes on after pause.
func (c *capture) resume() {
	c.f.SetReadDeadline(time.Time{})
	c.done = make(chan struct{})
	go c.read()
}

// finish reads what a process that has ended left in the pipe, without
// waiting, and closes it.
func (c *capture) finish() {
	c.pause()
	buf := make([]byte, 8<<10)
	for range 64 { // more than a pipe holds: somebody else may still write
		n, done := sys.ReadNow(c.fd, buf)
		if n == 0 || done {
			break
		}
		c.take(buf[:n])
	}
	if len(c.partial) > 0 {
		c.emit(string(c.partial))
		c.partial = nil
	}
	c.f.Close()
}
