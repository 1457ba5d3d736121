package jay_test

import (
	"io"
	"net"
	"testing"

	"github.com/jay-go/jay"
)

func TestEcho(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		c := dial(t, serve(t, &jay.Server{Handler: echo{}}, backend))
		if _, err := io.WriteString(c, "hello"); err != nil {
			t.Fatal(err)
		}
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(c)
		if string(got) != "hello" || err != nil {
			t.Fatalf("got %q, %v; want the bytes back, then the end", got, err)
		}
	})
}
