package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/supervise"
)

// samples are files, one each, whose names sort by time: what the processes
// of this program have in common.
type samples struct {
	dir   string
	every time.Duration
	keep  int
}

// sample is the task: it writes a file in each interval until it has to end.
func (s *samples) sample(ctx context.Context, w *supervise.Worker) error {
	return s.repeat(ctx, func(now time.Time) error {
		load, err := os.ReadFile("/proc/loadavg")
		if err != nil {
			return err
		}
		name := now.UTC().Format("20060102T150405.000000000") + ".sample"
		return writeWhole(filepath.Join(s.dir, name), load)
	})
}

// clean is the program without an address. Unlike a task it says itself when
// it is ready.
func (s *samples) clean(ctx context.Context, w *supervise.Worker) error {
	if err := w.Ready(); err != nil {
		return err
	}
	return s.repeat(ctx, func(time.Time) error {
		files, err := s.files()
		for _, old := range files[:max(0, len(files)-s.keep)] {
			err = errors.Join(err, os.Remove(old))
		}
		return err
	})
}

// repeat does the work in each interval. The end of ctx is that of the
// process; an error is too, and the master starts another.
func (s *samples) repeat(ctx context.Context, work func(now time.Time) error) error {
	if s.every <= 0 {
		return fmt.Errorf("--every is %v; it has to be more than 0", s.every)
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			if err := work(now); err != nil {
				return err
			}
		}
	}
}

// answer is called on the loop, which must not wait for a disk: a goroutine
// does, and brings the answer back.
func (s *samples) answer(c *jay.Conn, line string) {
	client := c.Ref()
	c.Hold() // an answer is coming, even if the client sends no more
	go func() {
		text := s.newest()
		_ = client.Do(func(c *jay.Conn) {
			_, _ = c.WriteString(text)
			c.Release()
		})
	}()
}

func (s *samples) newest() string {
	files, err := s.files()
	if err == nil && len(files) == 0 {
		return "no sample yet\n"
	}
	var b []byte
	if err == nil {
		b, err = os.ReadFile(files[len(files)-1])
	}
	if err != nil {
		return "no sample: " + err.Error() + "\n"
	}
	return string(b)
}

// files lists the samples, oldest first.
func (s *samples) files() ([]string, error) {
	return filepath.Glob(filepath.Join(s.dir, "*.sample"))
}

// writeWhole writes a file so that a reader sees all of it or nothing.
func writeWhole(name string, b []byte) error {
	if err := os.WriteFile(name+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}
