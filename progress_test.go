package jay_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jay-go/jay"
)

const (
	slowTimeout = 250 * time.Millisecond // of the server
	slowPause   = 30 * time.Millisecond  // of the reader, between two pieces
	slowPiece   = 64 << 10
	slowSize    = 6 << 20

	// A try in which the client itself was held up says nothing, and is made again,
	// for at most so long.
	slowTries = 2 * time.Minute
)

// slowServers send slowSize bytes at the line "go", in their ways, to whoever
// reads them.
func slowServers(t *testing.T, backend, network string) map[string]string {
	server := func(p jay.Protocol) string {
		s := &jay.Server{Protocol: p, Conn: jay.ConnConfig{WriteTimeout: slowTimeout, CloseTimeout: slowTimeout, IdleTimeout: slowTimeout}}
		if network == "unix" {
			s.Addr = "unix://" + filepath.Join(t.TempDir(), "s")
		}
		return serve(t, s, backend)
	}
	payload := make([]byte, slowSize)
	open := server(onLine(func(c *jay.Conn, _ string) {
		c.Write(payload)
		c.Write([]byte("end"))
	}))
	closing := server(onLine(func(c *jay.Conn, _ string) {
		c.Write(payload)
		c.CloseWith([]byte("end"))
	}))
	name := filepath.Join(t.TempDir(), "payload")
	if err := os.WriteFile(name, payload, 0o600); err != nil {
		t.Fatal(err)
	}
	file := server(onLine(func(c *jay.Conn, _ string) {
		if f, err := os.Open(name); err != nil || c.WriteFile(f, 0, slowSize) != nil {
			t.Error("the file was not taken", err)
		}
		c.CloseWith([]byte("end"))
	}))
	s := &jay.Server{
		Protocol: every(echo{}), Conn: jay.ConnConfig{WriteTimeout: slowTimeout, CloseTimeout: slowTimeout, IdleTimeout: slowTimeout},
		OnConnect: func(c *jay.Conn) {
			c.PauseRead()
			jay.Dialer{}.Dial(c.Worker(), network+"://"+open, every(echo{}), func(up *jay.Conn, err error) {
				if err != nil {
					t.Error(err)
					return
				}
				c.ResumeRead()
				jay.Pipe(c, up)
			})
		},
	}
	if network == "unix" {
		s.Addr = "unix://" + filepath.Join(t.TempDir(), "s")
	}
	return map[string]string{"open": open, "closing": closing, "file": file, "piped": serve(t, s, backend)}
}

// TestSlowSteadyReaders read so slowly that the kernel reports the socket
// writable less often than the server's timeouts allow, and without a pause:
// they get everything.
func TestSlowSteadyReaders(t *testing.T) {
	var readers sync.WaitGroup
	began := time.Now()
	for _, network := range []string{"tcp", "unix"} {
		for _, backend := range backends {
			for way, addr := range slowServers(t, backend, network) {
				readers.Go(func() {
					for {
						n, longest, err := readSlowly(network, addr)
						if err == nil {
							return
						}
						if longest < slowTimeout/4 || time.Since(began) > slowTries { // or it was the reader that was held up
							t.Errorf("%s %s %s: the reader, which paused for %v at most, got %d bytes of %d: %v",
								network, backend, way, longest, n, slowSize, err)
							return
						}
					}
				})
			}
		}
	}
	readers.Wait()
}

// readSlowly reads all that a slow server sends. longest is the longest time
// between two reads, or before the first or the one that failed.
func readSlowly(network, addr string) (n int, longest time.Duration, err error) {
	last := time.Now()
	defer func() { longest = max(longest, time.Since(last)) }()
	c, err := net.Dial(network, addr)
	if err != nil {
		return 0, 0, err
	}
	defer c.Close()
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(slowPiece)
	}
	if _, err := io.WriteString(c, "go\n"); err != nil {
		return 0, 0, err
	}
	buf := make([]byte, slowPiece)
	for n < slowSize+len("end") {
		k, err := io.ReadAtLeast(c, buf, min(len(buf), slowSize+len("end")-n))
		if n += k; err != nil {
			return n, longest, err
		}
		time.Sleep(slowPause)
		now := time.Now()
		longest = max(longest, now.Sub(last))
		last = now
	}
	return n, longest, nil
}

