package loop

import (
	"errors"
	"fmt"
	"strings"
)

// Events says what a watched descriptor is, or should be, ready for.
type Events uint8

const (
	// Readable: a read would not block.
	Readable Events = 1 << iota
	// Writable: a write would not block.
	Writable
	// HangUp: the other side is gone or the descriptor has failed. It is
	// reported whether or not it was asked for.
	HangUp
)

func (e Events) String() string {
	var words []string
	for i, w := range [...]string{"readable", "writable", "hang-up"} {
		if e&(1<<i) != 0 {
			words = append(words, w)
		}
	}
	return strings.Join(words, "|")
}

var errAlwaysReady = errors.New("it is a regular file or a directory, which is always ready; read it directly")

// Watch is one descriptor under observation: a pipe, inotify, a serial line.
// The descriptor stays the caller's: Unwatch it before closing it.
type Watch struct {
	loop *Loop
	fn   func(Events)
	impl any
	slot uint32
	gen  uint32
	fd   int
	want Events
	open bool
}

// Watch calls fn in each turn in which fd is ready for something of want, or
// has hung up, until Unwatch. The descriptor should be non-blocking and is
// watched once at a time. Regular files are always ready and cannot be
// watched.
func (l *Loop) Watch(fd int, want Events, fn func(Events)) (*Watch, error) {
	if fn == nil {
		return nil, fmt.Errorf("watch descriptor %d: fn is nil", fd)
	}
	w := &Watch{loop: l, fn: fn, fd: fd, want: want, open: true}
	w.slot, w.gen = l.slots.add(w)
	if err := l.be.addWatch(w); err != nil {
		l.slots.remove(w.slot)
		return nil, fmt.Errorf("watch descriptor %d for %v: %w", fd, want, err)
	}
	return w, nil
}

// Set changes what the descriptor is watched for; 0 leaves only HangUp, which
// goes on until Unwatch.
func (w *Watch) Set(want Events) error {
	if !w.open {
		return fmt.Errorf("watch descriptor %d: already unwatched", w.fd)
	}
	if want == w.want {
		return nil
	}
	old := w.want
	w.want = want
	if err := w.loop.be.setWatch(w); err != nil {
		w.want = old
		return fmt.Errorf("watch descriptor %d for %v: %w", w.fd, want, err)
	}
	return nil
}

// Unwatch ends the observation; fn is not called again. Calling it twice is
// harmless.
func (w *Watch) Unwatch() {
	if w.open {
		w.open = false
		w.loop.be.removeWatch(w)
		w.loop.slots.remove(w.slot)
	}
}
