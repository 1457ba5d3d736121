package jay_test

import (
	"bytes"
	"io"

	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay"
)

// TestCloseAtOnce: a socket is closed without the wait for its peer exactly if
// that has kept its word to send nothing more. The response is complete in
// any case.
func TestCloseAtOnce(t *testing.T) {
	response := bytes.Repeat([]byte("response"), 32<<10)
	for name, c := range map[string]struct {
		send   string
		second string // sent while reading is paused
		waits  bool
	}{
		"nothing is left":                  {send: "close\n"},
		"bytes behind, in one piece":       {send: "close\nmore\n", waits: true},
		"the beginning of a line behind":   {send: "close\nmo", waits: true},
		"paused, and nothing came":         {send: "pause\n"},
		"bytes that wait while paused":     {send: "pause\n", second: "more\n", waits: true},
		"bytes kept from before the pause": {send: "pause\nmo", waits: true},
	} {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				refs, closed, known := make(chan jay.Ref, 1), make(chan error, 1), make(chan bool, 1)
				answer := func(c *jay.Conn) {
					c.Write(response)
					c.CloseAtOnce()
				}
				addr := serve(t, &jay.Server{
					Protocol: onLine(func(c *jay.Conn, line string) {
						switch line {
						case "close":
							answer(c)
						case "pause":
							c.PauseRead()
							refs <- c.Ref()
						}
					}),
					Conn:      jay.ConnConfig{CloseTimeout: -1},
					OnConnect: func(c *jay.Conn) { _, is := c.Unread(); known <- is },
					OnClose:   func(_ *jay.Conn, err error) { closed <- err },
				}, backend)
				conn := dial(t, addr)
				io.WriteString(conn, c.send)
				if strings.HasPrefix(c.send, "pause") {
					ref := receive(t, refs, "the pause")
					if c.second != "" {
						io.WriteString(conn, c.second)
						awaitUnread(t, ref)
					}
					if err := ref.Do(answer); err != nil {
						t.Fatal(err)
					}
				}
				if got, err := io.ReadAll(conn); err != nil || !bytes.Equal(got, response) {
					t.Fatalf("%d bytes came of %d, then %v", len(got), len(response), err)
				}
				if c.waits || !receive(t, known, "the connection") {
					select {
					case err := <-closed:
						t.Errorf("the connection was closed (%v) while bytes may have been unread", err)
					case <-time.After(20 * time.Millisecond):
					}
					conn.Close()
				}
				if err := receive(t, closed, "the end"); err != nil {
					t.Errorf("closed with %v", err)
				}
			})
		})
	}
}

// awaitUnread waits until the kernel has bytes for a connection that does not read,
// where the backend can tell.
func awaitUnread(t *testing.T, ref jay.Ref) {
	t.Helper()
	eventually(t, "the kernel has the bytes", func() bool {
		there := make(chan bool, 1)
		if err := ref.Do(func(c *jay.Conn) { n, known := c.Unread(); there <- n > 0 || !known }); err != nil {
			t.Fatal(err)
		}
		return receive(t, there, "a turn")
	})
}

// TestCloseAtOnceOfMuch: what the kernel does not take at once is sent all the
// same, however slowly it is read.
func TestCloseAtOnceOfMuch(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		const much = 16 << 20
		addr := serve(t, &jay.Server{Protocol: onLine(func(c *jay.Conn, line string) {
			c.Write(make([]byte, much))
			c.CloseAtOnce()
		})}, backend)
		conn := dial(t, addr)
		io.WriteString(conn, "go\n")
		time.Sleep(50 * time.Millisecond) // the kernel's buffers are full meanwhile, or soon
		if n, err := io.Copy(io.Discard, struct{ io.Reader }{conn}); n != much || err != nil {
			t.Errorf("%d bytes came of %d, then %v", n, much, err)
		}
	})
}
