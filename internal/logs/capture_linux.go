package logs

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jay-go/jay/internal/sys"
)

// tailLines is how many lines Tail has.
const tailLines = 20

// Capture reads what a process writes, line by line. The reading goroutine
// never waits for anybody but the process.
type Capture struct {
	FD int

	// They belong to the reading goroutine until Pause or Finish has returned.
	Partial []byte   // of a line that is not complete
	Tail    []string // the last lines
	Fatal   string   // the first line that says why the process dies

	f    *os.File
	line func(string) // called for each line, by one goroutine at a time
	done chan struct{}
}

// NewCapture takes over the reading end of a pipe; partial is what an earlier
// reader had of an unfinished line.
func NewCapture(fd int, partial []byte, line func(string)) *Capture {
	c := &Capture{f: os.NewFile(uintptr(fd), "output"), FD: fd, line: line, Partial: partial, done: make(chan struct{})}
	go c.read()
	return c
}

func (c *Capture) read() {
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

func (c *Capture) take(b []byte) {
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		if i < 0 && len(c.Partial)+len(b) < maxLine {
			c.Partial = append(c.Partial, b...)
			return
		}
		end, skip := i, i+1
		if i < 0 || len(c.Partial)+i > maxLine {
			end = min(len(b), maxLine-len(c.Partial))
			skip = end
		}
		c.emit(string(append(c.Partial, b[:end]...)))
		c.Partial = c.Partial[:0]
		b = b[skip:]
	}
}

func (c *Capture) emit(s string) {
	s = strings.TrimSuffix(s, "\r")
	c.line(s)
	if c.Fatal == "" && tellsDeath(s) {
		c.Fatal = s
	}
	if s == "" {
		return
	}
	if len(c.Tail) == tailLines {
		c.Tail = slices.Delete(c.Tail, 0, 1)
	}
	c.Tail = append(c.Tail, s)
}

// tellsDeath reports whether a line is the one by which Go's runtime says why it
// ends the process; what follows it are goroutines and registers.
func tellsDeath(line string) bool {
	for _, prefix := range []string{"panic: ", "fatal error: ", "runtime/cgo: "} {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	name, _, ok := strings.Cut(line, ": ") // SIGSEGV: segmentation violation
	return ok && strings.HasPrefix(name, "SIG") && strings.ToUpper(name) == name && !strings.Contains(name, " ")
}

// LastWords finds in what a process has printed the line that says why it has
// ended, or else its last one.
func LastWords(text string) (last string) {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if tellsDeath(line) {
			return line
		}
		if line != "" && !IsStackLine(line) {
			last = line
		}
	}
	return last
}

// Pause stops the reading goroutine without losing anything; partial is then
// the unfinished line.
func (c *Capture) Pause() {
	c.f.SetReadDeadline(time.Unix(1, 0))
	<-c.done
}

// Resume goes on after pause.
func (c *Capture) Resume() {
	c.f.SetReadDeadline(time.Time{})
	c.done = make(chan struct{})
	go c.read()
}

// Finish reads what a process that has ended left in the pipe, without
// waiting, and closes it.
func (c *Capture) Finish() {
	c.Pause()
	buf := make([]byte, 8<<10)
	for range 64 { // more than a pipe holds: somebody else may still write
		n, done := sys.ReadNow(c.FD, buf)
		if n == 0 || done {
			break
		}
		c.take(buf[:n])
	}
	if len(c.Partial) > 0 {
		c.emit(string(c.Partial))
		c.Partial = nil
	}
	c.f.Close()
}