// TestUploadAnsweredEarly goes on sending for long after the server has answered
// and closed: as long as it sends, it is not cut, and reads the answer. One that
// only trickles is, and so is one that does not end.
func TestUploadAnsweredEarly(t *testing.T) {
	uploads := map[string]struct {
		timeout time.Duration // of the server
		piece   int
		pause   time.Duration
		lasts   time.Duration
		cut     bool
	}{
		"busy":      {slowTimeout, slowPiece, slowPause, 5 * slowTimeout, false},
		"a trickle": {slowTimeout, 1, slowPause, patience, true},
		"endless":   {10 * time.Millisecond, slowPiece, time.Millisecond, patience, true},
	}
	var clients sync.WaitGroup
	began := time.Now()
	for _, backend := range backends {
		for name, u := range uploads {
			addr := serve(t, &jay.Server{Conn: jay.ConnConfig{CloseTimeout: u.timeout}, Protocol: onLine(func(c *jay.Conn, _ string) {
				c.CloseWith([]byte("enough"))
			})}, backend)
			clients.Go(func() {
				for {
					longest, err := upload(addr, u.piece, u.pause, u.lasts)
					switch {
					case u.cut && err == nil:
						t.Errorf("%s, %s: it keeps the connection for ever", name, backend)
						return
					case u.cut || err == nil:
						return
					case longest < u.timeout/2 || time.Since(began) > slowTries:
						t.Errorf("%s, %s, pauses of %v at most: %v", name, backend, longest, err)
						return
					}
				}
			})
		}
	}
	clients.Wait()
}

// upload sends pieces for a while and then reads the answer.
func upload(addr string, piece int, pause, d time.Duration) (longest time.Duration, err error) {
	last := time.Now()
	defer func() { longest = max(longest, time.Since(last)) }()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	c := conn.(*net.TCPConn)
	if _, err := io.WriteString(c, "go\n"); err != nil {
		return 0, err
	}
	b := make([]byte, piece)
	for begin := last; last.Sub(begin) < d; {
		if _, err := c.Write(b); err != nil {
			return longest, err
		}
		time.Sleep(pause)
		now := time.Now()
		longest = max(longest, now.Sub(last))
		last = now
	}
	_ = c.CloseWrite()
	got, err := io.ReadAll(c)
	if err == nil && string(got) != "enough" {
		err = fmt.Errorf("the answer is %q", got)
	}
	return longest, err
}

// TestStalledPeers take nothing, in every state of sending: they are closed.
func TestStalledPeers(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		for name, tt := range map[string]struct {
			size  int
			close bool
			want  error
		}{
			"open":      {32 << 20, false, jay.ErrWriteStall},
			"flushing":  {32 << 20, true, jay.ErrCloseTimeout},
			"lingering": {1 << 20, true, jay.ErrCloseTimeout}, // all of it in the kernel
		} {
			t.Run(name, func(t *testing.T) {
				closed := make(chan error, 1)
				addr := serve(t, &jay.Server{
					Conn: jay.ConnConfig{WriteTimeout: slowTimeout, CloseTimeout: slowTimeout, MaxOutput: -1},
					Protocol: onLine(func(c *jay.Conn, _ string) {
						c.Write(make([]byte, tt.size))
						if tt.close {
							c.Close()
						}
					}),
					OnClose: func(_ *jay.Conn, err error) { closed <- err },
				}, backend)
				c := dial(t, addr)
				_ = c.SetReadBuffer(4 << 10)
				send(t, c, "go\n")
				if err := receive(t, closed, "OnClose"); !errors.Is(err, tt.want) {
					t.Errorf("OnClose got %v, want %v", err, tt.want)
				}
			})
		}
	})
}

// TestLifetimeBoundsFlushing has a peer read steadily, which by itself would keep
// a Close waiting: the connection ends when its life and CloseTimeout are over.
func TestLifetimeBoundsFlushing(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		for _, closes := range []bool{false, true} {
			t.Run(fmt.Sprint("closed before: ", closes), func(t *testing.T) {
				closed := make(chan error, 1)
				addr := serve(t, &jay.Server{
					Conn: jay.ConnConfig{Lifetime: 200 * time.Millisecond, CloseTimeout: 200 * time.Millisecond},
					Protocol: onLine(func(c *jay.Conn, _ string) {
						c.Write(make([]byte, 60<<20))
						if closes {
							c.Close()
						}
					}),
					OnClose: func(_ *jay.Conn, err error) { closed <- err },
				}, backend)
				c := dial(t, addr)
				send(t, c, "go\n")
				var ended atomic.Bool
				go func() {
					buf := make([]byte, slowPiece)
					for !ended.Load() {
						if _, err := c.Read(buf); err != nil {
							return
						}
						time.Sleep(slowPause)
					}
				}()
				err := receive(t, closed, "OnClose")
				ended.Store(true)
				if !errors.Is(err, jay.ErrLifetime) && !errors.Is(err, jay.ErrCloseTimeout) { // of a reader that is held up
					t.Errorf("OnClose got %v, want ErrLifetime", err)
				}
			})
		}
	})
}
