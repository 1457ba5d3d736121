package jay_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay"
)

func send(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		t.Fatalf("send %.20q: %v", s, err)
	}
}

func expect(t *testing.T, c io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(c, got)
	if string(got[:n]) != want {
		t.Fatalf("got %q, %v; want %q", got[:n], err, want)
	}
}

func expectEOF(t *testing.T, c io.Reader) {
	t.Helper()
	if rest, err := io.ReadAll(c); err != nil || len(rest) > 0 {
		t.Fatalf("got %.60q, %v; want the end of the stream", rest, err)
	}
}

func TestMessagesInAnySegments(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		addr := serve(t, &jay.Server{Protocol: onLine(func(c *jay.Conn, line string) {
			c.WriteString("<" + line + ">")
		})}, backend)
		const in, want = "one\n\n0\nlonger line\n", "<one><><0><longer line>"
		for cut := 0; cut <= len(in); cut++ {
			c := dial(t, addr)
			send(t, c, in[:cut])
			send(t, c, in[cut:])
			c.CloseWrite()
			expect(t, c, want)
			expectEOF(t, c)
		}
		c := dial(t, addr)
		for i := range len(in) {
			send(t, c, in[i:i+1])
		}
		expect(t, c, want)
	})
}

// endings are the ways to write all of a payload and close.
var endings = map[string]func(c *jay.Conn, payload []byte){
	"Close":        func(c *jay.Conn, payload []byte) { c.Write(payload); c.Close() },
	"CloseWith":    func(c *jay.Conn, payload []byte) { c.CloseWith(payload) },
	"Close, twice": func(c *jay.Conn, payload []byte) { c.Write(payload); c.Close(); c.Close() },
	"Close during the flush": func(c *jay.Conn, payload []byte) {
		c.Write(payload)
		c.Loop().AfterFunc(20*time.Millisecond, c.Close)
	},
}

// TestWriteThenClose holds Close to its word for more bytes than any buffer
// on the way takes.
func TestWriteThenClose(t *testing.T) {
	payload := bytes.Repeat([]byte("0123456789abcdef"), 32<<20/16)
	for _, network := range []string{"tcp", "unix"} {
		for name, end := range endings {
			for _, reader := range []string{"fast", "slow"} {
				if reader == "fast" && name != "Close" {
					continue // it is the flush that takes long that matters there
				}
				t.Run(network+"/"+name+"/"+reader, func(t *testing.T) {
					eachBackend(t, func(t *testing.T, backend string) {
						testWriteThenClose(t, backend, network, reader == "slow", payload, end)
					})
				})
			}
		}
	}
}

func testWriteThenClose(t *testing.T, backend, network string, slow bool, payload []byte, end func(*jay.Conn, []byte)) {
	closed := make(chan error, 1)
	s := &jay.Server{
		Protocol: onLine(func(c *jay.Conn, _ string) { end(c, payload) }),
		OnClose: func(c *jay.Conn, err error) {
			if _, err := c.Write([]byte("late")); !errors.Is(err, jay.ErrClosed) {
				t.Errorf("Write after Close: %v, want ErrClosed", err)
			}
			closed <- err
		},
	}
	if network == "unix" {
		s.Addr = "unix://" + filepath.Join(t.TempDir(), "s")
	}
	c := dialOn(t, network, serve(t, s, backend))
	send(t, c, "go\nand bytes that nobody reads")
	got, buf := 0, make([]byte, 64<<10)
	for {
		n, err := c.Read(buf)
		if n > 0 && (got+n > len(payload) || !bytes.Equal(buf[:n], payload[got:got+n])) {
			t.Fatalf("other bytes than were written, at %d", got)
		}
		got += n
		if err != nil {
			if err != io.EOF {
				t.Errorf("read after %d bytes: %v", got, err)
			}
			break
		}
		if slow && got < len(payload)/8 {
			time.Sleep(time.Millisecond)
		}
	}
	if got != len(payload) {
		t.Errorf("got %d of %d bytes", got, len(payload))
	}
	c.Close()
	if err := receive(t, closed, "OnClose"); err != nil {
		t.Errorf("OnClose got %v, want nil", err)
	}
}

func TestLateAnswerAfterHalfClose(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		refs := make(chan jay.Ref, 1)
		addr := serve(t, &jay.Server{Protocol: onLine(func(c *jay.Conn, line string) {
			c.Hold()
			refs <- c.Ref()
		})}, backend)
		c := dial(t, addr)
		send(t, c, "question\n")
		c.CloseWrite()
		ref := receive(t, refs, "the message")
		// Another connection's round trip: the FIN has been seen by then.
		other := dial(t, addr)
		send(t, other, "x\n")
		_ = receive(t, refs, "the other message").Close()
		if err := ref.Send([]byte("answer")); err != nil {
			t.Fatal(err)
		}
		if err := ref.Do((*jay.Conn).Release); err != nil {
			t.Fatal(err)
		}
		expect(t, c, "answer")
		expectEOF(t, c)
	})
}

