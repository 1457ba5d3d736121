package jay_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/internal/loop"
	"github.com/jay-go/jay/internal/poison"
)

// stamped adds to each byte how many came before it, so that what is encoded in
// another order than it is sent arrives wrong. By itself it says nothing.
type stamped struct {
	identity
	n byte
}

func (f *stamped) Encode(wire, plain []byte) ([]byte, error) {
	for _, b := range plain {
		wire = append(wire, b+f.n)
		f.n++
	}
	return wire, nil
}

// chatty is stamped that says a byte of its own for each it has received.
type chatty struct {
	stamped
	under *jay.Under
}

func (l *chatty) Open(under *jay.Under) { l.under = under }

func (l *chatty) Decode(plain, wire []byte) ([]byte, int, error) {
	own, err := l.Encode(nil, bytes.Repeat([]byte("!"), len(wire)))
	l.under.Send(own)
	return append(plain, wire...), len(wire), err
}

func decoded(wire []byte) []byte {
	plain := slices.Clone(wire)
	for i := range plain {
		plain[i] -= byte(i)
	}
	return plain
}

// file makes one of size bytes, all different from their neighbours.
func file(t *testing.T, size int) (name string, data []byte) {
	t.Helper()
	data = make([]byte, size)
	for i := range data {
		data[i] = byte(i ^ i>>8 ^ i>>16)
	}
	name = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name, data
}

// opened opens the file and tells the test of it.
func opened(t *testing.T, name string, files chan *os.File) *os.File {
	f, err := os.Open(name)
	if err != nil {
		t.Error(err)
	}
	files <- f
	return f
}

func wantClosed(t *testing.T, files chan *os.File) {
	t.Helper()
	f := receive(t, files, "a file")
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if _, err := f.Stat(); errors.Is(err, os.ErrClosed) {
			return
		} else if time.Now().After(end) {
			t.Fatal("the file was not closed")
		}
	}
}

// TestWriteFile: ranges of a file arrive in their place among other output, plain
// and through a layer, of which each byte goes in its order.
func TestWriteFile(t *testing.T) {
	const size = 1 << 20
	path, data := file(t, size)
	tests := map[string]struct {
		layer func() jay.Layer
		// write writes; want is what the peer is to get.
		write  func(c *jay.Conn, f *os.File)
		decode func(b []byte) []byte
		want   []byte
	}{
		"plain": {nil, func(c *jay.Conn, f *os.File) {
			c.WriteString("head")
			_ = c.WriteFile(f, 7, size/2)
			c.WriteString("mid")
			c.WriteShared([]byte("dle"))
			_ = c.WriteFile(f, size-3, 3)
			_ = c.WriteFile(f, 0, 0)
			c.WriteWhole([]byte("ta"), []byte("il"))
		}, bytes.Clone, slices.Concat([]byte("head"), data[7:7+size/2], []byte("middle"), data[size-3:], []byte("tail"))},
		"nothing around it": {nil, func(c *jay.Conn, f *os.File) { _ = c.WriteFile(f, 0, size) }, bytes.Clone, data},
		"layered": {func() jay.Layer { return new(stamped) }, func(c *jay.Conn, f *os.File) {
			c.WriteString("head")
			_ = c.WriteFile(f, 0, size)
			c.WriteString("middle")
			_ = c.WriteFile(f, 1, 1)
			c.WriteString("tail")
		}, decoded, slices.Concat([]byte("head"), data, []byte("middle"), data[1:2], []byte("tail"))},
		"a layer from the middle on": {nil, func(c *jay.Conn, f *os.File) {
			c.WriteString("head")
			_ = c.WriteFile(f, 0, size)
			c.WriteString("plain")
			c.SetLayer(new(stamped))
			c.WriteString("head")
			_ = c.WriteFile(f, 0, 300)
			c.WriteString("tail")
		}, func(b []byte) []byte { return slices.Concat(b[:size+9], decoded(b[size+9:])) },
			slices.Concat([]byte("head"), data, []byte("plainhead"), data[:300], []byte("tail"))},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				files := make(chan *os.File, 1)
				c := dial(t, serve(t, &jay.Server{Layer: tt.layer, Protocol: onLine(func(c *jay.Conn, _ string) {
					tt.write(c, opened(t, path, files))
					c.Close()
				})}, backend))
				send(t, c, "go\n")
				got, err := io.ReadAll(c)
				if err != nil || !bytes.Equal(tt.decode(got), tt.want) {
					t.Errorf("the peer got %d bytes, %v; want %d, or they are not those", len(got), err, len(tt.want))
				}
				wantClosed(t, files)
			})
		})
	}
}

