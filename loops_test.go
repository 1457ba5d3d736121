package jay_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/supervise"
)

// TestLoops: a process runs as many loops as it is told, which start one after the
// other, share the connections, the ids and MaxConns, and end together.
func TestLoops(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		const loops, clients = 4, 64
		var mu sync.Mutex
		var said []string
		say := func(what string, w *jay.Worker) {
			mu.Lock()
			defer mu.Unlock()
			said = append(said, fmt.Sprint(what, w.Index()))
		}
		served, ids := make([]int, loops), map[uint64]bool{}
		addr, stop := serveStop(t, &jay.Server{
			Loops: loops, MaxConns: clients,
			Protocol:      sorry{every(echo{})},
			OnWorkerStart: func(w *jay.Worker) error { say("start ", w); return nil },
			OnWorkerStop:  func(w *jay.Worker) { say("stop ", w) },
			OnConnect: func(c *jay.Conn) {
				mu.Lock()
				defer mu.Unlock()
				served[c.Worker().Index()]++
				if ids[c.ID()] {
					t.Errorf("the id %d was given twice", c.ID())
				}
				ids[c.ID()] = true
			},
		}, backend)
		var conns []net.Conn
		for range clients {
			c := dial(t, addr)
			send(t, c, "x")
			expect(t, c, "x")
			conns = append(conns, c)
		}
		late := dial(t, addr)
		expect(t, late, "full, try later")
		expectEOF(t, late)
		conns[0].Close()
		eventually(t, "there is room for one", func() bool {
			c := dial(t, addr)
			defer c.Close()
			send(t, c, "x")
			b := make([]byte, 1)
			_, err := c.Read(b)
			return err == nil && b[0] == 'x'
		})
		stop()
		if got := strings.Join(said[:loops], ", "); got != "start 0, start 1, start 2, start 3" {
			t.Errorf("OnWorkerStart and OnWorkerStop were called as %q", said)
		}
		ends := slices.Sorted(slices.Values(said[loops:]))
		if got := strings.Join(ends, ", "); got != "stop 0, stop 1, stop 2, stop 3" {
			t.Errorf("OnWorkerStop was called as %q", ends)
		}
		for i, n := range served {
			if n >= clients { // how they are spread is the share rule's, whose test is TestShareRule
				t.Errorf("loop %d has served all: %v", i, served)
			}
		}
	})
}

// TestServeSeveral: several servers and a task share the process, are ready once each,
// and end together.
func TestServeSeveral(t *testing.T) {
	ready := make(chan net.Addr, 4)
	told := func(addrs []net.Addr) { ready <- addrs[0] }
	worked := make(chan error, 1)
	o := jay.Options{
		Servers: []*jay.Server{
			{Name: "a", Addr: "tcp://127.0.0.1:0", Protocol: every(echo{}), Loops: 2, OnReady: told},
			{Name: "b", Addr: "tcp://127.0.0.1:0", Protocol: every(echo{}), OnReady: told},
		},
		Tasks: []jay.Task{{Name: "job", Run: func(ctx context.Context, _ *supervise.Worker) error {
			<-ctx.Done()
			worked <- context.Cause(ctx)
			return nil
		}}},
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- o.Serve(ctx) }()
	for range 2 {
		c, err := net.Dial("tcp", receive(t, ready, "a server").String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, "x")
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			t.Error(err)
		}
		_ = c.Close()
	}
	cancel()
	if err := receive(t, ended, "the end"); err != nil {
		t.Error(err)
	}
	if cause, ok := receive(t, worked, "the task").(*supervise.Drain); !ok || cause.Reason != supervise.DrainStop {
		t.Errorf("the task was told %v", cause)
	}
	if len(ready) > 0 {
		t.Error("a server of two loops was ready twice")
	}
}

// TestLoopsStartTogether: where one loop cannot start none goes on, and nothing was
// accepted.
func TestLoopsStartTogether(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		boom := errors.New("no database")
		stopped := make(chan int, 4)
		s := &jay.Server{
			Addr: "tcp://127.0.0.1:0", Loop: backend, Loops: 3, Protocol: every(echo{}),
			OnWorkerStart: func(w *jay.Worker) error {
				if w.Index() == 1 {
					return boom
				}
				return nil
			},
			OnWorkerStop: func(w *jay.Worker) { stopped <- w.Index() },
		}
		s.OnReady = func([]net.Addr) { t.Error("it was ready") }
		err := s.Serve(t.Context())
		if !errors.Is(err, boom) {
			t.Errorf("Serve returned %v", err)
		}
		if got := receive(t, stopped, "OnWorkerStop"); got != 0 || len(stopped) > 0 {
			t.Errorf("OnWorkerStop of %d, want that of 0 alone", got)
		}
	})
}

