package jay_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jay-go/jay"
)

// sized is a codec of messages of 8 MiB.
type sized struct{}

const sizedLength = 8 << 20

func (sized) Parse(b []byte) ([]byte, int, error) {
	if len(b) < sizedLength {
		return nil, 0, nil
	}
	return b[:sizedLength], sizedLength, nil
}
func (sized) Append(dst, m []byte) ([]byte, error) { return append(dst, m...), nil }
func (sized) Length([]byte) int                    { return sizedLength }

// endless is a codec of lines of any length.
type endless struct{}

func (endless) Parse(b []byte) (string, int, error) {
	n := bytes.IndexByte(b, '\n')
	return string(b[:max(n, 0)]), n + 1, nil
}
func (endless) Append(dst []byte, m string) ([]byte, error) { return append(dst, m...), nil }

func onEndless(fn func(c *jay.Conn, line string)) jay.Protocol {
	return &jay.Messages[string]{Codec: endless{}, OnMessage: fn}
}

// collector keeps all that comes in a Buffer.
type collector struct{ b jay.Buffer }

func (h *collector) Open(*jay.Conn) {}
func (h *collector) Data(c *jay.Conn, b []byte) (int, error) {
	return len(b), h.b.Append(c, b)
}
func (h *collector) Close(*jay.Conn, error) {}

// collectors gives each connection a collector.
var collectors = jay.NewProtocol("collector", func(*jay.Conn) jay.Handler { return &collector{} })

// TestBudgetHolds: whatever the connections collect it in, it stays within the
// worker's budget, those that hold little do not notice, and when all have gone
// nothing counts any more.
func TestBudgetHolds(t *testing.T) {
	const clients, each, budget = 60, 3 << 20, 16 << 20
	const written = 5 << 20 // by each handler that is asked to; the kernel takes up to 4 MiB
	block := bytes.Repeat([]byte("x"), 64<<10)
	flood := func(c net.Conn) {
		for n := 0; n < each; n += len(block) {
			if _, err := c.Write(block); err != nil {
				return
			}
		}
	}
	ask := func(c net.Conn) { _, _ = io.WriteString(c, "go\n") }
	write := func(write func(c *jay.Conn, p []byte) (int, error)) jay.Protocol {
		return onLine(func(c *jay.Conn, line string) {
			for n := 0; line == "go" && n < written; n += len(block) {
				if _, err := write(c, bytes.Clone(block)); err != nil {
					return
				}
			}
			_, _ = c.WriteString(line)
		})
	}
	for name, test := range map[string]struct {
		handler jay.Protocol
		client  func(c net.Conn)
		small   string // is answered with itself, if it is not empty
	}{
		"lines":            {onEndless(func(c *jay.Conn, line string) { c.WriteString(line) }), flood, "small"},
		"announced length": {&jay.Messages[[]byte]{Codec: sized{}, OnMessage: func(*jay.Conn, []byte) {}}, flood, ""},
		"Buffer":           {collectors, flood, ""},
		"Write":            {write((*jay.Conn).Write), ask, "small"},
		"WriteShared":      {write((*jay.Conn).WriteShared), ask, "small"},
	} {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				var worker *jay.Worker
				ends := make(chan error, 2*clients)
				addr := serve(t, &jay.Server{
					Protocol: test.handler, MaxBuffered: budget, Conn: jay.ConnConfig{MaxInput: -1, MaxOutput: -1}, Backlog: clients,
					Loops: 1, OnWorkerStart: func(w *jay.Worker) error { worker = w; return nil },
					OnError: func(_ *jay.Conn, err error) { ends <- err },
				}, backend)
				var all sync.WaitGroup
				var open []net.Conn
				for range clients {
					c := dial(t, addr)
					_ = c.SetReadBuffer(4096)
					open = append(open, c)
					all.Go(func() { test.client(c) })
				}
				all.Wait()
				if err := receive(t, ends, "the first that holds too much"); !errors.Is(err, jay.ErrBudget) {
					t.Errorf("OnError got %v, want ErrBudget", err)
				}
				if n := heldBy(t, worker); n > budget+budget/2 {
					t.Errorf("%d bytes are held with a budget of %d", n, budget)
				}
				// Handlers that are still at work make garbage.
				eventually(t, "the heap is small", func() bool { return heap() <= 3*budget })
				if test.small != "" {
					c := dial(t, addr)
					send(t, c, test.small+"\n")
					expect(t, c, test.small)
				}
				for _, c := range open {
					c.(*net.TCPConn).SetLinger(0)
					c.Close()
				}
				eventually(t, "nothing is held any more", func() bool { return heldBy(t, worker) == 0 })
			})
		})
	}
}

func heldBy(t *testing.T, w *jay.Worker) int {
	held := make(chan int, 1)
	if err := w.Loop().Post(func() { held <- w.Held() }); err != nil {
		t.Fatal(err)
	}
	return receive(t, held, "the loop")
}

// heap returns the heap in use after a collection.
func heap() int {
	runtime.GC()
	runtime.GC() // what a sync.Pool has outlives the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapInuse)
}

