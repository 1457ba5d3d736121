// Package websocket holds package websocket against implementations that
// others have written.
package websocket

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	coder "github.com/coder/websocket"

	"github.com/jay-go/jay"
	"github.com/jay-go/jay/websocket"
)

// sizes are those of the compression cases of the Autobahn test suite.
var sizes = []int{16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072}

// text is n bytes that compress, but not to nothing.
func text(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "line %d, %d; ", i, i*i*7919%10007)
	}
	return b.Bytes()[:n]
}

// serve runs an echo that compresses everything as configured.
func serve(t *testing.T, d websocket.Deflate) string {
	t.Helper()
	d.MinSize = -1
	s := &jay.Server{Addr: "tcp://127.0.0.1:0", StopTimeout: time.Second, Protocol: &websocket.Handler{
		Deflate:   &d,
		OnMessage: func(c *websocket.Conn, m websocket.Message) { _ = c.Send(m) },
	}}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	s.OnReady = func(a []net.Addr) { ready <- a[0].String() }
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return <-ready
}

// configs is every combination of takeovers and window sizes.
func configs() (all []websocket.Deflate) {
	for _, takeover := range []struct{ server, client bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
		for _, serverBits := range []int{0, 9, 15} {
			for _, clientBits := range []int{0, 9, 15} {
				all = append(all, websocket.Deflate{
					ServerTakeover: takeover.server, ClientTakeover: takeover.client,
					ServerWindowBits: serverBits, ClientWindowBits: clientBits,
				})
			}
		}
	}
	return all
}

// TestCoder: text comes back through github.com/coder/websocket, with each of
// its modes and each configuration of ours. It cannot be told a window size,
// so what is agreed upon there is ours alone.
func TestCoder(t *testing.T) {
	for _, d := range configs() {
		for _, mode := range []coder.CompressionMode{coder.CompressionContextTakeover, coder.CompressionNoContextTakeover} {
			t.Run(fmt.Sprintf("%+v mode %d", d, mode), func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				c, answer, err := coder.Dial(ctx, "ws://"+serve(t, d), &coder.DialOptions{CompressionMode: mode, CompressionThreshold: 1})
				if err != nil {
					t.Fatal(err)
				}
				defer c.CloseNow()
				if answer.Header.Get("Sec-WebSocket-Extensions") == "" {
					t.Fatal("no compression was agreed upon")
				}
				c.SetReadLimit(1 << 20)
				for _, size := range sizes {
					for _, fragments := range []int{1, 2, 1} { // with takeover the later ones refer to the first
						echo(ctx, t, c, text(size), fragments)
					}
				}
				if err := c.Close(4000, "done"); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// echo sends p, whole or in fragments, and expects it back.
func echo(ctx context.Context, t *testing.T, c *coder.Conn, p []byte, fragments int) {
	t.Helper()
	if err := send(ctx, c, p, fragments); err != nil {
		t.Fatal(err)
	}
	kind, got, err := c.Read(ctx)
	if err != nil || kind != coder.MessageText || !bytes.Equal(got, p) {
		t.Fatalf("%d bytes of kind %v came back for %d, %v", len(got), kind, len(p), err)
	}
}

func send(ctx context.Context, c *coder.Conn, p []byte, fragments int) error {
	if fragments == 1 {
		return c.Write(ctx, coder.MessageText, p)
	}
	w, err := c.Writer(ctx, coder.MessageText)
	if err != nil {
		return err
	}
	for piece := range slices.Chunk(p, (len(p)+fragments-1)/fragments) {
		if _, err := w.Write(piece); err != nil {
			return err
		}
	}
	return w.Close()
}
