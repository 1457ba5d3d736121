package jay_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/supervise"
)

// sorry is a protocol with words for whom it cannot serve.
type sorry struct{ jay.Protocol }

func (sorry) Refuse() []byte { return []byte("full, try later") }

func TestMaxConns(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		var worker *jay.Worker
		closed := make(chan bool, 8)
		addr := serve(t, &jay.Server{
			Protocol: sorry{every(echo{})}, MaxConns: 2,
			Loops: 1, OnWorkerStart: func(w *jay.Worker) error { worker = w; return nil },
			OnClose: func(*jay.Conn, error) { closed <- true },
		}, backend)
		var in []net.Conn
		for range 2 {
			c := dial(t, addr)
			send(t, c, "x")
			expect(t, c, "x")
			in = append(in, c)
		}
		for range 3 {
			c := dial(t, addr)
			send(t, c, "a request that is never read")
			expect(t, c, "full, try later")
			expectEOF(t, c)
			c.Close()
		}
		in[0].Close()
		receive(t, closed, "OnClose")
		c := dial(t, addr)
		send(t, c, "y")
		expect(t, c, "y")
		if st := worker.Report(); st.Refused != 3 || st.Accepted != 6 || st.Connections > 5 {
			t.Errorf("refused %d, accepted %d; want 3 and 6", st.Refused, st.Accepted)
		}
		if len(closed) != 0 {
			t.Error("OnClose was called for a connection that was refused")
		}
	})
}

func TestMoreTimeouts(t *testing.T) {
	tests := map[string]struct {
		server  jay.Server
		connect func(*jay.Conn)
		after   time.Duration
		err     error
	}{
		"first byte":              {server: jay.Server{Conn: jay.ConnConfig{FirstByteTimeout: 5 * time.Second}}, after: 5 * time.Second, err: jay.ErrFirstByte},
		"lifetime":                {server: jay.Server{Conn: jay.ConnConfig{Lifetime: 20 * time.Second}}, after: 20 * time.Second, err: jay.ErrLifetime},
		"first byte of one":       {connect: func(c *jay.Conn) { c.SetFirstByteTimeout(3 * time.Second) }, after: 3 * time.Second, err: jay.ErrFirstByte},
		"lifetime of one":         {connect: func(c *jay.Conn) { c.SetLifetime(4 * time.Second) }, after: 4 * time.Second, err: jay.ErrLifetime},
		"idle of one":             {connect: func(c *jay.Conn) { c.SetIdleTimeout(6 * time.Second) }, after: 6 * time.Second, err: jay.ErrIdle},
		"shorter than the server": {server: jay.Server{Conn: jay.ConnConfig{IdleTimeout: 5 * time.Minute}}, connect: func(c *jay.Conn) { c.SetIdleTimeout(time.Second) }, after: time.Second, err: jay.ErrIdle},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(t *testing.T, serve func(*jay.Server) *pipes) {
				closed := make(chan error, 2)
				s := test.server
				s.Protocol = every(echo{})
				s.OnClose = func(_ *jay.Conn, err error) { closed <- err }
				first := true
				s.OnConnect = func(c *jay.Conn) {
					if test.connect != nil && first {
						test.connect(c)
					}
					first = false
				}
				p := serve(&s)
				c := p.dial()
				wantBetween(t, "closed", endOf(t, c), test.after)
				if err := <-closed; !errors.Is(err, test.err) {
					t.Errorf("OnClose got %v, want %v", err, test.err)
				}
				if test.connect == nil {
					return
				}
				other := p.dial() // the change was for one connection alone
				if test.server.Conn.IdleTimeout == 0 {
					wantBetween(t, "the other closed", endOf(t, other), 75*time.Second)
				} else {
					wantBetween(t, "the other closed", endOf(t, other), test.server.Conn.IdleTimeout)
				}
				<-closed
			})
		})
	}
}

