package loop

import "github.com/jay-go/jay/internal/loop"

// Events says what a watched descriptor is, or should be, ready for.
type Events uint8

const (
	// Readable: a read would not block.
	Readable = Events(loop.Readable)
	// Writable: a write would not block.
	Writable = Events(loop.Writable)
	// HangUp: the other side is gone or the descriptor has failed. It is
	// reported whether or not it was asked for.
	HangUp = Events(loop.HangUp)
)

// A Watch is one descriptor under observation: a pipe, inotify, a serial line.
// The descriptor stays the caller's: Unwatch it before closing it.
type Watch loop.Watch

// Watch calls fn in each turn in which fd is ready for something of want, or
// has hung up, until Unwatch. The descriptor should be non-blocking and is
// watched once at a time. Regular files are always ready and cannot be
// watched. Windows has no descriptors to watch.
func (l *Loop) Watch(fd int, want Events, fn func(Events)) (*Watch, error) {
	var call func(loop.Events)
	if fn != nil {
		call = func(e loop.Events) { fn(Events(e)) }
	}
	w, err := l.impl().Watch(fd, loop.Events(want), call)
	return (*Watch)(w), err
}

// Set changes what the descriptor is watched for; 0 leaves only HangUp, which
// goes on until Unwatch.
func (w *Watch) Set(want Events) error { return (*loop.Watch)(w).Set(loop.Events(want)) }

// Unwatch ends the observation; fn is not called again. Calling it twice is
// harmless.
func (w *Watch) Unwatch() { (*loop.Watch)(w).Unwatch() }
