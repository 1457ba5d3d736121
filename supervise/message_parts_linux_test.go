package supervise

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jay-go/jay/control"
	"github.com/jay-go/jay/internal/bytejson"
	"github.com/jay-go/jay/internal/fleet"
	"github.com/jay-go/jay/internal/needs"
	"github.com/jay-go/jay/internal/sys"
)

// longest are roles of as many sockets as a service may have, with addresses of
// which every byte is escaped.
func longest() (list []socketRole) {
	for i := range fleet.MaxSockets {
		name := strings.Repeat("\x01", maxAddress)
		list = append(list, socketRole{ID: 1<<20 + i, FD: i, Addr: name, Configured: name})
	}
	return list
}

// TestLongestMessage: the longest message that validate allows for, with a
// descriptor for each socket, arrives whole, although the socket has no room for
// it; while it is on its way nothing else is sent, and its descriptors may be
// closed.
func TestLongestMessage(t *testing.T) {
	a, b := packetConns(t)
	m := &master{}
	p := &proc{ctl: a}
	var fds []int
	for range fleet.MaxSockets {
		fd, err := sys.DupAbove(a.FD(), 3)
		needs.That(t, err == nil, fmt.Sprintf("%d descriptors: %v", fleet.MaxSockets, err))
		fds = append(fds, fd)
	}
	text, err := message{Kind: msgSockets, Order: 7, Sockets: longest()}.encode(maxMessage)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.sendParts(p, text, fds); err != nil {
		t.Fatal(err)
	}
	closeAll(fds...)
	if err := m.sendParts(p, []byte("x"), nil); !errors.Is(err, sys.ErrFull) || len(p.outbox) == 0 {
		t.Errorf("a message meanwhile: %v, %d parts wait", err, len(p.outbox))
	}
	parts, n := assembly{}, 0
	for buf, whole := make([]byte, maxPacket), false; !whole; n++ {
		size, fds, err := b.Receive(buf)
		whole = parts.add(buf[:size], fds, err, maxMessage)
		m.flushOutbox(p)
	}
	got, fds, err := parts.take()
	defer closeAll(fds...)
	if err != nil || len(got.Sockets) != fleet.MaxSockets || len(fds) != fleet.MaxSockets || got.Order != 7 || got.Sockets[fleet.MaxSockets-1].Addr != longest()[0].Addr {
		t.Errorf("after %d parts: %v, %d sockets, %d descriptors", n, err, len(got.Sockets), len(fds))
	}
	if len(p.outbox) != 0 {
		t.Errorf("%d parts are left", len(p.outbox))
	}
}

// TestLongestRole: so does the role of a worker that has all sockets.
func TestLongestRole(t *testing.T) {
	fd, err := writeRole(workerRole{Program: "p", Sockets: longest()})
	if err != nil {
		t.Fatal(err)
	}
	role, err := readRole(fd)
	if err != nil || len(role.Sockets) != fleet.MaxSockets || role.Program != "p" {
		t.Errorf("%v: %+v", err, role)
	}
}

// TestLongestDescription: and so does what a file says of itself.
func TestLongestDescription(t *testing.T) {
	spec := fleet.Spec{Name: "p"}
	for _, r := range longest() {
		spec.Listen = append(spec.Listen, r.Addr)
	}
	b, err := bytejson.Encode(description{Version: descriptionVersion, Specs: []fleet.Spec{spec}})
	if err != nil || len(b) > maxDescription {
		t.Errorf("%d bytes, at most %d are read: %v", len(b), maxDescription, err)
	}
}