// TestBudget spends the worker's memory budget on a slow reader and expects
// that it fails and that its neighbours do not notice.
func TestBudget(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		closed := make(chan error, 8)
		var worker *jay.Worker
		addr := serve(t, &jay.Server{
			Loops: 1, OnWorkerStart: func(w *jay.Worker) error { worker = w; return nil },
			Protocol: onLine(func(c *jay.Conn, line string) {
				n, _ := strconv.Atoi(line)
				for ; n > 0; n -= 1 << 16 {
					if _, err := c.Write(make([]byte, min(n, 1<<16))); err != nil {
						return
					}
				}
			}),
			Conn: jay.ConnConfig{HighWater: 256 << 10, MaxOutput: -1}, MaxBuffered: 8 << 20,
			OnClose: func(_ *jay.Conn, err error) { closed <- err },
		}, backend)
		slow := dial(t, addr)
		slow.SetReadBuffer(4096)
		send(t, slow, "50000000\n")
		if err := receive(t, closed, "the end of the slow reader"); !errors.Is(err, jay.ErrBudget) {
			t.Errorf("OnClose got %v, want ErrBudget", err)
		}
		eventually(t, "nothing is held for it any more", func() bool { return heldBy(t, worker) == 0 })
		holder := dial(t, addr) // spends it without exceeding it
		send(t, holder, "8000000\n")
		fast := dial(t, addr)
		for range 20 {
			send(t, fast, "100000\n")
			if _, err := io.CopyN(io.Discard, fast, 100000); err != nil {
				t.Fatalf("a fast reader failed: %v", err)
			}
		}
		if n, err := io.CopyN(io.Discard, holder, 8000000); err != nil {
			t.Errorf("the reader within the budget got %d bytes, %v", n, err)
		}
	})
}

func TestCloseWrite(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		lines, closed := make(chan string, 4), make(chan error, 1)
		addr := serve(t, &jay.Server{
			Protocol: onLine(func(c *jay.Conn, line string) {
				if lines <- line; line == "first" {
					c.WriteString("bye")
					c.CloseWrite()
					if _, err := c.WriteString("more"); !errors.Is(err, jay.ErrClosed) {
						t.Errorf("Write after CloseWrite: %v, want ErrClosed", err)
					}
				}
			}),
			OnClose: func(_ *jay.Conn, err error) { closed <- err },
		}, backend)
		c := dial(t, addr)
		send(t, c, "first\n")
		expect(t, c, "bye")
		expectEOF(t, c)
		send(t, c, "second\n")
		receive(t, lines, "the first line")
		if got := receive(t, lines, "the line after our FIN"); got != "second" {
			t.Errorf("got %q", got)
		}
		c.Close()
		if err := receive(t, closed, "OnClose"); err != nil {
			t.Errorf("OnClose got %v, want nil", err)
		}
	})
}

// proxy starts a server that pipes its connections to address.
func proxy(t *testing.T, address, backend string) string {
	return serve(t, &jay.Server{
		Protocol: every(echo{}),
		OnConnect: func(c *jay.Conn) {
			c.PauseRead()
			jay.Dialer{}.Dial(c.Worker(), address, every(echo{}), func(up *jay.Conn, err error) {
				if err != nil {
					c.CloseWith([]byte("no upstream"))
					return
				}
				c.ResumeRead()
				jay.Pipe(c, up)
			})
		},
	}, backend)
}

func TestPipe(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				s := &jay.Server{Protocol: every(echo{}), Addr: "tcp://127.0.0.1:0"}
				if network == "unix" {
					s.Addr = "unix://" + filepath.Join(t.TempDir(), "up")
				}
				up := serve(t, s, backend)
				c := dial(t, proxy(t, network+"://"+up, backend))
				testPipe(t, c)
			})
		})
	}
}

// testPipe sends much more than any buffer holds and finishes first: all of it
// must come back.
func testPipe(t *testing.T, c *net.TCPConn) {
	payload := bytes.Repeat([]byte("pipe"), 4<<20)
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(payload)
		sent <- errors.Join(err, c.CloseWrite())
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, payload) {
		t.Errorf("got %d bytes, %v; want the %d that were sent", len(got), err, len(payload))
	}
	if err := receive(t, sent, "the end of sending"); err != nil {
		t.Error(err)
	}
}

func TestPipeCarriesReset(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		closed, opened := make(chan error, 1), make(chan bool, 1)
		up := serve(t, &jay.Server{
			Protocol:  every(echo{}),
			OnConnect: func(*jay.Conn) { opened <- true },
			OnClose:   func(_ *jay.Conn, err error) { closed <- err },
		}, backend)
		c := dial(t, proxy(t, up, backend))
		send(t, c, "x")
		expect(t, c, "x")
		c.SetLinger(0)
		c.Close()
		if err := receive(t, closed, "the end at the far side"); err == nil {
			t.Error("a reset arrived as an orderly end")
		}
	})
}

