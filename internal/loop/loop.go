package loop

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/jay-go/jay/internal/stack"
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

	// MaxPosted is how many posted funcs may wait. Zero means 524,288, which take
	// some 50 MB; negative means no limit.
	MaxPosted int

	// TurnEnd runs at the end of every turn, before the loop waits again. It
	// reports whether it left work for the next turn.
	TurnEnd func() (more bool)

	// Recover is told, on the loop, of a callback that panicked or called
	// runtime.Goexit; the loop then goes on. Nil logs it. A Recover that does
	// not return itself is logged.
	Recover func(*PanicError)

	// Logger gets what nobody else is told. Nil means slog.Default.
	Logger *slog.Logger

	// Clock replaces time.Now. What it returns should carry a monotonic
	// reading. Stats calls it on any goroutine.
	Clock func() time.Time
}

func (c *Config) readBudget() int   { return orDefault(c.ReadBudget, 64<<10) }
func (c *Config) acceptBudget() int { return orDefault(c.AcceptBudget, 16) }
func (c *Config) postBudget() int   { return orDefault(c.PostBudget, 1024) }

func (c *Config) maxPosted() int {
	if c.MaxPosted < 0 {
		return math.MaxInt
	}
	return orDefault(c.MaxPosted, 1<<19)
}

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
	more   bool          // there is work for the next turn: do not wait for it
	turned uint64        // how many turns there were

	// How far this turn has come, so that it is entered again behind a
	// callback that did not return.
	posts     int    // posted funcs that may still run
	lastTimer uint64 // timers with a later seq wait for the next turn
	ending    bool   // TurnEnd was called

	meter     meter
	fault     *PanicError // a callback that did not return, not yet reported
	reporting int         // reports begun that have not returned
	err       error       // why the loop ended; nil for Stop
	stopping  bool
	ended     bool // nobody is called any more
	started   atomic.Bool
	goroutine atomic.Int64   // the number of the one that runs the callbacks
	here      atomic.Uintptr // the same for stack.Here; 0: none
	done      chan struct{}
}

// New creates a loop. Its backend is opened at once, so an error says that
// the platform cannot run it. Run frees what New opened.
func New(cfg Config) (*Loop, error) {
	kind, err := findBackend(cfg.Backend)
	if err != nil {
		return nil, err
	}
	l := newLoop(cfg)
	be, err := kind.open(l)
	if err != nil {
		return nil, fmt.Errorf("open loop backend %s: %w", kind.name, err)
	}
	l.be = late(l, be)
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
// once it has ended. Streams, listeners and watches that are still registered
// are closed then, without a callback. Run returns an error when the backend
// fails, or when it is called again: a loop runs once.
func (l *Loop) Run() error {
	if !l.started.CompareAndSwap(false, true) {
		return errors.New("run loop: it was run before; a loop runs once, create another with New")
	}
	l.begin()
	go l.work()
	<-l.done
	return l.err
}

// Stop ends the loop after the turn in which it has run the funcs that were
// posted before. Any goroutine may call it, more than once.
func (l *Loop) Stop() { _ = l.PostAnyway(func() { l.stopping = true }) }

// Done is closed when the loop has ended.
func (l *Loop) Done() <-chan struct{} { return l.done }

// Foreign reports whether the caller is on another goroutine than the loop's
// callbacks. It is known in builds with the race detector, on amd64 and arm64; otherwise,
// and while the loop does not run, it is false.
func (l *Loop) Foreign() bool {
	if !stack.Tells {
		return false
	}
	here := l.here.Load()
	return here != 0 && here != stack.Here()
}

// Now returns the time at which this turn began: cheap, and the same for all
// callbacks of a turn.
func (l *Loop) Now() time.Time { return l.wall }

// work is the loop's goroutine. When a callback panics or calls Goexit, the
// deferred func starts the next one, which goes on behind that callback.
func (l *Loop) work() {
	l.goroutine.Store(stack.ID())
	l.here.Store(stack.Here())
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
	l.reportFault()
	for {
		l.turn()
		if l.stopping {
			return
		}
		if l.err = l.sleep(); l.err != nil {
			return
		}
		l.begin()
	}
}

// begin starts a turn.
func (l *Loop) begin() {
	l.turned++
	l.wall = l.clock()
	l.turnAt = l.wall.Sub(l.epoch)
	l.meter.begin(l, l.turnAt)
	l.wheel.skip(l.TickNow())
	l.posts, l.lastTimer, l.ending = l.cfg.postBudget(), l.timerSeq, false
}

// turn runs everything that is due. Each stage takes its work off a queue
// before it runs it, and what a turn may spend is counted in fields, so turn
// can be called again behind a callback that did not return.
func (l *Loop) turn() {
	if l.ending { // TurnEnd itself did not return: its work is the next turn's
		l.more = true
		return
	}
	l.stage(doingEvent)
	l.be.deliver()
	l.runWheel()
	l.runTimers()
	l.stage(doingPosted)
	l.more = l.mail.run(l)
	if l.cfg.TurnEnd != nil {
		l.ending = true
		l.stage(doingFlush)
		l.more = l.cfg.TurnEnd() || l.more
		l.mark()
	}
}

// sleep waits for the next completion, timer or posted func.
func (l *Loop) sleep() error {
	timeout := l.timeout()
	l.meter.rest(l.lapAt - l.turnAt)
	err := l.be.poll(timeout)
	if timeout != 0 {
		l.mail.asleep.Store(false)
	}
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
	l.closeAll()
	if err := l.be.close(); err != nil && l.err == nil {
		l.err = err
	}
	l.here.Store(0)
	close(l.done)
}

func (l *Loop) closeAll() {
	l.ended = true
	for _, row := range l.slots.rows {
		switch owner := row.owner.(type) {
		case *Stream:
			owner.Close(false)
		case *Listener:
			owner.Close()
		case *Packets:
			owner.Close()
		case *Watch:
			owner.Unwatch()
		}
	}
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