// TestMessageWithoutDescriptors: a receiver that may have no more descriptors
// hears what was said all the same, and that they are missing.
func TestMessageWithoutDescriptors(t *testing.T) {
	a, b := packetConns(t)
	m := &master{}
	p := &proc{ctl: a}
	list := longest()[:300]
	for i := range list {
		list[i].Addr, list[i].Configured = "tcp://127.0.0.1:1", "tcp://127.0.0.1:1"
	}
	text, err := message{Kind: msgSockets, Order: 3, Sockets: list}.encode(maxMessage)
	if err != nil {
		t.Fatal(err)
	}
	fds := make([]int, len(list))
	for i := range fds {
		fds[i] = a.FD()
	}
	if err := m.sendParts(p, text, fds); err != nil {
		t.Fatal(err)
	}
	var limit, few syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	few.Cur, few.Max = 100, limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	var parts assembly
	for buf, whole := make([]byte, maxPacket), false; !whole; {
		n, fds, err := b.Receive(buf)
		whole = parts.add(buf[:n], fds, err, maxMessage)
	}
	got, fds, err := parts.take()
	if err != nil || got.Order != 3 || len(fds) != 0 {
		t.Errorf("%v, order %d, %d descriptors; want order 3 and none", err, got.Order, len(fds))
	}
	w := &Worker{}
	if err := w.setSockets(got.Sockets, fds); err == nil {
		t.Errorf("a worker without the sockets does not say so")
	}
	if entries, err := os.ReadDir("/proc/self/fd"); err != nil || len(entries) > 90 {
		t.Errorf("descriptors are left: %d, %v", len(entries), err)
	}
}

// TestBadParts: what is no message is an error, and the next one is understood.
func TestBadParts(t *testing.T) {
	good, err := message{Kind: msgReload}.encode(maxMessage)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][][]byte{
		"nothing":   {{}},
		"no JSON":   {{partMore, '{'}, {partLast, '!'}},
		"endless":   {append([]byte{partMore}, make([]byte, 600)...), append([]byte{partMore}, make([]byte, 600)...)},
		"no kind":   {{partLast, '{', '}'}},
		"truncated": {nil},
	} {
		t.Run(name, func(t *testing.T) {
			var parts assembly
			whole := false
			for _, b := range bad {
				var err error
				if b == nil {
					err = sys.ErrTruncated
				}
				whole = parts.add(b, nil, err, 1000)
			}
			if _, _, err := parts.take(); !whole || err == nil {
				t.Errorf("whole %v, %v", whole, err)
			}
			if !parts.add(append([]byte{partLast}, good...), nil, nil, 1000) {
				t.Fatal("the next is not whole")
			}
			if m, _, err := parts.take(); err != nil || m.Kind != msgReload {
				t.Errorf("the next: %+v, %v", m, err)
			}
		})
	}
}

func packetConns(t *testing.T) (a, b *sys.PacketConn) {
	t.Helper()
	x, y, err := sys.PacketPair()
	if err != nil {
		t.Fatal(err)
	}
	a, b = sys.NewPacketConn(x), sys.NewPacketConn(y)
	t.Cleanup(func() { a.Close(); b.Close() })
	b.SetReceiveDeadline(time.Now().Add(time.Minute))
	return a, b
}

// uplinkFunc is an uplink.
type uplinkFunc func(message) error

func (f uplinkFunc) send(m message) error { return f(m) }

// TestLongRows: rows with long names are told in as many messages as they need;
// one that fits none is left out, and the last message comes in any case.
func TestLongRows(t *testing.T) {
	for name, tt := range map[string]struct{ rows, long, want int }{
		"none":          {0, 0, 0},
		"short":         {250, 0, 250},
		"long":          {250, 2000, 250},
		"one of a kind": {7, maxPacket / 7, 7},
		"none fits":     {3, maxPacket, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, last := 0, false
			w := &Worker{logger: slog.New(slog.DiscardHandler)}
			w.master = uplinkFunc(func(m message) error {
				_, err := m.encode(maxPacket)
				if err != nil || last {
					t.Errorf("a message after the last, %v, or one too long: %v", last, err)
				}
				got, last = got+len(m.Connections), !m.More
				return nil
			})
			w.cell = newBoard(1).cell(0, "a")
			if _, err := w.Report(Loop{Connections: func(ConnectionQuery) []control.ConnectionInfo {
				return slices.Repeat([]control.ConnectionInfo{{Remote: strings.Repeat("x", tt.long)}}, tt.rows)
			}}); err != nil {
				t.Fatal(err)
			}
			w.answerConnections(1, &ConnectionQuery{})
			if got != tt.want || !last {
				t.Errorf("%d rows, last %v; want %d", got, last, tt.want)
			}
			last = false
			w.tell(message{Kind: msgHung, Why: strings.Repeat("\x01", 2*maxPacket)})
		})
	}
}