// TestPipeWaitsForTheReader sends through a pipe to a client that does not read
// yet: the far side must be held back, and nothing may be lost.
func TestPipeWaitsForTheReader(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		const size = 64 << 20
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		var sent atomic.Int64
		go func() {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			block := make([]byte, 1<<16)
			for n := 0; n < size && err == nil; {
				n, err = c.Write(block)
				n = int(sent.Add(int64(n)))
			}
		}()
		c := dial(t, proxy(t, ln.Addr().String(), backend))
		c.SetReadBuffer(64 << 10)
		last := int64(-1)
		eventually(t, "the sender is held back", func() bool {
			now := sent.Load()
			still := now == last && now > 0
			last = now
			time.Sleep(20 * time.Millisecond)
			return still
		})
		if last >= size {
			t.Fatalf("all %d bytes were taken from the sender though nobody reads", size)
		}
		if n, err := io.Copy(io.Discard, c); n != size || err != nil {
			t.Errorf("got %d bytes, %v; want %d", n, err, size)
		}
	})
}

// TestPipeDestinationDies resets the reader of a pipe that is full.
func TestPipeDestinationDies(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		failed := make(chan error, 1)
		go func() {
			c, err := ln.Accept()
			for block := make([]byte, 1<<16); err == nil; {
				_, err = c.Write(block)
			}
			failed <- err
		}()
		c := dial(t, proxy(t, ln.Addr().String(), backend))
		if _, err := io.CopyN(io.Discard, c, 1<<20); err != nil {
			t.Fatal(err)
		}
		c.SetLinger(0)
		c.Close()
		receive(t, failed, "the end at the sender")
	})
}

// TestPipeToClosed joins a connection with one that has gone: it ends, too.
func TestPipeToClosed(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		var gone *jay.Conn // loop only
		left := make(chan bool, 1)
		addr := serve(t, &jay.Server{
			Protocol: onLine(func(c *jay.Conn, line string) {
				switch line {
				case "leave":
					gone = c
					c.Abort()
				case "first":
					jay.Pipe(gone, c)
				case "second":
					jay.Pipe(c, gone)
				}
			}),
			OnClose: func(c *jay.Conn, _ error) {
				if c == gone {
					left <- true
				}
			},
		}, backend)
		send(t, dial(t, addr), "leave\n")
		receive(t, left, "the end of the first")
		for _, place := range []string{"first", "second"} {
			c := dial(t, addr)
			send(t, c, place+"\n")
			if n, err := c.Read(make([]byte, 1)); err == nil {
				t.Errorf("%s: %d bytes came", place, n)
			} else if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: the connection stays open", place)
			}
		}
	})
}

func TestDialFails(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		for _, address := range []string{"127.0.0.1:1", "unix:///nonexistent/socket", "tcp://host:notaport"} {
			c := dial(t, proxy(t, address, backend))
			expect(t, c, "no upstream")
			expectEOF(t, c)
		}
	})
}

func TestConnectionsReport(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		var worker *jay.Worker
		addr := serve(t, &jay.Server{
			Loops: 1, OnWorkerStart: func(w *jay.Worker) error { worker = w; return nil },
			Protocol: onLine(func(c *jay.Conn, line string) { c.WriteString("ok") }),
		}, backend)
		for range 7 {
			c := dial(t, addr)
			send(t, c, "line\nhalf")
			expect(t, c, "ok")
		}
		var rows []control.ConnectionInfo
		for after := uint64(0); ; {
			page := worker.Connections(supervise.ConnectionQuery{After: after, Limit: 3})
			if len(page) == 0 {
				break
			}
			if len(page) > 3 {
				t.Fatalf("a page has %d rows, want at most 3", len(page))
			}
			rows = append(rows, page...)
			after = page[len(page)-1].ID
		}
		if len(rows) != 7 {
			t.Fatalf("the pages have %d connections, want 7", len(rows))
		}
		for i, r := range rows {
			if r.Transport != "tcp" || r.Protocol != "lines" || r.Local != addr || r.State != "open" ||
				r.BytesIn != 9 || r.BytesOut+r.SendQueue != 2 || r.RecvQueue != 4 || !strings.HasPrefix(r.Remote, "127.0.0.1:") {
				t.Errorf("row %d is wrong: %+v", i, r)
			}
			if r.ID >= 1<<53 {
				t.Errorf("id %d is more than JavaScript can count", r.ID)
			}
			if i > 0 && r.ID <= rows[i-1].ID {
				t.Errorf("ids %d, %d are not in order", rows[i-1].ID, r.ID)
			}
		}
	})
}
