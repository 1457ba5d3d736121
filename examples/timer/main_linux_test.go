package main

import (
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func TestCounts(t *testing.T) {
	s := exampletest.Start(t, "--workers", "1", "--every", "20ms", "--for", "1h")
	began := time.Now()
	p := s.Dial("timer")
	p.Expect("1\n2\n3\n4\n5\n")
	if took := time.Since(began); took < 4*20*time.Millisecond {
		t.Errorf("five counts, 20 ms apart, came within %v", took)
	}
	p.Send("?")
	for {
		if line := p.Line(); strings.HasPrefix(line, "the worker is ") {
			break
		}
	}
}

func TestGoodbye(t *testing.T) {
	p := exampletest.Start(t, "--workers", "1", "--every", "1h", "--for", "50ms").Dial("timer")
	p.Expect("goodbye, after 50ms\n")
	p.ExpectEnd()
}

// TestTimersGo: a client that has gone leaves no timer behind.
func TestTimersGo(t *testing.T) {
	s := exampletest.Start(t, "--workers", "1", "--every", "10ms", "--for", "1h")
	var now int
	timers := func() bool { // a worker that is late in telling may have told nothing yet
		n := s.Status().Workers[0].Timers
		if n != nil {
			now = int(*n)
		}
		return n != nil
	}
	s.Eventually("the worker's own timers", timers)
	own := now
	for range 5 {
		p := s.Dial("timer")
		p.Expect("1\n")
		s.Eventually("a client's two timers", func() bool { return timers() && now == own+2 })
		p.Close()
		s.Eventually("the client's timers are gone", func() bool { return timers() && now == own })
	}
}
