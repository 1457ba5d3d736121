package supervise

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"time"

	"github.com/jay-go/jay/internal/addr"
	"github.com/jay-go/jay/internal/cgroup"
	"github.com/jay-go/jay/internal/fleet"
)

// A Program is what runs in worker processes: Count processes that each call
// Run with the program's sockets. Every field but Run may be left out.
type Program struct {
	// Name tells programs apart; empty means "main".
	Name string

	// Protocol is shown in the start table and in status: "http".
	Protocol string

	// Listen are the addresses that the master opens for the workers. A
	// program without any is a background program.
	Listen []string

	// Count is the number of worker processes; zero means one a CPU, or as many
	// as a control group allows the time of, which is rounded up. Of an
	// Exclusive program it is always one.
	Count int

	// ReusePort gives every worker slot a socket of its own; false means that
	// the workers share one. Datagram sockets are always per slot.
	ReusePort bool

	// Backlog is the length of the accept queue; zero means 1024.
	Backlog int

	// Descriptors is how many descriptors one worker may want at the same time:
	// check holds it against the limits. Zero means that it makes do with what
	// it may have.
	Descriptors int

	// StartTimeout is how long a worker may take to be Ready. Zero means 10
	// seconds; negative means no limit.
	StartTimeout time.Duration

	// StopTimeout is how long a worker may drain before it is killed. Zero
	// means 10 seconds; negative means no limit but this: of one slot at most
	// three processes live, and of the whole service three generations. When a
	// reload, a scale or a replacement would make one more, the oldest that drains
	// is given 10 seconds, and the log says so.
	StopTimeout time.Duration

	// NotReloadable keeps the program's workers through reload and upgrade;
	// they are told by OnReload.
	NotReloadable bool

	// Exclusive says that no two worker processes of the program may live at the
	// same time: it owns a store, say. It has one worker, and the next starts
	// when that has ended, whatever ends it: reload, upgrade, a limit, the
	// watchdog, a crash, or the death of the master. Its sockets stay open
	// meanwhile, so clients wait and are not refused. A reload has it last, when
	// the workers of all other programs have proved themselves; if the new
	// worker fails, the code before is started again. As the next one waits,
	// idle connections are closed as in a stop, and a StopTimeout without a limit
	// makes a reload wait for as long as the drain takes.
	Exclusive bool

	// MaxRequests, MaxAge and MaxRSS, in bytes, are limits to what one worker
	// process serves. One that has come near a limit is replaced: it drains
	// when the next is ready. The workers of a program do so at different
	// times, between nine tenths of the limit and the limit, looked at about
	// once a second. Zero means no limit.
	MaxRequests int64
	MaxAge      time.Duration
	MaxRSS      int64

	// Limits are what the program itself holds its clients to, for status: by
	// name, with the unit at the end ("max_conns", "idle_timeout_s"). What has
	// no limit is left out.
	Limits map[string]float64

	// Check, if set, says what is wrong with the program where it would listen on
	// these addresses. What it refuses does not start, and check tells of it.
	Check func(listen []string) error

	// Run does the work of one worker process. It calls w.Ready when it
	// serves, and drains and returns when ctx is done: context.Cause(ctx) is
	// a *Drain. A worker that returns earlier, or panics, is restarted.
	Run func(ctx context.Context, w *Worker) error

	// OnWorkerStart runs in the worker before Run. An error ends the worker.
	OnWorkerStart func(w *Worker) error

	// OnWorkerStop runs in the worker after Run, unless it crashed.
	OnWorkerStop func(w *Worker)

	// OnReload runs in the worker when a reload reaches it: before it drains,
	// or, when the program is NotReloadable, instead. It runs beside Run, on a
	// goroutine of its own.
	OnReload func(w *Worker)
}

const (
	defaultBacklog      = 1024
	defaultStartTimeout = 10 * time.Second
	defaultStopTimeout  = 10 * time.Second
)

func (p *Program) name() string {
	if p.Name == "" {
		return "main"
	}
	return p.Name
}

func (p *Program) count() int {
	if p.Exclusive && p.Count == 0 {
		return 1
	}
	if p.Count == 0 {
		return processors("/", runtime.NumCPU())
	}
	return p.Count
}

