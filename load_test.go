package jay_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/leak"
	"github.com/jay-go/jay/internal/reset"
)

// lineCounter is a slog.Handler that counts.
type lineCounter struct{ n atomic.Int64 }

func (h *lineCounter) Enabled(context.Context, slog.Level) bool { return true }
func (h *lineCounter) Handle(context.Context, slog.Record) error {
	h.n.Add(1)
	return nil
}
func (h *lineCounter) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h *lineCounter) WithGroup(string) slog.Handler      { return h }

// TestConnectAndReset: clients that come and reset the connection, thousands of
// them, leave nothing behind, and the log alone.
func TestConnectAndReset(t *testing.T) {
	logged := &lineCounter{}
	before := slog.Default()
	slog.SetDefault(slog.New(logged))
	t.Cleanup(func() { slog.SetDefault(before) })
	eachBackend(t, func(t *testing.T, backend string) {
		leak.Check(t)
		const resets = 10_000
		var worker *jay.Worker
		addr := serve(t, &jay.Server{
			Protocol: every(echo{}),
			Loops:    1, OnWorkerStart: func(w *jay.Worker) error { worker = w; return nil },
		}, backend)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for k := range resets / 8 {
					c, err := reset.Dial("tcp", addr, patience)
					if err != nil {
						t.Error(err)
						return
					}
					if k%2 == 0 {
						_, _ = c.Write([]byte("x"))
					}
					if k%50 == 48 { // a full queue would make the kernel forget what is reset
						_ = c.SetReadDeadline(time.Now().Add(patience))
						if _, err := c.Read(make([]byte, 1)); err != nil {
							t.Error(err)
							return
						}
					}
					c.Close()
				}
			})
		}
		all.Wait()
		c := dial(t, addr)
		send(t, c, "alive") // answered after all that wait in the accept queue before it
		expect(t, c, "alive")
		eventually(t, "all others are gone", func() bool { return worker.Report().Connections == 1 })
		// A full queue makes the kernel forget a connection that is reset.
		st := worker.Report()
		t.Logf("%d accepted, %d errors, of %d", st.Accepted, st.AcceptErrors, resets)
		if st.Accepted+st.AcceptErrors < resets/2 || st.Accepted > resets+1 {
			t.Errorf("%d accepted and %d errors of %d connections", st.Accepted, st.AcceptErrors, resets)
		}
	})
	if n := logged.n.Load(); n > 10 {
		t.Errorf("the log has %d lines", n)
	}
}

// stream is a handler that writes as long as the peer takes it.
type stream struct{ echo }

var streamBlock = make([]byte, 64<<10)

func (stream) Data(c *jay.Conn, b []byte) (int, error) {
	pour(c)
	return len(b), nil
}

func (stream) Writable(c *jay.Conn) { pour(c) }

func pour(c *jay.Conn) {
	for c.Reading() {
		if _, err := c.WriteShared(streamBlock); err != nil {
			return
		}
	}
}

// TestSlowReaders: 200 readers of an endless stream that read next to nothing
// hold no more than their high-water mark, and 50 others do not notice them.
func TestSlowReaders(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		const highWater = 256 << 10
		var worker *jay.Worker
		addr := serve(t, &jay.Server{
			Conn: jay.ConnConfig{HighWater: highWater},
			Protocol: onLine(func(c *jay.Conn, line string) {
				if line == "stream" {
					c.SetHandler(stream{})
					pour(c)
					return
				}
				c.WriteString(line)
			}),
			Loops: 1, OnWorkerStart: func(w *jay.Worker) error { worker = w; return nil },
		}, backend)
		for range 200 {
			c := dial(t, addr)
			c.SetReadBuffer(4096)
			send(t, c, "stream\n")
			expect(t, c, "\x00")
		}
		var all sync.WaitGroup
		for k := range 50 {
			c := dial(t, addr)
			all.Go(func() {
				answer := make([]byte, 16)
				for i := range 100 {
					line := fmt.Sprintf("%d %d", k, i)
					_, err := io.WriteString(c, line+"\n")
					if err == nil {
						_, err = io.ReadFull(c, answer[:len(line)])
					}
					if err != nil || string(answer[:len(line)]) != line {
						t.Errorf("a fast client got %q, %v; want %q", answer[:len(line)], err, line)
						return
					}
				}
			})
		}
		all.Wait()
		buffered, most := buffers(t, worker)
		if most > highWater+len(streamBlock) {
			t.Errorf("a slow reader has %d bytes buffered, the mark is %d", most, highWater)
		}
		if buffered == 0 {
			t.Error("nothing is buffered: no reader was slow")
		}
	})
}

// buffers returns how much is unsent altogether, and on one connection at most.
func buffers(t *testing.T, w *jay.Worker) (sum, most int) {
	t.Helper()
	done := make(chan bool, 1)
	w.Loop().Post(func() {
		for c := range w.Conns {
			sum += c.Buffered()
			most = max(most, c.Buffered())
		}
		done <- true
	})
	receive(t, done, "the walk")
	return sum, most
}

// TestBroadcast sends to 99 who read and one who does not: the 99 get every
// message, whatever the policy does with the one.
func TestBroadcast(t *testing.T) {
	for name, drop := range map[string]bool{"close": false, "drop newest": true} {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) { testBroadcast(t, backend, drop) })
		})
	}
}

func testBroadcast(t *testing.T, backend string, drop bool) {
	var worker *jay.Worker
	closed := make(chan error, 100)
	addr := serve(t, &jay.Server{
		Protocol: every(echo{}), Conn: jay.ConnConfig{MaxOutput: 1 << 20, DropNewest: drop},
		Loops: 1, OnWorkerStart: func(w *jay.Worker) error { worker = w; return nil },
		OnClose: func(_ *jay.Conn, err error) { closed <- err },
	}, backend)
	connect := func() *net.TCPConn {
		c := dial(t, addr)
		send(t, c, "x")
		expect(t, c, "x")
		return c
	}
	slow := connect()
	slow.SetReadBuffer(4096)
	var fast []*net.TCPConn
	for range 99 {
		fast = append(fast, connect())
	}
	message := bytes.Repeat([]byte("broadcast "), 6400)
	buf := make([]byte, len(message))
	refused := func() uint64 { return uint64(worker.Report().SendFailures) }
	for sent := 0; refused() == 0; sent++ {
		if sent == 500 {
			t.Fatalf("after %d messages the one who does not read has not met his limit", sent)
		}
		worker.Loop().Post(func() {
			for c := range worker.Conns {
				_, _ = c.WriteShared(message)
			}
		})
		for i, c := range fast {
			_ = c.SetDeadline(time.Now().Add(patience))
			if _, err := io.ReadFull(c, buf); err != nil || !bytes.Equal(buf, message) {
				t.Fatalf("reader %d got another message %d, %v", i, sent, err)
			}
		}
	}
	if drop {
		if len(closed) > 0 {
			t.Errorf("a connection ended with %v", <-closed)
		}
		return
	}
	if err := receive(t, closed, "the end of the slow one"); !errors.Is(err, jay.ErrOutputLimit) {
		t.Errorf("the slow one ended with %v, want ErrOutputLimit", err)
	}
	for _, c := range fast {
		_ = c.SetDeadline(time.Now().Add(patience))
		send(t, c, "still here")
		expect(t, c, "still here")
	}
}
