package sys_test

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jay-go/jay/internal/sys"
)

func packetPair(t *testing.T) (a, b *sys.PacketConn) {
	t.Helper()
	x, y, err := sys.PacketPair()
	if err != nil {
		t.Fatal(err)
	}
	a, b = sys.NewPacketConn(x), sys.NewPacketConn(y)
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

func TestPacketsKeepTheirBorders(t *testing.T) {
	a, b := packetPair(t)
	for _, s := range []string{"one", "two", strings.Repeat("x", 60_000)} {
		if err := a.Send([]byte(s)); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 64<<10)
		n, fds, err := b.Receive(buf)
		if string(buf[:n]) != s || len(fds) > 0 || err != nil {
			t.Errorf("received %d bytes, %d descriptors, %v; want %d bytes", n, len(fds), err, len(s))
		}
	}
	if err := a.Send(nil); err == nil {
		t.Errorf("an empty packet was sent; the peer takes it for the end")
	}
}

// TestReceiveFromTheDead: what a peer sent last is received, though it has not read
// what was sent to it.
func TestReceiveFromTheDead(t *testing.T) {
	a, b := packetPair(t)
	buf := make([]byte, 9)
	if _, _, err := b.ReceiveNow(buf); err != sys.ErrEmpty {
		t.Errorf("before anything was sent: %v", err)
	}
	for _, s := range []string{"last", "words"} {
		if err := errors.Join(b.Send([]byte("unread")), a.Send([]byte(s))); err != nil {
			t.Fatal(err)
		}
	}
	a.Close()
	b.SetReceiveDeadline(time.Unix(1, 0)) // ReceiveNow waits for nothing anyway
	for _, want := range []string{"last", "words"} {
		if n, _, err := b.ReceiveNow(buf); string(buf[:n]) != want || err != nil {
			t.Errorf("received %q, %v; want %q", buf[:n], err, want)
		}
	}
	b.SetReceiveDeadline(time.Time{})
	if _, _, err := b.Receive(buf); err != io.EOF {
		t.Errorf("then %v, want the end", err)
	}
}

// TestReceiveEnds: whatever ends a connection, Receive says so once for all and
// is not mistaken for a lost packet, which a reader would survive.
func TestReceiveEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(a, b *sys.PacketConn)
		want error
	}{
		{"peer closes", func(a, b *sys.PacketConn) { a.Close() }, io.EOF},
		{"peer closes without having read", func(a, b *sys.PacketConn) { b.Send([]byte("x")); a.Close() }, io.EOF},
		{"we close", func(a, b *sys.PacketConn) { b.Close() }, nil},
		{"deadline", func(a, b *sys.PacketConn) { b.SetReceiveDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := packetPair(t)
			tt.end(a, b)
			_, _, err := b.Receive(make([]byte, 10))
			if err == nil || errors.Is(err, sys.ErrTruncated) || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("Receive: %v, want %v", err, tt.want)
			}
		})
	}
}

func TestTruncatedPacketIsLostAlone(t *testing.T) {
	a, b := packetPair(t)
	a.Send([]byte("longer than the buffer"))
	a.Send([]byte("short"))
	buf := make([]byte, 8)
	if _, _, err := b.Receive(buf); !errors.Is(err, sys.ErrTruncated) {
		t.Errorf("Receive: %v, want ErrTruncated", err)
	}
	if n, _, err := b.Receive(buf); string(buf[:n]) != "short" || err != nil {
		t.Errorf("after it: %q, %v", buf[:n], err)
	}
}

func TestDescriptorsTravel(t *testing.T) {
	a, b := packetPair(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := a.Send([]byte("take"), int(w.Fd())); err != nil {
		t.Fatal(err)
	}
	w.Close()
	buf := make([]byte, 8)
	n, fds, err := b.Receive(buf)
	if string(buf[:n]) != "take" || len(fds) != 1 || err != nil {
		t.Fatalf("received %q, %d descriptors, %v", buf[:n], len(fds), err)
	}
	other := os.NewFile(uintptr(fds[0]), "pipe")
	other.WriteString("hi")
	other.Close()
	if got, err := io.ReadAll(r); string(got) != "hi" || err != nil {
		t.Errorf("through the descriptor: %q, %v", got, err)
	}
}

func TestSendDoesNotWait(t *testing.T) {
	a, _ := packetPair(t)
	for range 100_000 {
		err := a.Send(make([]byte, 1000))
		if errors.Is(err, sys.ErrFull) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Errorf("100,000 packets fit a socket that nobody reads")
}
