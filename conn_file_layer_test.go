package jay_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay"
)

// TestLayerSpeaksBetweenFiles: what a layer says by itself goes ahead of what it
// has not seen yet, and behind what was written before it was set.
func TestLayerSpeaksBetweenFiles(t *testing.T) {
	const size = 4 << 20
	path, data := file(t, size)
	eachBackend(t, func(t *testing.T, backend string) {
		files := make(chan *os.File, 1)
		var heard int // loop only
		c := dial(t, serve(t, &jay.Server{Protocol: onLine(func(c *jay.Conn, line string) {
			if heard++; heard == 1 {
				_ = c.WriteFile(opened(t, path, files), 0, size)
				c.SetLayer(new(chatty))
				c.WriteString("a")
				_ = c.WriteFile(opened(t, path, make(chan *os.File, 1)), 0, size)
				c.WriteString("z")
			}
			if line == "end" {
				c.Close()
			}
		})}, backend))
		send(t, c, "go\n")
		receive(t, files, "the file")
		send(t, c, "x\nend\n") // six bytes, while nothing of the files is read
		got, err := io.ReadAll(c)
		if err != nil || len(got) != 2*size+len("az!!!!!!") || !bytes.Equal(got[:size], data) {
			t.Fatalf("got %d bytes, %v; want the file, and as much through the layer", len(got), err)
		}
		rest := decoded(got[size:])
		if said := bytes.Count(rest, []byte("!")) - bytes.Count(data, []byte("!")); said != 6 {
			t.Errorf("the layer said %d bytes by itself, want 6", said)
		}
		if plain := bytes.TrimLeft(rest, "!"); len(plain) > 0 && plain[0] != 'a' {
			t.Errorf("behind the first file comes %q", plain[0])
		}
		if rest[len(rest)-1] != 'z' {
			t.Errorf("the last byte is %q", rest[len(rest)-1])
		}
	})
}

// shaking is stamped that is ready when it has received a byte, and keeps no output
// until then.
type shaking struct {
	stamped
	t     *testing.T
	ready bool
}

func (l *shaking) Ready() bool { return l.ready }

func (l *shaking) Decode(plain, wire []byte) ([]byte, int, error) {
	l.ready = l.ready || len(wire) > 0
	return plain, len(wire), nil
}

func (l *shaking) Encode(wire, plain []byte) ([]byte, error) {
	if !l.ready {
		l.t.Errorf("%d bytes were given to a layer that is not ready", len(plain))
	}
	return l.stamped.Encode(wire, plain)
}

// TestFileWaitsForLayer: a file does not go into a layer that would have to keep it.
// The loop stands still meanwhile, and the wait is bounded.
func TestFileWaitsForLayer(t *testing.T) {
	path, data := file(t, 1<<20)
	for name, answers := range map[string]bool{"ready in the end": true, "never ready": false} {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				turns, closed, files := make(chan uint64, 1), make(chan error, 1), make(chan *os.File, 1)
				timeout := time.Minute
				if !answers {
					timeout = 200 * time.Millisecond
				}
				c := dial(t, serve(t, &jay.Server{
					Conn: jay.ConnConfig{WriteTimeout: timeout},
					Protocol: onLine(func(c *jay.Conn, _ string) {
						c.SetLayer(&shaking{t: t})
						if err := c.WriteFile(opened(t, path, files), 0, int64(len(data))); err != nil {
							t.Error(err)
						}
						c.WriteString("tail")
						loop := c.Worker().Inner()
						before := loop.Turns()
						loop.AfterFunc(50*time.Millisecond, func() { turns <- loop.Turns() - before })
					}),
					OnClose: func(_ *jay.Conn, err error) { closed <- err },
					OnError: func(*jay.Conn, error) {},
				}, backend))
				send(t, c, "go\n")
				if n := receive(t, turns, "a moment"); n > 30 {
					t.Errorf("the loop has turned %d times while a file waited", n)
				}
				if answers {
					send(t, c, "k")
					got := make([]byte, len(data)+len("tail"))
					if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(decoded(got), slices.Concat(data, []byte("tail"))) {
						t.Errorf("not the file and the tail, or %v", err)
					}
				} else if err := receive(t, closed, "OnClose"); !errors.Is(err, jay.ErrWriteStall) {
					t.Errorf("OnClose got %v, want ErrWriteStall", err)
				}
				wantClosed(t, files)
			})
		})
	}
}

// brittle panics when it is given more than a little.
type brittle struct{ identity }

func (brittle) Encode(wire, plain []byte) ([]byte, error) {
	if len(plain) > 100 {
		panic("far too much")
	}
	return append(wire, plain...), nil
}

// TestLayerPanicsOverFile: it costs the connection, which is reset, as a part of its
// output is lost, and the panic is known as the connection's.
func TestLayerPanicsOverFile(t *testing.T) {
	path, _ := file(t, 1000)
	writes := map[string]func(c *jay.Conn, f *os.File){
		"the file":       func(c *jay.Conn, f *os.File) { _ = c.WriteFile(f, 0, 1000) },
		"what is behind": func(c *jay.Conn, f *os.File) { _ = c.WriteFile(f, 0, 10); c.Write(make([]byte, 500)) },
	}
	for name, write := range writes {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				files, errs, closed := make(chan *os.File, 1), make(chan error, 10), make(chan error, 1)
				var worker *jay.Worker
				addr := serve(t, &jay.Server{
					Layer:         func() jay.Layer { return brittle{} },
					OnWorkerStart: func(w *jay.Worker) error { worker = w; return nil },
					Protocol:      onLine(func(c *jay.Conn, _ string) { write(c, opened(t, path, files)) }),
					OnError: func(c *jay.Conn, err error) {
						if c != nil {
							errs <- err
						}
					},
					OnClose: func(_ *jay.Conn, err error) { closed <- err },
				}, backend)
				c := dial(t, addr)
				send(t, c, "go\n")
				var panicked *jay.PanicError
				if err := receive(t, errs, "OnError of the connection"); !errors.As(err, &panicked) {
					t.Errorf("OnError got %v, want the panic", err)
				}
				if err := receive(t, closed, "OnClose"); !errors.As(err, &panicked) {
					t.Errorf("OnClose got %v, want the panic", err)
				}
				if _, err := io.Copy(io.Discard, c); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("the peer reads %v, want a reset", err)
				}
				wantClosed(t, files)
				check := make(chan int, 1)
				for end := time.Now().Add(patience); ; {
					_ = worker.Loop().Post(func() { check <- worker.Held() })
					if held := receive(t, check, "a look at the worker"); held == 0 {
						break
					} else if time.Now().After(end) {
						t.Fatalf("%d bytes are still held", held)
					}
				}
			})
		})
	}
}
