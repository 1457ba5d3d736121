package fleet

import (
	"fmt"
	"time"

	"github.com/jay-go/jay/internal/addr"
)

// Spec is what a program file says of one of its programs. Defaults are applied:
// a zero is a zero.
type Spec struct {
	Name          string        `json:"name"`
	Protocol      string        `json:"protocol"` // for display
	Listen        []string      `json:"listen"`   // as the program writes them, for package addr
	Count         int           `json:"count"`
	ReusePort     bool          `json:"reuse_port"`
	Backlog       int           `json:"backlog"`
	StartTimeout  time.Duration `json:"start_timeout"` // NoTimeout: none
	StopTimeout   time.Duration `json:"stop_timeout"`  // NoTimeout: none
	NotReloadable bool          `json:"not_reloadable"`
	Exclusive     bool          `json:"exclusive,omitempty"`

	// What a worker is replaced for when it has reached it, which is measured
	// elsewhere (Replace); 0: no limit.
	MaxRequests int64         `json:"max_requests"`
	MaxAge      time.Duration `json:"max_age"`
	MaxRSS      int64         `json:"max_rss"`

	Limits map[string]float64 `json:"limits"` // of the program itself, for display
}

// NoTimeout stands for "no limit" wherever a duration is computed with.
const NoTimeout time.Duration = -1

// Limits of what a service may consist of. Whatever has to be sized for it is
// derived from these.
const (
	MaxWorkers     = 1024 // of all programs together
	MaxSockets     = 4096 // likewise; an address with a socket for each worker counts as often
	MaxGenerations = 3    // that live at once; as many processes of one slot
	MaxProcesses   = 2 * MaxWorkers * MaxGenerations
)

// CheckSize says why a service cannot consist of programs.
func CheckSize(specs []Spec) error {
	var sum size
	for i := range specs {
		if err := sum.add(&specs[i], specs[i].Count); err != nil {
			return err
		}
	}
	return nil
}

// size adds up what a service consists of.
type size struct{ workers, sockets int }

// add adds a program with a number of workers. The error says which limit that
// exceeds.
func (z *size) add(s *Spec, workers int) error {
	z.workers += workers
	z.sockets += s.Sockets(workers)
	switch {
	case z.workers > MaxWorkers:
		return fmt.Errorf("program %s: %d workers in all, at most %d are possible", s.Name, z.workers, MaxWorkers)
	case z.sockets > MaxSockets:
		return fmt.Errorf("program %s: %d sockets in all, at most %d are possible; an address with a socket for each worker counts as often",
			s.Name, z.sockets, MaxSockets)
	}
	return nil
}

// Sockets is how many sockets the program wants with a number of workers.
func (s *Spec) Sockets(workers int) int {
	total := 0
	for _, text := range s.Listen {
		total++
		if a, err := addr.Parse(text); err == nil && s.perSlot(a) {
			total += workers - 1
		}
	}
	return total
}

// perSlot reports whether each worker has a socket of its own for an address. A
// Unix path can be bound once.
func (s *Spec) perSlot(a addr.Addr) bool {
	return (s.ReusePort || a.Datagram()) && a.Scheme != addr.Unix
}

// Place is which of the program's addresses a socket is for, or -1.
func (s *Spec) Place(key SocketKey) int {
	seen := 0
	for i, text := range s.Listen {
		a, err := addr.Parse(text)
		if err != nil || a.String() != key.Addr {
			continue
		}
		if seen == key.Nth {
			return i
		}
		seen++
	}
	return -1
}

// configured is how the program writes the address of a socket.
func (s *Spec) configured(key SocketKey) string {
	if i := s.Place(key); i >= 0 {
		return s.Listen[i]
	}
	return key.Addr
}

// CheckCount says why the program cannot have a number of workers.
func (s *Spec) CheckCount(n int) error {
	if s.Exclusive && n != 1 {
		return fmt.Errorf("%s=%d: the program is exclusive, so it has one worker", s.Name, n)
	}
	return nil
}