// TestCloseKeepsAnswer closes while the client still sends: the answer must
// arrive, not a reset.
func TestCloseKeepsAnswer(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		addr := serve(t, &jay.Server{Protocol: onLine(func(c *jay.Conn, _ string) {
			c.CloseWith([]byte("enough"))
		})}, backend)
		c := dial(t, addr)
		send(t, c, "stop\n")
		junk := make([]byte, 64<<10)
		for range 16 {
			if _, err := c.Write(junk); err != nil {
				t.Fatalf("the server reset the connection: %v", err)
			}
		}
		expect(t, c, "enough")
		expectEOF(t, c)
	})
}

func TestAbortResets(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		closed := make(chan error, 1)
		addr := serve(t, &jay.Server{
			Protocol: onLine(func(c *jay.Conn, _ string) { c.Abort() }),
			OnClose:  func(_ *jay.Conn, err error) { closed <- err },
		}, backend)
		c := dial(t, addr)
		send(t, c, "x\n")
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("read: %v, want a reset", err)
		}
		if err := receive(t, closed, "OnClose"); !errors.Is(err, jay.ErrAborted) {
			t.Errorf("OnClose got %v, want ErrAborted", err)
		}
	})
}

func TestPeerReset(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		closed, bad := make(chan error, 1), make(chan error, 1)
		addr := serve(t, &jay.Server{
			Protocol: every(echo{}),
			OnClose:  func(_ *jay.Conn, err error) { closed <- err },
			OnError:  func(_ *jay.Conn, err error) { bad <- err },
		}, backend)
		c := dial(t, addr)
		send(t, c, "x")
		expect(t, c, "x")
		c.SetLinger(0)
		c.Close()
		if err := receive(t, closed, "OnClose"); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("OnClose got %v, want the reset", err)
		}
		if len(bad) > 0 {
			t.Errorf("OnError was called for a peer that went away: %v", <-bad)
		}
	})
}

func TestPauseKeepsBytes(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		paused := make(chan jay.Ref, 8)
		addr := serve(t, &jay.Server{Protocol: onLine(func(c *jay.Conn, line string) {
			c.WriteString(line)
			if line == "pause" {
				c.PauseRead()
				paused <- c.Ref()
			}
		})}, backend)
		c := dial(t, addr)
		send(t, c, "pause\nrest\nof it\npause\nend\n")
		ref := receive(t, paused, "the pause")
		expect(t, c, "pause")
		_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if n, err := c.Read(make([]byte, 9)); err == nil {
			t.Fatalf("%d bytes of answers came while reading was paused", n)
		}
		_ = c.SetReadDeadline(time.Now().Add(patience))
		send(t, c, "later\n")
		c.CloseWrite()
		_ = ref.Do((*jay.Conn).ResumeRead)
		receive(t, paused, "the second pause")
		_ = ref.Do((*jay.Conn).ResumeRead)
		expect(t, c, "restof itpauseendlater")
		expectEOF(t, c)
	})
}

// needy wants messages of 1+n bytes, n being the first byte, and counts calls.
type needy struct {
	echo
	calls *atomic.Int32
}

func (h needy) Data(c *jay.Conn, b []byte) (int, error) {
	h.calls.Add(1)
	n := 1 + int(b[0])
	if len(b) < n {
		c.Need(n)
		return 0, nil
	}
	_, err := c.Write(b[1:n])
	return n, err
}

func TestNeed(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		h := needy{calls: new(atomic.Int32)}
		c := dial(t, serve(t, &jay.Server{Protocol: every(h)}, backend))
		msg := strings.Repeat("m", 200)
		send(t, c, "\xc8")
		for i := range msg {
			send(t, c, msg[i:i+1])
			time.Sleep(50 * time.Microsecond)
		}
		expect(t, c, msg)
		if n := h.calls.Load(); n > 2 {
			t.Errorf("Data was called %d times for one message, want at most 2", n)
		}
	})
}

func TestInputLimit(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		bad := make(chan error, 1)
		addr := serve(t, &jay.Server{
			Protocol: onLine(func(*jay.Conn, string) {}), Conn: jay.ConnConfig{MaxInput: 32},
			OnError: func(c *jay.Conn, err error) { c.Write([]byte("too long")); bad <- err },
		}, backend)
		c := dial(t, addr)
		send(t, c, strings.Repeat("x", 40))
		if err := receive(t, bad, "OnError"); !errors.Is(err, jay.ErrInputLimit) {
			t.Errorf("OnError got %v, want ErrInputLimit", err)
		}
		expect(t, c, "too long")
		expectEOF(t, c)
	})
}

