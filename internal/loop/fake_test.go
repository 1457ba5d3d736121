package loop

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fake is a backend without a system under it. Its clock is virtual: a poll
// that would wait moves the clock instead, to the end of the wait or to the
// next scripted event. A poll for ever with nothing left in the script ends
// the loop.
type fake struct {
	t *testing.T
	l *Loop

	mu    sync.Mutex
	clock time.Time // guarded by mu

	script []scripted // sorted by time
	batch  []completion
	next   int
	polls  []time.Duration // the timeouts that were asked for

	pollTakes time.Duration // what each poll costs
	closed    []any         // streams, listeners and watches, as they went

	sends map[*Stream]*fakeSend // pending
	queue []Socket              // connections that were taken and not handed over

	batches [][]Packet // of packets, that were to be sent

	wakes atomic.Int64
	bell  chan struct{} // not nil: a poll for ever really blocks
}

var errEndOfScript = errors.New("end of script")

type completion struct {
	slot, gen uint32
	run       func()
}

type scripted struct {
	at time.Time
	completion
}

// newFake returns a loop on a fake; cfg's Clock is replaced. The loop runs in
// f.run.
func newFake(t *testing.T, cfg Config) (*Loop, *fake) {
	t.Helper()
	f := &fake{t: t, sends: map[*Stream]*fakeSend{}, clock: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	cfg.Clock = f.now
	f.l = newLoop(cfg)
	f.l.be = f
	return f.l, f
}

// run runs the loop to the end of the script.
func (f *fake) run() {
	f.t.Helper()
	if err := f.l.Run(); err != nil && !errors.Is(err, errEndOfScript) {
		f.t.Errorf("Run: %v", err)
	}
}

func (f *fake) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.clock
}

// advance lets d pass, in a callback: this is how long the callback takes.
func (f *fake) advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clock = f.clock.Add(d)
}

// elapsed is the time since the loop was created.
func (f *fake) elapsed() time.Duration { return f.now().Sub(f.l.epoch) }

// event scripts a completion for w, d from now. Events of equal times come in
// one batch.
func (f *fake) event(d time.Duration, w *Watch, run func()) { f.complete(d, w.slot, w.gen, run) }

// complete is event for the owner of any slot.
func (f *fake) complete(d time.Duration, slot, gen uint32, run func()) {
	at := f.now().Add(d)
	i := len(f.script)
	for i > 0 && f.script[i-1].at.After(at) {
		i--
	}
	f.script = append(f.script, scripted{})
	copy(f.script[i+1:], f.script[i:])
	f.script[i] = scripted{at, completion{slot, gen, run}}
}

// source registers something that events can be for.
func (f *fake) source() *Watch {
	w, err := f.l.Watch(0, Readable, func(Events) {})
	if err != nil {
		f.t.Fatal(err)
	}
	return w
}

func (f *fake) name() string { return "fake" }

func (f *fake) poll(timeout time.Duration) error {
	if f.next < len(f.batch) {
		f.t.Errorf("poll: %d completions of the last batch were not delivered", len(f.batch)-f.next)
	}
	f.polls = append(f.polls, timeout)
	f.advance(f.pollTakes)
	f.batch, f.next = f.batch[:0], 0
	switch {
	case timeout < 0 && f.bell != nil:
		<-f.bell
	case timeout < 0 && len(f.script) == 0:
		return errEndOfScript
	case len(f.script) > 0 && (timeout < 0 || !f.script[0].at.After(f.now().Add(timeout))):
		f.collect()
	default:
		f.advance(timeout)
	}
	return nil
}

// collect moves the clock to the next event and takes all that are due.
func (f *fake) collect() {
	if d := f.script[0].at.Sub(f.now()); d > 0 {
		f.advance(d)
	}
	for now := f.now(); len(f.script) > 0 && !f.script[0].at.After(now); f.script = f.script[1:] {
		f.batch = append(f.batch, f.script[0].completion)
	}
}

func (f *fake) deliver() {
	for f.next < len(f.batch) {
		c := f.batch[f.next]
		f.next++
		if f.l.slots.get(c.slot, c.gen) != nil {
			c.run()
			f.l.lap()
		}
	}
}

func (f *fake) wake() {
	f.wakes.Add(1)
	if f.bell != nil {
		select {
		case f.bell <- struct{}{}:
		default:
		}
	}
}

func (f *fake) close() error { f.closed = append(f.closed, f); return nil }

func (f *fake) addStream(*Stream, Socket) error           { return nil }
func (f *fake) startRecv(*Stream)                         {}
func (f *fake) stopRecv(*Stream)                          {}
func (f *fake) closeWrite(*Stream) error                  { return nil }
func (f *fake) splice(_, _ *Stream) error                 { return errors.ErrUnsupported }
func (f *fake) localAddr(*Stream) net.Addr                { return nil }
func (f *fake) remoteAddr(*Stream) net.Addr               { return nil }
func (f *fake) setUnsentMark(*Stream, int)                {}
func (f *fake) unacked(*Stream) (int, bool)               { return 0, false }
func (f *fake) unread(*Stream) (int, bool)                { return 0, false }
func (f *fake) unsplice(*Stream) ([]byte, error)          { return nil, nil }
func (f *fake) detachStream(*Stream) (net.Conn, error)    { return nil, nil }
func (f *fake) addListener(*Listener, ListenSocket) error { return nil }
func (f *fake) startAccept(*Listener)                     {}
func (f *fake) stopAccept(*Listener)                      {}
func (f *fake) addWatch(*Watch) error                     { return nil }
func (f *fake) setWatch(*Watch) error                     { return nil }
func (f *fake) removeWatch(w *Watch)                      { f.closed = append(f.closed, w) }

// log collects what happened, in order.
type log []string

func (l *log) add(what string) func() { return func() { *l = append(*l, what) } }
