package jay_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/late"
)

// TestRefFromManyGoroutines writes from 8 goroutines: nothing is lost or torn,
// and each goroutine's writes are in order.
func TestRefFromManyGoroutines(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		refs := make(chan jay.Ref, 1)
		addr := serve(t, &jay.Server{Protocol: every(echo{}), OnConnect: func(c *jay.Conn) { refs <- c.Ref() }}, backend)
		c := dial(t, addr)
		ref := receive(t, refs, "the connection")
		const writers, each = 8, 500
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					if err := ref.Send(fmt.Appendf(nil, "%d %d\n", w, i)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		next := [writers]int{}
		in := bufio.NewScanner(c)
		for range writers * each {
			if !in.Scan() {
				t.Fatal(in.Err())
			}
			var w, i int
			if _, err := fmt.Sscanf(in.Text(), "%d %d", &w, &i); err != nil || i != next[w] {
				t.Fatalf("got %q, want number %d", in.Text(), next[w])
			}
			next[w]++
		}
		wg.Wait()
	})
}

// TestRefWhileClosing writes from 8 goroutines to a connection that goes away
// meanwhile: each of them is told, and nothing else happens.
func TestRefWhileClosing(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		refs := make(chan jay.Ref, 1)
		addr := serve(t, &jay.Server{
			Protocol: every(echo{}), Conn: jay.ConnConfig{MaxOutput: 4096, DropNewest: true},
			OnConnect: func(c *jay.Conn) { refs <- c.Ref() },
		}, backend)
		for _, leave := range []func(c *net.TCPConn, ref jay.Ref){
			func(c *net.TCPConn, _ jay.Ref) { c.Close() },
			func(c *net.TCPConn, _ jay.Ref) { c.SetLinger(0); c.Close() },
			func(c *net.TCPConn, ref jay.Ref) { _ = ref.Close(); c.Close() },
			func(_ *net.TCPConn, ref jay.Ref) { _ = ref.Abort() },
		} {
			c := dial(t, addr)
			ref := receive(t, refs, "the connection")
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					for end := time.Now().Add(patience); ; {
						err := ref.Send([]byte("x"))
						if errors.Is(err, jay.ErrClosed) {
							return
						}
						if err != nil && !errors.Is(err, jay.ErrOutputLimit) || time.Now().After(end) {
							t.Errorf("Send says %v", err)
							return
						}
						runtime.Gosched()
					}
				})
			}
			expect(t, c, "xxxx")
			leave(c, ref)
			all.Wait()
		}
	})
}

// TestRefSendIsLimited sends more than the limit while the loop is busy: what
// waits for the loop is unsent output, too.
func TestRefSendIsLimited(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		refs, busy, goOn := make(chan jay.Ref, 1), make(chan bool), make(chan bool)
		var worker *jay.Worker
		addr := serve(t, &jay.Server{
			Protocol: every(echo{}), Conn: jay.ConnConfig{MaxOutput: 4096},
			OnConnect: func(c *jay.Conn) { refs <- c.Ref() },
			Loops:     1, OnWorkerStart: func(w *jay.Worker) error { worker = w; return nil },
		}, backend)
		c := dial(t, addr)
		ref := receive(t, refs, "the connection")
		worker.Loop().Post(func() { busy <- true; <-goOn })
		receive(t, busy, "the blocked loop")
		want := ""
		for _, tt := range []struct {
			size int
			err  error
		}{{4000, nil}, {97, jay.ErrOutputLimit}, {96, nil}, {1, jay.ErrOutputLimit}} {
			p := strings.Repeat(string(rune('a'+len(want)%26)), tt.size)
			if err := ref.Send([]byte(p)); !errors.Is(err, tt.err) {
				t.Errorf("Send of %d bytes behind %d: %v, want %v", tt.size, len(want), err, tt.err)
			}
			if tt.err == nil {
				want += p
			}
		}
		close(goOn)
		expect(t, c, want)
		if st := worker.Report(); st.SendFailures != 2 {
			t.Errorf("%d sends failed in the figures, want 2", st.SendFailures)
		}
		eventually(t, "the loop knows that all is sent", func() bool {
			unsent, _ := buffers(t, worker)
			return unsent == 0
		})
		if err := ref.Send([]byte("again")); err != nil {
			t.Errorf("Send after all that: %v", err)
		}
		expect(t, c, "again")
	})
}

func TestRefAfterClose(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		refs, closed := make(chan jay.Ref, 1), make(chan error, 1)
		addr, stop := serveStop(t, &jay.Server{
			Protocol:  every(echo{}),
			OnConnect: func(c *jay.Conn) { refs <- c.Ref() },
			OnClose:   func(_ *jay.Conn, err error) { closed <- err },
		}, backend)
		defer stop()
		c := dial(t, addr)
		ref := receive(t, refs, "the connection")
		c.Close()
		receive(t, closed, "OnClose")
		for name, err := range map[string]error{
			"Send": ref.Send([]byte("x")), "Close": ref.Close(), "Abort": ref.Abort(),
			"Do":       ref.Do(func(*jay.Conn) { t.Error("Do ran on a closed connection") }),
			"zero Ref": jay.Ref{}.Close(),
		} {
			if !errors.Is(err, jay.ErrClosed) {
				t.Errorf("%s after close: %v, want ErrClosed", name, err)
			}
		}
		other := dial(t, addr)
		live := receive(t, refs, "the second connection")
		gone := make(chan bool)
		go func() {
			defer close(gone)
			_, _ = other.Read(make([]byte, 1))
			other.Close() // answers the server's FIN, which would wait for it
		}()
		stop()
		receive(t, gone, "the end of the client")
		if err := live.Send([]byte("x")); !errors.Is(err, jay.ErrClosed) {
			t.Errorf("Send after the worker ended: %v, want ErrClosed", err)
		}
	})
}

// TestOneSendPerTurn writes piecemeal and expects that the pieces travel
// together: the peer's first read has them all.
func TestOneSendPerTurn(t *testing.T) {
	c := dial(t, serve(t, &jay.Server{Protocol: onLine(func(c *jay.Conn, _ string) {
		for range 100 {
			c.WriteString("0123456789")
			c.Write([]byte("abcdefghij"))
		}
	})}, "auto"))
	send(t, c, "go\n")
	buf := make([]byte, 4096)
	n, err := c.Read(buf)
	if late.On { // in parts
		var rest int
		rest, err = io.ReadFull(c, buf[n:2000])
		n += rest
	}
	if want := strings.Repeat("0123456789abcdefghij", 100); string(buf[:n]) != want {
		t.Errorf("the first read got %d bytes, %v; want all %d", n, err, len(want))
	}
}
