package loop

import (
	"fmt"
	"log/slog"
	"time"
)

// Config configures a [Loop]. The zero value works.
type Config struct {
	// Backend is "epoll", "goroutine", or "auto" (also ""): the best that the
	// platform has.
	Backend string

	// ReadBudget is how many bytes one connection may receive in a turn, and
	// the size of the epoll backend's one receive buffer. Zero means 64 KiB.
	ReadBudget int

	// AcceptBudget is how many connections one listener may take in a turn.
	// Zero means 16.
	AcceptBudget int

	// PostBudget is how many posted funcs run in a turn. Zero means 1024.
	PostBudget int

	// TurnEnd runs at the end of every turn, before the loop waits again. It
	// reports whether it left work for the next turn.
	TurnEnd func() (more bool)

	// Recover is told, on the loop, of a callback that panicked or called
	// runtime.Goexit; the loop then goes on. Nil logs it.
	Recover func(*PanicError)

	// Logger gets what nobody else is told. Nil means slog.Default.
	Logger *slog.Logger

	// Clock replaces time.Now. What it returns should carry a monotonic
	// reading.
	Clock func() time.Time
}

func (c *Config) readBudget() int   { return orDefault(c.ReadBudget, 64<<10) }
func (c *Config) acceptBudget() int { return orDefault(c.AcceptBudget, 16) }
func (c *Config) postBudget() int   { return orDefault(c.PostBudget, 1024) }

func (c *Config) logger() *slog.Logger {
	if c.Logger != nil {
		return c.Logger
	}
	return slog.Default()
}

func orDefault(v, def int) int {
	if v <= 0 {
		return def
	}
	return v
}

// Loop is one event loop. Create it with [New], run it with Run.
type Loop struct {
	cfg   Config
	be    backend
	slots slots
	mail  mailbox

	timers   timerHeap
	timerSeq uint64
	wheel    wheel

	epoch  time.Time     // the zero of turnAt
	wall   time.Time     // the time of day of this turn
	turnAt time.Duration // when this turn began
	lapAt  time.Duration // when the present callback began
	more   bool          // TurnEnd left work

	meter    meter
	fault    *PanicError // a callback that did not return, not yet reported
	err      error       // why the loop ended; nil for Stop
	stopping bool
	done     chan struct{}
}

// New creates a loop. Its backend is opened at once, so an error says that
// the platform cannot run it.
func New(cfg Config) (*Loop, error) {
	kind, err := findBackend(cfg.Backend)
	if err != nil {
		return nil, err
	}
	l := newLoop(cfg)
	if l.be, err = kind.open(l); err != nil {
		return nil, fmt.Errorf("open loop backend %s: %w", kind.name, err)
	}
	return l, nil
}

func newLoop(cfg Config) *Loop {
	l := &Loop{cfg: cfg, done: make(chan struct{})}
	l.epoch = l.clock()
	l.wall = l.epoch
	return l
}

// Backend returns the name of the backend in use.
func (l *Loop) Backend() string { return l.be.name() }

// Run runs callbacks until Stop, on a goroutine of the loop's own, and returns
// once it has ended. It returns an error only when the backend fails. A loop
// runs once.
func (l *Loop) Run() error {
	go l.work()
	<-l.done
	return l.err
}

// Stop ends the loop after the funcs that were posted before. Streams,
// listeners and watches should be closed by then. Any goroutine may call it,
// more than once.
func (l *Loop) Stop() { l.Post(func() { l.stopping = true }) }

// Done is closed when the loop has ended.
func (l *Loop) Done() <-chan struct{} { return l.done }

// Now returns the time at which this turn began: cheap, and the same for all
// callbacks of a turn.
func (l *Loop) Now() time.Time { return l.wall }

// work is the loop's goroutine. When a callback panics or calls Goexit, the
// deferred func starts the next one, which goes on behind that callback.
func (l *Loop) work() {
	returned := false
	defer func() {
		if returned {
			l.finish()
			return
		}
		l.fault = newPanicError(recover())
		go l.work()
	}()
	l.turns()
	returned = true
}

func (l *Loop) turns() {
	for !l.stopping {
		if f := l.fault; f != nil {
			l.fault = nil
			l.report(f)
		}
		l.turn()
		if l.err = l.sleep(); l.err != nil {
			return
		}
	}
}

// turn runs everything that is due. Each stage takes its work off a queue
// before it runs it, so the stages can be entered again after a panic.
func (l *Loop) turn() {
	l.stage(doingEvent)
	l.be.deliver()
	l.runWheel()
	l.runTimers()
	l.stage(doingPosted)
	l.more = l.mail.run(l, l.cfg.postBudget())
	if l.cfg.TurnEnd != nil {
		l.stage(doingFlush)
		l.more = l.cfg.TurnEnd() || l.more
		l.lap()
	}
}

// sleep waits for the next completion, timer or posted func.
func (l *Loop) sleep() error {
	if l.stopping {
		return nil
	}
	timeout := l.timeout()
	l.meter.rest(l.lapAt - l.turnAt)
	err := l.be.poll(timeout)
	if timeout != 0 {
		l.mail.asleep.Store(false)
	}
	l.wall = l.clock()
	l.turnAt = l.wall.Sub(l.epoch)
	l.meter.begin(l, l.turnAt)
	if err != nil {
		return fmt.Errorf("wait for events (%s): %w", l.be.name(), err)
	}
	return nil
}

// timeout is how long the loop may wait: until the next timer or deadline,
// for ever (negative) when there is none, not at all when there is work.
func (l *Loop) timeout() time.Duration {
	if l.more {
		return 0
	}
	now := l.lapAt
	wait := l.wheel.until(now)
	if len(l.timers) > 0 {
		if d := max(l.timers[0].at-now, 0); wait < 0 || d < wait {
			wait = d
		}
	}
	if wait != 0 && !l.mail.sleep() {
		return 0
	}
	return wait
}

func (l *Loop) finish() {
	l.mail.close()
	if err := l.be.close(); err != nil && l.err == nil {
		l.err = err
	}
	close(l.done)
}

func (l *Loop) clock() time.Time {
	if l.cfg.Clock != nil {
		return l.cfg.Clock()
	}
	return time.Now()
}

// since returns the time since the loop's epoch, read from the clock.
func (l *Loop) since() time.Duration {
	if l.cfg.Clock != nil {
		return l.cfg.Clock().Sub(l.epoch)
	}
	return time.Since(l.epoch)
}