// TestLoopsBudget: what one loop holds counts for the others.
func TestLoopsBudget(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		conns, errs := make(chan *jay.Conn, 20), make(chan error, 20)
		addr := serve(t, &jay.Server{
			Loops: 2, MaxBuffered: 4 << 20, Protocol: every(echo{}), Conn: jay.ConnConfig{HighWater: 1 << 16},
			OnConnect: func(c *jay.Conn) { conns <- c },
			OnError:   func(*jay.Conn, error) {},
		}, backend)
		first := map[int]*jay.Conn{}
		for range 200 {
			dial(t, addr)
			c := receive(t, conns, "the connection")
			if first[c.Worker().Index()] = c; len(first) == 2 {
				break
			}
		}
		if len(first) != 2 {
			t.Fatal("one loop has all connections")
		}
		write := func(c *jay.Conn) {
			_ = c.Ref().Do(func(c *jay.Conn) {
				var b jay.Buffer
				errs <- b.Append(c, make([]byte, 3<<20))
			})
		}
		write(first[0])
		if err := receive(t, errs, "the first loop"); err != nil {
			t.Errorf("the first loop: %v", err)
		}
		turn := make(chan bool)
		_ = first[0].Worker().Loop().Post(func() { turn <- true }) // the turn before has ended
		<-turn
		write(first[1])
		if err := receive(t, errs, "the second loop"); !errors.Is(err, jay.ErrBudget) {
			t.Errorf("the second loop: %v, want ErrBudget", err)
		}
	})
}

// TestFiguresAtOnce: the figures of a worker may be asked for from several sides.
func TestFiguresAtOnce(t *testing.T) {
	workers := make(chan *jay.Worker, 1)
	serve(t, &jay.Server{Loops: 1, Protocol: every(echo{}), OnWorkerStart: func(w *jay.Worker) error { workers <- w; return nil }}, "auto")
	w := receive(t, workers, "the worker")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 3000 {
				if n := w.Report().Connections; n != 0 {
					t.Errorf("%d connections, want none", n)
				}
			}
		})
	}
	all.Wait()
}

// TestLoopsCheck: a number of loops that cannot be is refused at the start.
func TestLoopsCheck(t *testing.T) {
	for _, n := range []int{-2, 65} {
		err := (&jay.Server{Addr: "tcp://127.0.0.1:0", Protocol: every(echo{}), Loops: n}).Serve(t.Context())
		if err == nil || !strings.Contains(err.Error(), "field Loops is "+fmt.Sprint(n)) {
			t.Errorf("%d loops: %v", n, err)
		}
	}
}

// A world that all loops of a process share: each loop has its own connections,
// and the map is everybody's.
func ExampleServer_loops() {
	var world sync.Map // of names to where they are
	s := &jay.Server{
		Addr:  "tcp://127.0.0.1:0",
		Loops: 2,
		Protocol: onLine(func(c *jay.Conn, line string) {
			name, place, moves := strings.Cut(line, " ")
			if moves {
				world.Store(name, place)
			}
			where, _ := world.Load(name)
			fmt.Fprintf(c, "%v\n", where)
		}),
	}
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan net.Addr), make(chan error)
	go func() {
		s.OnReady = func(addrs []net.Addr) { ready <- addrs[0] }
		ended <- s.Serve(ctx)
	}()
	addr := <-ready
	tell := func(line string) {
		c, err := net.Dial("tcp", addr.String())
		if err != nil {
			fmt.Println(err)
			return
		}
		defer c.Close()
		fmt.Fprintln(c, line)
		where, _ := bufio.NewReader(c).ReadString('\n')
		fmt.Print(where)
	}
	tell("ada the library")
	tell("ada") // whichever loop has this connection
	stop()
	fmt.Println(<-ended)
	// Output:
	// the library
	// the library
	// <nil>
}
