package jay_test

import (
	"errors"
	"io"
	"os"
	"testing"

	"github.com/jay-go/jay"
)

// hoarder keeps all that it is to encode until the end, as a layer may that compresses.
type hoarder struct {
	identity
	kept []byte
}

func (l *hoarder) Encode(wire, plain []byte) ([]byte, error) {
	l.kept = append(l.kept, plain...)
	return wire, nil
}

func (l *hoarder) Finish(wire []byte) []byte { return append(wire, l.kept...) }

// TestManyFiles: with 16 ranges unsent, whatever lies between them, a connection is
// full, and it goes on when they have gone, also into a layer that sends nothing.
func TestManyFiles(t *testing.T) {
	path, _ := file(t, 100)
	layers := map[string]func() jay.Layer{
		"plain": nil, "layered": func() jay.Layer { return new(stamped) }, "a layer that keeps them": func() jay.Layer { return new(hoarder) },
	}
	for name, layer := range layers {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				full := make(chan int, 1)
				c := dial(t, serve(t, &jay.Server{Layer: layer, Protocol: onLine(func(c *jay.Conn, line string) {
					if line == "end" {
						c.Close()
						return
					}
					first := 0
					for i := 1; i <= 20; i++ {
						f, err := os.Open(path)
						if err != nil {
							t.Error(err)
							return
						}
						_ = c.WriteFile(f, 0, 1)
						c.WriteString("-")
						if first == 0 && c.Full() {
							first = i
						}
					}
					full <- first
				})}, backend))
				send(t, c, "go\nend\n")
				if n := receive(t, full, "the files"); n != 16 {
					t.Errorf("the connection was full after %d files, want 16", n)
				}
				if got, err := io.ReadAll(c); len(got) != 40 || err != nil {
					t.Errorf("got %d bytes, %v; want 40, for which the reading has to go on", len(got), err)
				}
			})
		})
	}
}

// TestWriteNoFile: what is no file, or no range, is an error and nothing else.
func TestWriteNoFile(t *testing.T) {
	path, _ := file(t, 100)
	eachBackend(t, func(t *testing.T, backend string) {
		errs := make(chan error, 2)
		c := dial(t, serve(t, &jay.Server{Protocol: onLine(func(c *jay.Conn, _ string) {
			errs <- c.WriteFile(nil, 0, 5)
			files := make(chan *os.File, 1)
			errs <- c.WriteFile(opened(t, path, files), 1, 1<<63-1)
			c.WriteString("on")
			c.Close()
		})}, backend))
		send(t, c, "go\n")
		if err := receive(t, errs, "an error"); !errors.Is(err, os.ErrInvalid) {
			t.Errorf("no file: %v", err)
		}
		if receive(t, errs, "an error") == nil {
			t.Error("a range behind the end of all files was accepted")
		}
		if got, err := io.ReadAll(c); string(got) != "on" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
}
