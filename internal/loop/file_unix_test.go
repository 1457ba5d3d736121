//go:build unix

package loop_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/jay-go/jay/internal/loop"
)

// fileSender sends a head and a range of a file by the contract of SendFile.
type fileSender struct {
	c     *conn
	head  []byte
	f     *os.File
	off   int64
	n     int
	ended chan error
}

func (s *fileSender) took(n int) {
	k := min(n, len(s.head))
	s.head = s.head[k:]
	s.off += int64(n - k)
	s.n -= n - k
}

func (s *fileSender) more() {
	for len(s.head)+s.n > 0 {
		var bufs [][]byte
		if k := len(s.head); k > 0 {
			bufs = [][]byte{s.head[:k/2], s.head[k/2:]}
		}
		n, err := s.c.SendFile(bufs, s.f, s.off, s.n)
		if s.took(n); err != nil {
			s.ended <- err
			return
		}
		if s.c.Sending() {
			return
		}
	}
	s.ended <- nil
}

func (s *fileSender) sent(n int, err error) {
	if s.took(n); err != nil {
		s.ended <- err
		return
	}
	s.more()
}

func (r *rig) sendFile(c *conn, head string, f *os.File, off int64, n int) *fileSender {
	s := &fileSender{c: c, head: []byte(head), f: f, off: off, n: n, ended: make(chan error, 1)}
	r.on(func() { c.onSent = s.sent; s.more() })
	return s
}

// fileOf is an open file with a content of its own, which it returns as well.
func fileOf(t testing.TB, size int) (*os.File, []byte) {
	t.Helper()
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i ^ i>>8 ^ i>>16)
	}
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f, data
}

// TestSendFile: a head and a range of a file arrive whole, at a peer that first
// reads nothing, too; the file's own offset does not move, and epoll does not read
// the file itself.
func TestSendFile(t *testing.T) {
	f, data := fileOf(t, 5<<20)
	ranges := map[string]struct{ off, n int }{
		"all": {0, len(data)}, "its middle": {1<<20 + 7, 3<<20 + 1}, "its last byte": {len(data) - 1, 1}, "nothing of it": {10, 0},
	}
	for name, tt := range ranges {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, loop.Config{}, func(r *rig) {
				networks(r, func(r *rig, network string) {
					peer, c := r.attach(network)
					s := r.sendFile(c, "what is ahead of it: ", f, int64(tt.off), tt.n)
					r.still("the peer does not read")
					want := slices.Concat([]byte("what is ahead of it: "), data[tt.off:tt.off+tt.n])
					got := make([]byte, len(want))
					if _, err := io.ReadFull(peer, got); err != nil || !bytes.Equal(got, want) {
						r.Fatalf("not what was sent, or %v", err)
					}
					if err := wait(r, "the end of sending", s.ended); err != nil {
						r.Error(err)
					}
					r.on(func() { c.Close(false) })
					if n := loop.Copied(r.l); n > 0 {
						r.Errorf("%d bytes of the file went through this process", n)
					}
				})
			})
		})
	}
	if at, err := f.Seek(0, io.SeekCurrent); at != 0 || err != nil {
		t.Errorf("the file's own offset is %d, %v", at, err)
	}
}

// TestSendFileFails: what is wrong with a file is said as its fault, behind what
// could be sent.
func TestSendFileFails(t *testing.T) {
	short, data := fileOf(t, 1000)
	closed, _ := fileOf(t, 1000)
	_ = closed.Close()
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	tests := map[string]struct {
		f    *os.File
		off  int64
		want string
		is   error
	}{
		"it ends before":      {short, 0, "head" + string(data), io.ErrUnexpectedEOF},
		"it ends long before": {short, 5000, "head", io.ErrUnexpectedEOF},
		"it is closed":        {closed, 0, "head", os.ErrClosed},
		"it is a directory":   {dir, 0, "head", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, loop.Config{}, func(r *rig) {
				peer, c := r.attach("tcp")
				s := r.sendFile(c, "head", tt.f, tt.off, 2000)
				err := wait(r, "the failure", s.ended)
				var fault *loop.FileError
				if !errors.As(err, &fault) || fault.Name != tt.f.Name() || tt.is != nil && !errors.Is(err, tt.is) {
					r.Errorf("sending ended with %v, want a FileError that is %v", err, tt.is)
				}
				r.on(func() { c.Close(false) })
				if got, err := io.ReadAll(peer); string(got) != tt.want || err != nil {
					r.Errorf("the peer got %d bytes, %v; want %d", len(got), err, len(tt.want))
				}
			})
		})
	}
}

// TestSendFileThatCannotBeSpliced: of files that the kernel makes up as they are read
// everything arrives, too.
func TestSendFileThatCannotBeSpliced(t *testing.T) {
	const name = "/proc/self/limits"
	want, err := os.ReadFile(name)
	switch {
	case err != nil && runtime.GOOS == "linux":
		t.Fatal(err)
	case err != nil:
		t.Skipf("needs a file that the kernel makes up, as Linux has: %v", err)
	}
	eachBackend(t, loop.Config{}, func(r *rig) {
		f, err := os.Open(name)
		if err != nil {
			r.Fatal(err)
		}
		defer f.Close()
		peer, c := r.attach("tcp")
		s := r.sendFile(c, "", f, 0, len(want))
		if err := wait(r, "the end of sending", s.ended); err != nil {
			r.Error(err)
		}
		r.on(func() { c.Close(false) })
		if got, _ := io.ReadAll(peer); !bytes.Equal(got, want) {
			r.Errorf("the peer got %q, want %q", got, want)
		}
		r.Logf("%d bytes were copied", loop.Copied(r.l))
	})
}
