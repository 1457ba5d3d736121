package jay_test

import (
	"errors"
	"io"
	"net"
	"testing"

	"github.com/jay-go/jay"
)

// TestRefusedWhileEnding has Ref.Send refused for a loop that is full, after the
// connection has begun to wait for it: what waited goes on.
func TestRefusedWhileEnding(t *testing.T) {
	for name, end := range map[string]func(c *jay.Conn){
		"Close":      (*jay.Conn).Close,
		"CloseWrite": (*jay.Conn).CloseWrite,
		"Detach": func(c *jay.Conn) {
			_ = c.Detach(func(conn net.Conn, _ []byte, err error) {
				if err == nil {
					_ = conn.Close()
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T, backend string) {
				refs := make(chan jay.Ref, 1)
				var worker *jay.Worker
				addr := serve(t, &jay.Server{
					Protocol:  every(echo{}),
					OnConnect: func(c *jay.Conn) { refs <- c.Ref() },
					Loops:     1, OnWorkerStart: func(w *jay.Worker) error { worker = w; return nil },
				}, backend)
				c := dial(t, addr)
				ref := receive(t, refs, "the connection")
				message := []byte("late")
				if err := ref.Reserve(message); err != nil {
					t.Fatal(err)
				}
				ended, turn := make(chan bool), make(chan bool)
				_ = ref.Do(func(c *jay.Conn) { end(c); close(ended) })
				receive(t, ended, "the call")
				worker.Loop().Post(func() { close(turn) })
				receive(t, turn, "a turn behind it")

				busy, goOn := make(chan bool), make(chan bool)
				worker.Loop().Post(func() { busy <- true; <-goOn })
				receive(t, busy, "the blocked loop")
				for worker.Loop().Post(func() {}) == nil {
				}
				if err := ref.SendReserved(message); !errors.Is(err, jay.ErrBusy) {
					t.Errorf("Send says %v, want ErrBusy", err)
				}
				close(goOn)
				if got, err := io.ReadAll(c); len(got) > 0 || err != nil {
					t.Errorf("the client got %q, %v, want the end", got, err)
				}
			})
		})
	}
}