func TestProtocolErrorCloses(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		bad, closed := make(chan error, 1), make(chan error, 1)
		c := dial(t, serve(t, &jay.Server{
			Protocol: onLine(func(*jay.Conn, string) {}),
			OnError:  func(_ *jay.Conn, err error) { bad <- err },
			OnClose:  func(_ *jay.Conn, err error) { closed <- err },
		}, backend))
		send(t, c, strings.Repeat("x", 70))
		expectEOF(t, c)
		c.Close()
		for _, ch := range []chan error{bad, closed} {
			if err := receive(t, ch, "the error"); !errors.Is(err, errLong) {
				t.Errorf("got %v, want %v", err, errLong)
			}
		}
	})
}

// upgrade answers "ok" to the line "upgrade" and hands over to echo.
func TestSetHandlerGetsTheRest(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		addr := serve(t, &jay.Server{Protocol: onLine(func(c *jay.Conn, line string) {
			c.WriteString("ok ")
			c.SetHandler(echo{})
		})}, backend)
		c := dial(t, addr)
		send(t, c, "upgrade\nfirst ")
		expect(t, c, "ok first ")
		send(t, c, "second")
		expect(t, c, "second")
	})
}

func TestDetachToNetHTTP(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		ln := newQueueListener()
		web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "path ", r.URL.Path)
		})}
		go web.Serve(ln)
		defer web.Close()
		addr := serve(t, &jay.Server{Protocol: onLine(func(c *jay.Conn, line string) {
			if err := c.Detach(func(conn net.Conn, unused []byte, _ error) { ln.add(conn, unused) }); err != nil {
				t.Errorf("Detach: %v", err)
			}
		})}, backend)
		c := dial(t, addr)
		send(t, c, "http\nGET /early HTTP/1.1\r\nHost: a\r\n\r\n")
		buf := make([]byte, 4096)
		n, err := c.Read(buf)
		if !bytes.Contains(buf[:n], []byte("path /early")) {
			t.Fatalf("got %q, %v", buf[:n], err)
		}
		send(t, c, "GET /later HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		rest, err := io.ReadAll(c)
		if !bytes.Contains(rest, []byte("path /later")) {
			t.Fatalf("got %q, %v", rest, err)
		}
	})
}

// TestCountIsExact connects and leaves in every way and expects that nothing
// is remembered.
func TestCountIsExact(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		var worker atomic.Pointer[jay.Worker]
		var opened, closed atomic.Int32
		ids := map[uint64]bool{} // loop only
		addr := serve(t, &jay.Server{
			Protocol: every(echo{}),
			Loops:    1, OnWorkerStart: func(w *jay.Worker) error { worker.Store(w); return nil },
			OnConnect: func(c *jay.Conn) {
				opened.Add(1)
				if ids[c.ID()] {
					t.Errorf("id %d was given twice", c.ID())
				}
				ids[c.ID()] = true
			},
			OnClose: func(*jay.Conn, error) { closed.Add(1) },
		}, backend)
		count := func() (n int) {
			got := make(chan int, 1)
			worker.Load().Loop().Post(func() { got <- worker.Load().Len() })
			return receive(t, got, "the count")
		}
		rnd := rand.New(rand.NewPCG(1, 2))
		for range 200 {
			c := dial(t, addr)
			switch rnd.IntN(4) {
			case 0:
				c.SetLinger(0)
			case 1:
				send(t, c, "x")
				expect(t, c, "x")
			case 2:
				send(t, c, "x")
			}
			c.Close()
		}
		stay := dial(t, addr)
		send(t, stay, "x")
		expect(t, stay, "x")
		eventually(t, "one connection is left", func() bool { return count() == 1 })
		if o, c := opened.Load(), closed.Load(); o != 201 || c != 200 {
			t.Errorf("OnConnect %d times, OnClose %d times; want 201 and 200", o, c)
		}
	})
}

// queueListener is a net.Listener that is fed connections.
type queueListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func newQueueListener() *queueListener {
	return &queueListener{conns: make(chan net.Conn, 8), done: make(chan struct{})}
}

func (l *queueListener) add(c net.Conn, unused []byte) {
	l.conns <- &prefixed{Conn: c, prefix: bytes.NewReader(unused)}
}

func (l *queueListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *queueListener) Close() error   { close(l.done); return nil }
func (l *queueListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

type prefixed struct {
	net.Conn
	prefix io.Reader
}

func (c *prefixed) Read(p []byte) (int, error) {
	if n, err := c.prefix.Read(p); err == nil {
		return n, nil
	}
	return c.Conn.Read(p)
}