// processors is how many of those that the machine has this process may use the
// time of; root is "/" except in tests.
func processors(root string, machine int) int {
	if limit, err := cgroup.CPUs(root, "self"); err == nil && limit > 0 {
		return min(machine, int(math.Ceil(limit)))
	}
	return machine
}

func (p *Program) backlog() int {
	if p.Backlog == 0 {
		return defaultBacklog
	}
	return p.Backlog
}

func (p *Program) startTimeout() time.Duration { return timeoutOr(p.StartTimeout, defaultStartTimeout) }
func (p *Program) stopTimeout() time.Duration  { return timeoutOr(p.StopTimeout, defaultStopTimeout) }

// timeoutOr applies the rule of the package: zero is the default, negative none.
func timeoutOr(d, def time.Duration) time.Duration {
	switch {
	case d == 0:
		return def
	case d < 0:
		return fleet.NoTimeout
	}
	return d
}

// maxAddress is how many bytes an address may have.
const maxAddress = 512

// spec is the program as data, with its defaults.
func (p *Program) spec() fleet.Spec {
	return fleet.Spec{
		Name: p.name(), Protocol: p.Protocol, Listen: p.Listen, Count: p.count(), ReusePort: p.ReusePort, Backlog: p.backlog(),
		StartTimeout: p.startTimeout(), StopTimeout: p.stopTimeout(), NotReloadable: p.NotReloadable,
		MaxRequests: p.MaxRequests, MaxAge: p.MaxAge, MaxRSS: p.MaxRSS, Limits: p.Limits, Exclusive: p.Exclusive,
	}
}

// specs are programs as data.
func specs(programs []Program) []fleet.Spec {
	var list []fleet.Spec
	for i := range programs {
		list = append(list, programs[i].spec())
	}
	return list
}

// validate finds what is wrong with a set of programs before anything starts.
func validate(programs []Program) error {
	if len(programs) == 0 {
		return fmt.Errorf("no program is given; pass at least one to Main")
	}
	names := map[string]bool{}
	users := map[addr.Addr]string{}
	for i := range programs {
		p := &programs[i]
		if err := p.validate(); err != nil {
			return fmt.Errorf("program %s: %w", p.name(), err)
		}
		if names[p.name()] {
			return fmt.Errorf("two programs are called %s; give each a Name of its own", p.name())
		}
		names[p.name()] = true
		for _, text := range p.Listen {
			a, _ := addr.Parse(text) // validated above
			if other, taken := users[a]; taken && (a.Scheme == addr.Unix || a.Port != 0) {
				return fmt.Errorf("program %s: %s is used by program %s already", p.name(), a, other)
			}
			users[a] = p.name()
		}
	}
	return fleet.CheckSize(specs(programs))
}

func (p *Program) validate() error {
	if p.Run == nil {
		return fmt.Errorf("it has no Run function")
	}
	for _, r := range p.name() {
		if r <= ' ' || r == '=' || r == ',' || r == '/' || r == 0x7f {
			return fmt.Errorf("the name has %q, which the command line needs for itself; use letters, digits and -", r)
		}
	}
	if p.Count < 0 {
		return fmt.Errorf("count is %d; write a number from 1, or 0 for one worker a CPU", p.Count)
	}
	if p.Exclusive && p.count() > 1 {
		return fmt.Errorf("count is %d; it is exclusive, so write 1", p.Count)
	}
	if p.Backlog < 0 {
		return fmt.Errorf("backlog is %d; write a positive number, or 0 for 1024", p.Backlog)
	}
	if p.Descriptors < 0 {
		return fmt.Errorf("descriptors is %d; write a positive number, or 0 for what there is", p.Descriptors)
	}
	for name, value := range p.Limits {
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return fmt.Errorf("limit %s is %v; write a number, or leave out what has no limit", name, value)
		}
	}
	if p.MaxRequests < 0 || p.MaxAge < 0 || p.MaxRSS < 0 {
		return fmt.Errorf("MaxRequests %d, MaxAge %v, MaxRSS %d; write positive limits, or 0 for none", p.MaxRequests, p.MaxAge, p.MaxRSS)
	}
	for _, text := range p.Listen {
		if len(text) > maxAddress {
			return fmt.Errorf("address %.40s…: %d bytes, at most %d are possible", text, len(text), maxAddress)
		}
		if _, err := addr.Parse(text); err != nil {
			return err
		}
	}
	if p.Check != nil {
		return p.Check(p.Listen)
	}
	return nil
}
