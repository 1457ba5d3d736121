// Package loop runs callbacks on one goroutine: timers, descriptors that became
// ready, and funcs that other goroutines post. What only these callbacks touch needs
// no lock.
//
// A loop is had from a worker of package jay, whose connections live on it too, or
// by [New], for a program that wants nothing but a loop. Everything except
// [Loop.Post], [Loop.Run] and [Loop.Stop] may be called only from the loop's
// own goroutine, that is from inside a callback, or before Run.
//
// A callback must not block: nothing else happens on the loop meanwhile. One that
// panics, or calls runtime.Goexit, does not end the loop: it is logged, and the loop
// goes on behind it.
package loop

import (
	"time"

	"github.com/jay-go/jay/internal/loop"
)

// A Loop is one event loop.
type Loop loop.Loop

// New makes a loop with the best backend that the platform has. An error says why it
// cannot run one. Run frees what New has opened.
func New() (*Loop, error) {
	l, err := loop.New(loop.Config{})
	return (*Loop)(l), err
}

func (l *Loop) impl() *loop.Loop { return (*loop.Loop)(l) }

// Run runs callbacks on a goroutine of its own, and returns once Stop was called and the
// present turn has ended. What is still watched is not watched any more then. It returns
// an error when the system fails the loop, or when it is called again: a
// loop runs once. A worker runs its own.
func (l *Loop) Run() error { return l.impl().Run() }

// Stop ends the loop after the turn in which it has run the funcs that were posted
// before. Any goroutine may call it, more than once.
func (l *Loop) Stop() { l.impl().Stop() }

// Why Post has dropped a func.
var (
	// ErrBusy: 524,288 funcs wait already.
	ErrBusy = loop.ErrBusy
	// ErrEnded: the loop has ended.
	ErrEnded = loop.ErrEnded
)

// Post runs fn on the loop, after everything posted before it by the same
// goroutine. Any goroutine may call it; it never blocks. It drops fn and returns
// ErrBusy when too many wait, and ErrEnded once the loop has ended. What is posted after
// Stop may be dropped without an error.
func (l *Loop) Post(fn func()) error { return l.impl().Post(fn) }

// Now returns the time at which this turn of the loop began: cheap, and the same for
// all callbacks of a turn.
func (l *Loop) Now() time.Time { return l.impl().Now() }

// A Timer calls a func once or again and again. It runs on the monotonic clock; setting
// the wall clock does not touch it.
type Timer loop.Timer

// AfterFunc calls fn on the loop once d has passed. Setting and stopping cost
// O(log n) in the number of live timers.
func (l *Loop) AfterFunc(d time.Duration, fn func()) *Timer {
	return (*Timer)(l.impl().AfterFunc(d, fn))
}

// Every calls fn each d, for the first time after d. The times do not drift;
// those that a busy or suspended process missed are skipped, not caught up
// on. It panics if d is not positive.
func (l *Loop) Every(d time.Duration, fn func()) *Timer {
	return (*Timer)(l.impl().Every(d, fn))
}

// Stop ends the timer and reports whether a call was still to come. It may be
// called from the timer's own func.
func (t *Timer) Stop() bool { return (*loop.Timer)(t).Stop() }
