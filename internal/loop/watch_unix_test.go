//go:build unix

package loop_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jay-go/jay/internal/loop"
	"golang.org/x/sys/unix"
)

// pipe returns two raw, non-blocking descriptors, closed with the test.
func pipe(t testing.TB) (rd, wr int) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe(p[:]); err != nil {
		t.Fatal(err)
	}
	for _, fd := range p {
		unix.CloseOnExec(fd)
		if err := unix.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
	}
	return p[0], p[1]
}

func shut(t testing.TB, fds ...int) {
	t.Helper()
	for _, fd := range fds {
		if err := unix.Close(fd); err != nil {
			t.Errorf("close %d: %v", fd, err)
		}
	}
}

// watch watches fd; each event is handed on, then fn runs.
func (r *rig) watch(fd int, want loop.Events, fn func(*loop.Watch)) (*loop.Watch, chan loop.Events) {
	r.Helper()
	var w *loop.Watch
	var err error
	events := make(chan loop.Events, 10000)
	r.on(func() {
		w, err = r.l.Watch(fd, want, func(got loop.Events) {
			events <- got
			if fn != nil {
				fn(w)
			}
		})
	})
	if err != nil {
		r.Fatal(err)
	}
	return w, events
}

func (r *rig) set(w *loop.Watch, want loop.Events) {
	r.Helper()
	r.on(func() {
		if err := w.Set(want); err != nil {
			r.Error(err)
		}
	})
}

func fdWrite(t testing.TB, fd int, s string) {
	t.Helper()
	if _, err := unix.Write(fd, []byte(s)); err != nil {
		t.Fatal(err)
	}
}

// Events of one kind, each followed by Set(0) from inside the callback.
func TestWatch(t *testing.T) {
	rest := func(w *loop.Watch) { _ = w.Set(0) }
	eachBackend(t, loop.Config{}, func(r *rig) {
		rd, wr := pipe(r)
		wRead, onRead := r.watch(rd, loop.Readable, rest)
		wWrite, onWrite := r.watch(wr, 0, rest)
		r.still("nothing to report")

		fdWrite(r, wr, "x")
		if got := wait(r, "readable", onRead); got != loop.Readable {
			r.Errorf("a pipe with bytes in it is %v, want readable", got)
		}
		r.set(wWrite, loop.Writable)
		if got := wait(r, "writable", onWrite); got != loop.Writable {
			r.Errorf("a pipe with room in it is %v, want writable", got)
		}
		r.still("ready, but nobody asks")
		r.set(wRead, loop.Readable) // the byte is still there
		if got := wait(r, "readable", onRead); got != loop.Readable {
			r.Errorf("asked again: %v, want readable", got)
		}
		if len(onRead)+len(onWrite) != 0 {
			r.Error("events that nobody asked for")
		}
		r.on(func() { wRead.Unwatch(); wWrite.Unwatch() })
		shut(r, rd, wr)
	})
}

// Readable comes in every turn until the bytes are read.
func TestWatchIsLevelTriggered(t *testing.T) {
	eachBackend(t, loop.Config{}, func(r *rig) {
		rd, wr := pipe(r)
		n := 0
		w, events := r.watch(rd, loop.Readable, func(*loop.Watch) {
			if n++; n == 10 {
				var b [10]byte
				_, _ = unix.Read(rd, b[:])
			}
		})
		fdWrite(r, wr, "unread")
		for range 10 {
			wait(r, "readable", events)
		}
		r.still("read")
		r.on(func() {
			if n != 10 {
				r.Errorf("%d events, want 10", n)
			}
			w.Unwatch()
		})
		shut(r, rd, wr)
	})
}

// Both ends learn that the other is gone, asked or not.
func TestWatchHangUp(t *testing.T) {
	for _, tt := range []struct {
		name   string
		writer bool // the end that is watched
		want   loop.Events
	}{
		{"reader, asking", false, loop.Readable},
		{"reader, not asking", false, 0},
		{"writer, not asking", true, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachBackend(t, loop.Config{}, func(r *rig) {
				own, other := pipe(r)
				if tt.writer {
					own, other = other, own
				}
				w, events := r.watch(own, tt.want, func(w *loop.Watch) { w.Unwatch() })
				r.still("both ends are open")
				shut(r, other)
				if got := wait(r, "hang-up", events); got&loop.HangUp == 0 {
					r.Errorf("the other end is closed: %v, want hang-up", got)
				}
				r.still("unwatched inside the callback")
				if len(events) != 0 {
					r.Error("an event after Unwatch")
				}
				r.on(func() {
					w.Unwatch()
					if err := w.Set(loop.Readable); err == nil {
						r.Error("Set after Unwatch reports no error")
					}
				})
				shut(r, own)
			})
		})
	}
}

