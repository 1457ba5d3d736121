package jay_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/reset"
)

// follows is the life of a connection, as documented: the states that may follow
// each one.
var follows = map[string][]string{
	"opening":   {"open", "detaching", "flushing", "closed", "reset"},
	"open":      {"detaching", "flushing", "closed", "reset"},
	"detaching": {"flushing", "detached", "closed", "reset"},
	"flushing":  {"lingering", "closed", "reset"},
	"lingering": {"closed", "reset"},
	"detached":  {"finishing"},
	"closed":    {"finishing"},
	"reset":     {"finishing"},
	"finishing": {"ended"},
}

// life is what becomes of one connection of TestLife. All of it but the fields that
// never change belongs to the connection's loop.
type life struct {
	t     *testing.T
	seed  uint64
	ref   jay.Ref
	ended chan struct{}
	plan  map[string][]byte // letters of steps that callbacks take: in Open, in Close
	story []string          // for the failure

	state    string
	fin      bool // CloseWrite was called
	holds    int
	handlers int // given so far
	opened   int // the number of the one that has the connection
	closed   bool
	connects int
	onClose  int
	detaches int // accepted
	outcomes int // told
}

func (l *life) tell(format string, args ...any) {
	l.story = append(l.story, fmt.Sprintf(format, args...))
}

func (l *life) failf(format string, args ...any) {
	l.t.Helper()
	l.t.Errorf("seed %d: %s\nits life: %q", l.seed, fmt.Sprintf(format, args...), l.story)
}

// is reports whether the connection is in one of the states.
func (l *life) is(states ...string) bool { return slices.Contains(states, l.state) }

func (l *life) live() bool { return l.is("opening", "open", "detaching") }

func (l *life) writable() bool { return l.is("opening", "open") && !l.fin }

// moved is told by the connection of a new state.
func (l *life) moved(from, to string) {
	l.tell("→ %s", to)
	if from != l.state || !slices.Contains(follows[from], to) {
		l.failf("state %s follows %s; it was in %s", to, from, l.state)
	}
	l.state = to
	if to == "ended" {
		close(l.ended)
	}
}

// callback notes a callback, and takes the steps that are planned in it.
func (l *life) callback(c *jay.Conn, name string, in ...string) {
	l.tell("%s", name)
	if !l.is(in...) {
		l.failf("%s in state %s", name, l.state)
	}
	if steps := l.plan[name]; len(steps) > 0 {
		l.plan[name] = nil
		for _, b := range steps {
			l.step(c, b)
		}
	}
}

// living is a handler that holds the callbacks against the connection's state.
type living struct {
	l *life
	n int
}

func (h *living) is(name string) {
	if l := h.l; l.opened != h.n || l.closed {
		l.failf("%s of handler %d, while %d has the connection; closed: %v", name, h.n, l.opened, l.closed)
	}
}

func (h *living) Open(c *jay.Conn) {
	if h.l.opened >= h.n {
		h.l.failf("Open of handler %d after that of %d", h.n, h.l.opened)
	}
	h.l.opened = h.n
	h.l.callback(c, "Open", h.l.state) // SetHandler may come whenever it likes
}

func (h *living) Data(c *jay.Conn, b []byte) (n int, err error) {
	h.is("Data")
	h.l.callback(c, "Data", "open")
	for ; n < len(b) && c.Reading() && !c.Replaced(); n++ {
		h.l.step(c, b[n])
	}
	return n, nil
}

func (h *living) Close(c *jay.Conn, err error) {
	h.is("Close")
	h.l.closed = true
	h.l.callback(c, "Close", "finishing")
}

func (h *living) EOF(c *jay.Conn) {
	h.is("EOF")
	h.l.callback(c, "EOF", "open")
	if !c.Held() {
		c.Close()
	}
}

func (h *living) Gone(c *jay.Conn) { h.is("Gone"); h.l.callback(c, "Gone", "open", "detaching") }
func (h *living) Deadline(c *jay.Conn) {
	h.is("Deadline")
	h.l.callback(c, "Deadline", "open", "detaching")
}
func (h *living) Drain(c *jay.Conn)    { h.is("Drain"); h.l.callback(c, "Drain", "open", "detaching") }
func (h *living) Writable(c *jay.Conn) { h.is("Writable"); h.l.callback(c, "Writable", l0(h)...) }

// l0 are the states in which output may still go.
func l0(h *living) []string { return []string{"open", "detaching", "flushing", h.l.state} }

func (h *living) Panic(c *jay.Conn, _ *jay.PanicError) {
	h.is("Panic")
	h.l.callback(c, "Panic", "open", "detaching")
}

// next makes a handler for the connection.
func (l *life) next() jay.Handler {
	l.handlers++
	return &living{l, l.handlers}
}

