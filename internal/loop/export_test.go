package loop

import (
	"sync/atomic"
	"time"
)

// BackendNames lists the backends of this platform, the best first.
func BackendNames() (names []string) {
	for _, k := range backends {
		names = append(names, k.name)
	}
	return names
}

// CountPolls counts from now on how often l asks its backend. It is called
// before Run.
func CountPolls(l *Loop) *atomic.Int64 {
	c := &countingBackend{backend: l.be}
	l.be = c
	return &c.polls
}

type countingBackend struct {
	backend
	polls atomic.Int64
}

func (c *countingBackend) poll(timeout time.Duration) error {
	c.polls.Add(1)
	return c.backend.poll(timeout)
}