func TestWatchRefused(t *testing.T) {
	eachBackend(t, loop.Config{}, func(r *rig) {
		file, err := os.Create(filepath.Join(r.TempDir(), "f"))
		if err != nil {
			r.Fatal(err)
		}
		defer file.Close()
		dir, err := os.Open(r.TempDir())
		if err != nil {
			r.Fatal(err)
		}
		defer dir.Close()
		rd, wr := pipe(r)
		shut(r, wr)
		shut(r, rd)
		fn := func(loop.Events) {}
		for _, tt := range []struct {
			name string
			fd   int
			fn   func(loop.Events)
			want string
		}{
			{"regular file", int(file.Fd()), fn, "always ready; read it directly"},
			{"directory", int(dir.Fd()), fn, "always ready; read it directly"},
			{"closed", rd, fn, "bad file descriptor"},
			{"no func", 0, nil, "fn is nil"},
		} {
			var err error
			r.on(func() { _, err = r.l.Watch(tt.fd, loop.Readable, tt.fn) })
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "watch descriptor") {
				r.Errorf("%s: %v, want watch descriptor …: … %s", tt.name, err, tt.want)
			}
		}
	})
}

// One callback takes another descriptor off, closes it and opens a new one
// with the same number: the event that was waiting for the old one does not
// reach the new one.
func TestReusedDescriptorGetsNoStaleEvent(t *testing.T) {
	eachBackend(t, loop.Config{}, func(r *rig) {
		var rds, wrs [2]int
		var ws [2]*loop.Watch
		var replaced *loop.Watch
		stale := make(chan loop.Events, 100)
		for i := range rds {
			rds[i], wrs[i] = pipe(r)
		}
		freshRd, freshWr := pipe(r)
		replace := func(i int) { // rds[i] becomes the reading end of the fresh pipe
			ws[i].Unwatch()
			if err := unix.Dup2(freshRd, rds[i]); err != nil {
				r.Error(err)
			}
			var err error
			if replaced, err = r.l.Watch(rds[i], loop.Readable, func(e loop.Events) { stale <- e; _ = replaced.Set(0) }); err != nil {
				r.Error(err)
			}
		}
		for i := range ws {
			ws[i], _ = r.watch(rds[i], loop.Readable, func(w *loop.Watch) {
				w.Unwatch()
				if replaced == nil {
					replace(1 - i)
				}
			})
		}
		r.on(func() { // both become ready in one batch
			fdWrite(r, wrs[0], "x")
			fdWrite(r, wrs[1], "x")
		})
		r.still("one was replaced")
		if len(stale) != 0 {
			r.Errorf("the new descriptor got the event %v of the old one", <-stale)
		}
		fdWrite(r, freshWr, "x")
		if got := wait(r, "its own event", stale); got != loop.Readable {
			r.Errorf("its own event is %v, want readable", got)
		}
		r.on(func() { replaced.Unwatch() })
		shut(r, rds[0], rds[1], wrs[0], wrs[1], freshRd, freshWr)
	})
}

// Of two descriptors that are ready in one batch, the first to run makes the
// other want nothing: it is not called, not with an empty set either.
func TestWatchWantsLessInTheSameBatch(t *testing.T) {
	eachBackend(t, loop.Config{}, func(r *rig) {
		var rds, wrs [2]int
		var ws [2]*loop.Watch
		calls := make(chan loop.Events, 100)
		for i := range rds {
			rds[i], wrs[i] = pipe(r)
		}
		for i := range ws {
			ws[i], _ = r.watch(rds[i], loop.Readable, func(w *loop.Watch) {
				calls <- loop.Readable
				_ = w.Set(0)
				_ = ws[1-i].Set(0)
			})
		}
		r.on(func() {
			fdWrite(r, wrs[0], "x")
			fdWrite(r, wrs[1], "x")
		})
		wait(r, "the first", calls)
		r.still("neither wants anything")
		if len(calls) != 0 {
			r.Error("the other was called though it wanted nothing any more")
		}
		r.on(func() { ws[0].Unwatch(); ws[1].Unwatch() })
		shut(r, rds[0], rds[1], wrs[0], wrs[1])
	})
}

// Any number of changes in one callback is harmless, and the last one counts.
func TestWatchSetVeryOften(t *testing.T) {
	eachBackend(t, loop.Config{}, func(r *rig) {
		rd, wr := pipe(r)
		w, events := r.watch(wr, 0, func(w *loop.Watch) { _ = w.Set(0) })
		r.on(func() {
			for range 100_000 {
				_ = w.Set(loop.Writable)
				_ = w.Set(0)
			}
			_ = w.Set(loop.Writable)
		})
		if got := wait(r, "writable", events); got != loop.Writable {
			r.Errorf("got %v, want writable", got)
		}
		r.still("set to nothing")
		r.on(w.Unwatch)
		shut(r, rd, wr)
	})
}

func TestEventsString(t *testing.T) {
	for want, e := range map[string]loop.Events{
		"":                          0,
		"readable":                  loop.Readable,
		"readable|writable":         loop.Readable | loop.Writable,
		"readable|writable|hang-up": loop.Readable | loop.Writable | loop.HangUp,
	} {
		if e.String() != want {
			t.Errorf("Events(%d) is %q, want %q", e, e, want)
		}
	}
}