// gate is a layer that is ready once it has seen "!", and takes "." for the end.
type gate struct {
	born  func(jay.Ref)
	ready bool
}

func (g *gate) Open(under *jay.Under) { g.born(under.Ref()) }
func (g *gate) Ready() bool           { return g.ready }
func (g *gate) Decode(plain, wire []byte) ([]byte, int, error) {
	for i, b := range wire {
		switch {
		case b == '.':
			return plain, i + 1, io.EOF
		case g.ready:
			plain = append(plain, b)
		case b == '!':
			g.ready = true
		case b == '?':
			return plain, i, errors.New("no question")
		}
	}
	return plain, len(wire), nil
}
func (g *gate) Encode(wire, plain []byte) ([]byte, error) { return append(wire, plain...), nil }
func (g *gate) Finish(wire []byte) []byte                 { return append(wire, "bye"...) }
func (g *gate) Detach(c net.Conn, _ []byte) (net.Conn, error) {
	return c, nil
}
func (g *gate) End() error {
	if !g.ready {
		return jay.ErrTruncated
	}
	return nil
}

// lives are those of one server. Connections come one at a time, so that each is
// known by its turn.
type lives struct {
	t       *testing.T
	mu      sync.Mutex
	of      map[jay.Ref]*life
	pending *life
	born    chan *life
}

func (all *lives) bear(ref jay.Ref) *life {
	all.mu.Lock()
	defer all.mu.Unlock()
	l := all.of[ref]
	if l == nil {
		l, all.pending = all.pending, nil
		l.ref = ref
		all.of[ref] = l
		all.born <- l
	}
	return l
}

// begin connects the next life.
func (all *lives) begin(addr string, seed uint64, rnd *rand.Rand) (*life, net.Conn) {
	l := &life{t: all.t, seed: seed, state: "opening", ended: make(chan struct{}), plan: map[string][]byte{}}
	for _, in := range []string{"Open", "OnConnect", "Deadline", "Writable", "EOF", "Close", "OnClose", "Panic"} {
		if rnd.IntN(8) == 0 {
			l.plan[in] = letters(rnd, 1+rnd.IntN(2))
		}
	}
	all.mu.Lock()
	all.pending = l
	all.mu.Unlock()
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) { // it may have ended already
		all.t.Fatal(err)
	}
	return receive(all.t, all.born, "the connection"), c
}

func (all *lives) server() *jay.Server {
	life := func(c *jay.Conn) *life { return all.bear(c.Ref()) }
	return &jay.Server{
		Protocol: jay.NewProtocol("life", func(c *jay.Conn) jay.Handler { return life(c).next() }),
		Layer: func() jay.Layer {
			all.mu.Lock()
			defer all.mu.Unlock()
			if all.pending.seed%3 != 0 {
				return nil
			}
			return &gate{born: func(ref jay.Ref) { all.bear(ref) }}
		},
		Conn:        jay.ConnConfig{HighWater: 64 << 10, CloseTimeout: 50 * time.Millisecond},
		StopTimeout: 200 * time.Millisecond,
		OnError:     func(*jay.Conn, error) {},
		OnWorkerStart: func(w *jay.Worker) error {
			w.OnMove(func(c *jay.Conn, from, to string) { life(c).moved(from, to) })
			return nil
		},
		OnConnect: func(c *jay.Conn) {
			l := life(c)
			l.connects++
			l.callback(c, "OnConnect", "open", "detaching", "flushing")
		},
		OnClose: func(c *jay.Conn, err error) {
			l := life(c)
			l.onClose++
			l.callback(c, "OnClose", "ended")
		},
	}
}

// TestLife leads connections through random lives: whatever a program, its peer and
// the time do, and in whatever order, states follow each other as documented, and
// callbacks come in order, each in a state that allows for it, Open and Close once.
func TestLife(t *testing.T) {
	const n = 200
	eachBackend(t, func(t *testing.T, backend string) {
		all := &lives{t: t, of: map[jay.Ref]*life{}, born: make(chan *life, 1)}
		addr, stop := serveStop(t, all.server(), backend)
		var peers sync.WaitGroup
		for seed := range uint64(n) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			l, c := all.begin(addr, seed, rnd)
			peers.Go(func() {
				if c == nil {
					receive(t, l.ended, "the end of what was reset at once")
					return
				}
				l.lead(c.(*net.TCPConn), rnd)
				t.Cleanup(func() { reset.Close(c) })
			})
		}
		peers.Wait()
		stop() // some are open still
		seen := map[string]bool{}
		for _, l := range all.of {
			l.check()
			for _, s := range l.story {
				seen[s] = true
			}
		}
		for s := range follows {
			if !seen["→ "+s] && s != "opening" {
				t.Errorf("no connection was ever %s", s)
			}
		}
	})
}
