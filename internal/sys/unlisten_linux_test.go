package sys

import (
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestEndOfListening: what a client of a listening socket meets while it ends,
// although another descriptor of it stays open, as that of a worker does.
func TestEndOfListening(t *testing.T) {
	for _, tt := range []struct{ network, address string }{{"tcp", "127.0.0.1:0"}, {"unix", filepath.Join(t.TempDir(), "s")}} {
		t.Run(tt.network, func(t *testing.T) {
			fd, err := ListenSocket(tt.network, tt.address, ListenOptions{Backlog: 8, Mode: 0o600, UID: -1, GID: -1})
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fd)
			bound, err := BoundAddr(fd)
			if err != nil {
				t.Fatal(err)
			}
			dup, err := DupFD(fd)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(dup)
			connect := func(limit time.Duration) error {
				c, err := (&net.Dialer{Timeout: limit}).Dial(tt.network, bound)
				if err == nil {
					t.Cleanup(func() { c.Close() })
				}
				return err
			}
			queued := func() bool {
				n, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
				if err == nil {
					unix.Close(n)
				}
				return err == nil
			}
			if err := connect(time.Minute); err != nil {
				t.Fatal(err)
			}
			if err := RefuseNew(fd); err != nil {
				t.Fatal(err)
			}
			err = connect(50 * time.Millisecond)
			var timeout net.Error
			if isTimeout := errors.As(err, &timeout) && timeout.Timeout(); err == nil || isTimeout != (tt.network == "tcp") {
				t.Errorf("a newcomer while the socket ends: %v", err)
			}
			if !queued() || queued() {
				t.Error("the queue does not have exactly the one who came before")
			}
			if err := AdmitNew(fd); (err == nil) != (tt.network == "tcp") {
				t.Errorf("to admit newcomers again: %v", err)
			} else if err == nil {
				if err := connect(time.Minute); err != nil || !queued() {
					t.Errorf("a newcomer after that: %v", err)
				}
				if err := AdmitNew(fd); err != nil {
					t.Errorf("to admit newcomers twice: %v", err)
				}
			}
			if err := EndListening(fd); err != nil {
				t.Fatal(err)
			}
			if err := connect(time.Minute); !errors.Is(err, unix.ECONNREFUSED) {
				t.Errorf("a newcomer after the end: %v, want refused", err)
			}
			if err := EndListening(fd); err != nil {
				t.Errorf("the end, twice: %v", err)
			}
		})
	}
}