// TestWriteFileTooShort: a file that has become shorter resets the connection, so that
// the peer does not take what it has for the whole.
func TestWriteFileTooShort(t *testing.T) {
	path, _ := file(t, 100_000)
	layers := map[string]func() jay.Layer{"plain": nil, "layered": func() jay.Layer { return new(stamped) }}
	for name, layer := range layers {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				files, errs, closed := make(chan *os.File, 1), make(chan error, 2), make(chan error, 1)
				c := dial(t, serve(t, &jay.Server{
					Layer: layer,
					Protocol: onLine(func(c *jay.Conn, _ string) {
						if err := c.WriteFile(opened(t, path, files), 0, 200_000); err != nil {
							t.Error(err)
						}
						c.Close()
					}),
					OnError: func(_ *jay.Conn, err error) { errs <- err },
					OnClose: func(_ *jay.Conn, err error) { closed <- err },
				}, backend))
				send(t, c, "go\n")
				if _, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("the peer reads %v, want a reset", err)
				}
				for what, from := range map[string]chan error{"OnError": errs, "OnClose": closed} {
					var fault *loop.FileError
					if err := receive(t, from, what); !errors.As(err, &fault) || !errors.Is(err, io.ErrUnexpectedEOF) || fault.Name != path {
						t.Errorf("%s got %v, want that the file is too short", what, err)
					}
				}
				wantClosed(t, files)
			})
		})
	}
}

// TestWriteFileRefused: whatever WriteFile returns, the file is closed.
func TestWriteFileRefused(t *testing.T) {
	path, _ := file(t, 10)
	eachBackend(t, func(t *testing.T, backend string) {
		files := make(chan *os.File, 3)
		c := dial(t, serve(t, &jay.Server{Protocol: onLine(func(c *jay.Conn, _ string) {
			if c.WriteFile(opened(t, path, files), -1, 5) == nil || c.WriteFile(opened(t, path, files), 0, -1) == nil {
				t.Error("a range that cannot be was accepted")
			}
			c.Close()
			if err := c.WriteFile(opened(t, path, files), 0, 5); !errors.Is(err, jay.ErrClosed) {
				t.Errorf("WriteFile after Close: %v, want ErrClosed", err)
			}
		})}, backend))
		send(t, c, "go\n")
		expectEOF(t, c)
		for range 3 {
			wantClosed(t, files)
		}
	})
}

// TestWriteFileTakesNoMemory: a gigabyte waits for a reader that is slow, and of
// the process it takes nothing, nor does it count against limits. What is written
// behind it does. When the connection is aborted the file is closed.
func TestWriteFileTakesNoMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sparse")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const size, behind = 1 << 30, 1000
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	eachBackend(t, func(t *testing.T, backend string) {
		files, conns := make(chan *os.File, 1), make(chan *jay.Conn, 1)
		c := dial(t, serve(t, &jay.Server{
			Conn: jay.ConnConfig{MaxOutput: 64 << 10, HighWater: 32 << 10},
			Protocol: onLine(func(c *jay.Conn, _ string) {
				if err := c.WriteFile(opened(t, path, files), 0, size); err != nil {
					t.Error(err)
				}
				c.Write(make([]byte, behind))
				if !c.Reading() {
					t.Error("a file stops the reading")
				}
				conns <- c
			}),
			OnError: func(*jay.Conn, error) {},
		}, backend))
		before := heap()
		send(t, c, "go\n")
		conn := receive(t, conns, "the connection")
		if n, err := io.CopyN(io.Discard, c, 32<<20); err != nil {
			t.Fatalf("after %d bytes: %v", n, err)
		}
		check := make(chan bool)
		_ = conn.Worker().Loop().Post(func() {
			defer close(check)
			if got := conn.Buffered(); got != behind {
				t.Errorf("Buffered is %d, want the %d bytes that are in memory", got, behind)
			}
			if left := conn.BufferedFiles(); left <= 0 || left > size-16<<20 {
				t.Errorf("BufferedFiles is %d of %d, of which 32 MiB have been read", left, size)
			}
			if held := conn.Worker().Held(); held > 64<<10 {
				t.Errorf("%d bytes are held", held)
			}
		})
		receive(t, check, "the look at the connection")
		allowed := 4 << 20
		if poison.On { // no buffer is used again there, so some are still to be collected
			allowed = 16 << 20
		}
		if grown := heap() - before; grown > allowed {
			t.Errorf("the heap has grown by %d bytes", grown)
		}
		_ = conn.Ref().Abort()
		wantClosed(t, files)
		if _, err := io.Copy(io.Discard, c); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, net.ErrClosed) {
			t.Errorf("the peer of an aborted connection reads %v", err)
		}
	})
}

// TestDetachBehindFile: a connection is given away when the file has been sent.
func TestDetachBehindFile(t *testing.T) {
	path, data := file(t, 1<<20)
	eachBackend(t, func(t *testing.T, backend string) {
		files := make(chan *os.File, 1)
		c := dial(t, serve(t, &jay.Server{Protocol: onLine(func(c *jay.Conn, _ string) {
			_ = c.WriteFile(opened(t, path, files), 0, int64(len(data)))
			_ = c.Detach(func(conn net.Conn, _ []byte, err error) {
				if err != nil {
					t.Error(err)
					return
				}
				go func() { // it would block the loop
					_, _ = io.WriteString(conn, "bye")
					_ = conn.Close()
				}()
			})
		})}, backend))
		send(t, c, "go\n")
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, slices.Concat(data, []byte("bye"))) {
			t.Errorf("got %d bytes, %v; want the file and bye", len(got), err)
		}
		wantClosed(t, files)
	})
}