// TestBudgetOfPanics: what a callback that panics was given, or had collected,
// does not count for ever.
func TestBudgetOfPanics(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		var worker *jay.Worker
		panics := make(chan error, 1)
		var b jay.Buffer
		addr := serve(t, &jay.Server{
			Protocol: onEndless(func(c *jay.Conn, line string) {
				_ = b.Append(c, make([]byte, 100_000))
				panic("on purpose")
			}),
			Loops: 1, OnWorkerStart: func(w *jay.Worker) error { worker = w; return nil },
			OnError: func(_ *jay.Conn, err error) { panics <- err },
		}, backend)
		c := dial(t, addr)
		send(t, c, strings.Repeat("x", 10_000))
		eventually(t, "the beginning has come", func() bool { return heldBy(t, worker) > 0 })
		send(t, c, "\n")
		receive(t, panics, "the panic")
		c.Close()
		eventually(t, "nothing is held any more", func() bool { return heldBy(t, worker) == 0 })
		b.Free() // after the end, too
		if n := heldBy(t, worker); n != 0 {
			t.Errorf("%d bytes are held", n)
		}
	})
}

// TestLargeMessageIsLetGo: once a large message was used, the few bytes behind
// it do not keep its memory.
func TestLargeMessageIsLetGo(t *testing.T) {
	var worker *jay.Worker
	lengths := make(chan int, 1)
	addr := serve(t, &jay.Server{
		Protocol: onEndless(func(_ *jay.Conn, line string) { lengths <- len(line) }),
		Loops:    1, OnWorkerStart: func(w *jay.Worker) error { worker = w; return nil },
	}, "auto")
	c := dial(t, addr)
	send(t, c, strings.Repeat("x", 3<<20)+"\nrest")
	if n := receive(t, lengths, "the line"); n != 3<<20 {
		t.Errorf("the line has %d bytes", n)
	}
	eventually(t, "next to nothing is held for the 4 bytes that are unused", func() bool {
		n := heldBy(t, worker)
		return n > 0 && n <= 64<<10
	})
}

// TestRefIsBounded: what goroutines want of a loop that is busy is bounded, by
// number and by bytes, for one connection and for all, and who is refused is
// told; Close and Abort get through.
func TestRefIsBounded(t *testing.T) {
	for name, tt := range map[string]struct {
		post func(*jay.Worker, jay.Ref) error
		want []error
	}{
		"Do": {func(_ *jay.Worker, r jay.Ref) error { return r.Do(func(*jay.Conn) {}) }, []error{jay.ErrBusy}},
		"Carry": {func(_ *jay.Worker, r jay.Ref) error {
			return r.Carry(make([]byte, 100_000), func(*jay.Conn, []byte) {})
		}, []error{jay.ErrBudget, jay.ErrOutputLimit}},
		"Send": {func(_ *jay.Worker, r jay.Ref) error { return r.Send(make([]byte, 100_000)) }, []error{jay.ErrBudget, jay.ErrOutputLimit}},
		"Post": {func(w *jay.Worker, _ jay.Ref) error { return w.Loop().Post(func() {}) }, []error{jay.ErrBusy}},
	} {
		t.Run(name, func(t *testing.T) { testRefIsBounded(t, tt.post, tt.want) })
	}
}

func testRefIsBounded(t *testing.T, post func(*jay.Worker, jay.Ref) error, want []error) {
	const conns, budget = 20, 8 << 20
	var worker *jay.Worker
	refs := make(chan jay.Ref, conns)
	addr := serve(t, &jay.Server{
		Protocol: every(echo{}), Conn: jay.ConnConfig{MaxOutput: 4 << 20}, MaxBuffered: budget,
		OnConnect: func(c *jay.Conn) { refs <- c.Ref() },
		Loops:     1, OnWorkerStart: func(w *jay.Worker) error { worker = w; return nil },
	}, "auto")
	var all []jay.Ref
	var peers []net.Conn
	for range conns {
		peers = append(peers, dial(t, addr))
		all = append(all, receive(t, refs, "the connection"))
	}
	busy, goOn := make(chan bool), make(chan bool)
	_ = worker.Loop().Post(func() { busy <- true; <-goOn })
	receive(t, busy, "the blocked loop")
	before := heap()
	for _, r := range all {
		var err error
		n := 0
		for ; err == nil && n < 1<<20; n++ {
			err = post(worker, r)
		}
		if !slices.ContainsFunc(want, func(w error) bool { return errors.Is(err, w) }) {
			t.Fatalf("after %d calls %v, want %v", n, err, want)
		}
	}
	if grew := heap() - before; grew > 100<<20 {
		t.Errorf("the heap grew by %d bytes", grew)
	}
	for i, r := range all[:conns/2] {
		_ = peers[i].Close() // as an answer to FIN
		end := r.Close
		if i%2 == 0 {
			end = r.Abort
		}
		for range 1000 {
			if err := end(); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(goOn)
	eventually(t, "half of them are closed, and the rest is sent", func() bool {
		n := 0
		for _, r := range all {
			if r.Closed() {
				n++
			}
		}
		return n == conns/2
	})
	last := all[conns-1]
	eventually(t, "there is room again", func() bool {
		return errors.Join(last.Send([]byte("x")), last.Do(func(*jay.Conn) {})) == nil
	})
}
