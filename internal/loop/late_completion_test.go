package loop

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// heard writes down what a stream's and a listener's handlers are told.
type heard struct {
	Stream
	log log
	on  func(what string) // may act on it
}

func (h *heard) tell(format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	h.log = append(h.log, what)
	if h.on != nil {
		h.on(what)
	}
}

func (h *heard) Received(b []byte, err error) { h.tell("received %q %v", b, err) }
func (h *heard) Sent(n int, err error)        { h.tell("sent %d %v", n, err) }
func (h *heard) Gone()                        { h.tell("gone") }
func (h *heard) Accepted(s Socket)            { h.tell("accepted %d", s.FD) }
func (h *heard) AcceptFailed(err error)       { h.tell("failed %v", err) }
func (h *heard) Closed()                      { h.tell("closed") }

const ms = time.Millisecond

// TestLateCompletions: completions come after the call that stops their kind, in
// the order and for as long as StreamHandler promises.
func TestLateCompletions(t *testing.T) {
	failed := errors.New("failed")
	tests := map[string]struct {
		play func(f *fake, h *heard)
		want []string
	}{
		"bytes and the end behind a stop": {func(f *fake, h *heard) {
			h.StartRecv()
			h.StopRecv()
			f.receive(1*ms, &h.Stream, "a")
			f.receive(1*ms, &h.Stream, "b")
			f.receive(2*ms, &h.Stream, "c")
			f.end(3*ms, &h.Stream, io.EOF)
			f.end(4*ms, &h.Stream, failed)
		}, []string{`received "a" <nil>`, `received "b" <nil>`, `received "c" <nil>`, `received "" EOF`, `received "" failed`}},
		"nothing received behind Close": {func(f *fake, h *heard) {
			h.StartRecv()
			f.receive(1*ms, &h.Stream, "a")
			f.receive(1*ms, &h.Stream, "b")
			f.end(2*ms, &h.Stream, failed)
			h.on = func(string) { h.Close(false) }
		}, []string{`received "a" <nil>`}},
		"a Send is completed behind Close, once, and nothing else is": {func(f *fake, h *heard) {
			h.StartRecv()
			_, _ = h.Send([][]byte{[]byte("out")})
			f.receive(1*ms, &h.Stream, "a")
			f.end(1*ms, &h.Stream, failed)
			f.leave(1*ms, &h.Stream)
			f.completeSend(2*ms, &h.Stream, 2, net.ErrClosed)
			h.Close(false)
			h.Close(true)
			h.tell("sending %v", h.Sending())
		}, []string{"sending true", "sent 2 " + net.ErrClosed.Error()}},
		"gone only while receiving is stopped, and once": {func(f *fake, h *heard) {
			h.StartRecv()
			f.leave(1*ms, &h.Stream)
			f.l.AfterFunc(2*ms, h.StopRecv)
			f.leave(3*ms, &h.Stream)
			f.leave(4*ms, &h.Stream)
			f.l.AfterFunc(5*ms, h.StartRecv)
			f.receive(6*ms, &h.Stream, "a")
			f.end(7*ms, &h.Stream, io.EOF)
			f.leave(8*ms, &h.Stream)
		}, []string{"gone", `received "a" <nil>`, `received "" EOF`}},
		"a file is in use behind Close": {func(f *fake, h *heard) {
			name := filepath.Join(f.t.TempDir(), "file")
			file, err := os.Create(name)
			if err != nil {
				f.t.Fatal(err)
			}
			_, _ = h.SendFile([][]byte{[]byte("head")}, file, 0, 10)
			f.completeSend(2*ms, &h.Stream, 4, nil)
			h.on = func(string) { _ = file.Close() }
			h.Close(true)
		}, []string{"sent 4 <nil>"}},
		"a send that was not done at once is done in parts": {func(f *fake, h *heard) {
			rest := []byte("12345")
			next := func(string) {
				if len(rest) > 0 {
					_, _ = h.Send([][]byte{rest[:1], rest[1:]})
					f.completeSend(1*ms, &h.Stream, 2, nil)
					rest = rest[min(2, len(rest)):]
				}
			}
			h.on = next
			next("")
		}, []string{"sent 2 <nil>", "sent 2 <nil>", "sent 2 <nil>"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l, f := newFake(t, Config{})
			h := new(heard)
			if err := l.Attach(&h.Stream, Socket{}, h); err != nil {
				t.Fatal(err)
			}
			tt.play(f, h)
			f.run()
			if !slices.Equal(h.log, tt.want) {
				t.Errorf("the handler was told\n%q, want\n%q", h.log, tt.want)
			}
		})
	}
}

// TestSlotOfClosedStream: a stream that has closed keeps its slot until its Send
// has completed, so that nobody else is told of that.
func TestSlotOfClosedStream(t *testing.T) {
	l, f := newFake(t, Config{})
	a, b := new(heard), new(heard)
	_ = l.Attach(&a.Stream, Socket{}, a)
	_, _ = a.Send([][]byte{[]byte("out")})
	f.completeSend(1*ms, &a.Stream, 3, nil)
	a.Close(false)
	if err := l.Attach(&a.Stream, Socket{}, a); err == nil {
		t.Error("a stream whose Send is pending was attached again")
	}
	_ = l.Attach(&b.Stream, Socket{}, b)
	if a.slot == b.slot {
		t.Error("the slot was given away while its Send is pending")
	}
	f.run()
	if len(a.log) != 1 || len(b.log) != 0 || l.slots.live != 0 {
		t.Errorf("told: %q and %q; %d slots are in use, want none", a.log, b.log, l.slots.live)
	}
}

// packetsHeard writes down what a handler of packets is told.
type packetsHeard struct {
	*Packets
	log log
	on  func()
}

func (h *packetsHeard) Arrived(batch []Packet, err error) {
	what := ""
	for _, p := range batch {
		what += string(p.B)
	}
	h.log = append(h.log, fmt.Sprintf("arrived %q %v", what, err))
	if h.on != nil {
		h.on()
	}
}

func (h *packetsHeard) Departed(n int, err error) {
	h.log = append(h.log, fmt.Sprintf("departed %d %v", n, err))
}

// TestLatePackets: as of a stream, what is under way comes behind a stop, and a Send
// is completed behind Close.
func TestLatePackets(t *testing.T) {
	tests := map[string]struct {
		play func(f *fake, h *packetsHeard)
		want []string
	}{
		"behind a stop": {func(f *fake, h *packetsHeard) {
			h.StartRecv()
			h.StopRecv()
			f.arrive(1*ms, h.Packets, "a", "b")
			f.arrive(2*ms, h.Packets, "c")
		}, []string{`arrived "ab" <nil>`, `arrived "c" <nil>`}},
		"nothing arrives behind Close": {func(f *fake, h *packetsHeard) {
			h.StartRecv()
			_, _ = h.Send([]Packet{{B: []byte("out")}})
			h.on = h.Close
			f.arrive(1*ms, h.Packets, "a", "b")
			f.arrive(2*ms, h.Packets, "c")
			f.depart(3*ms, h.Packets, 0, net.ErrClosed)
		}, []string{`arrived "ab" <nil>`, "departed 0 " + net.ErrClosed.Error()}},
		"a batch in parts": {func(f *fake, h *packetsHeard) {
			batch := []Packet{{B: []byte("a")}, {B: []byte("b")}, {B: []byte("c")}}
			_, _ = h.Send(batch)
			f.depart(1*ms, h.Packets, 2, nil)
			f.l.AfterFunc(2*ms, func() {
				_, _ = h.Send(batch[2:])
				f.depart(1*ms, h.Packets, 1, nil)
			})
		}, []string{"departed 2 <nil>", "departed 1 <nil>"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l, f := newFake(t, Config{})
			h := new(packetsHeard)
			var err error
			if h.Packets, err = l.Packets(PacketSocket{}, h); err != nil {
				t.Fatal(err)
			}
			tt.play(f, h)
			f.run()
			if !slices.Equal(h.log, tt.want) || l.slots.live != 0 {
				t.Errorf("the handler was told\n%q, want\n%q; %d slots are in use", h.log, tt.want, l.slots.live)
			}
		})
	}
}

// TestLateAccepts: connections that are under way when a listener pauses or
// closes are handed over; Closed comes last.
func TestLateAccepts(t *testing.T) {
	tests := map[string]struct {
		play func(f *fake, ln *Listener)
		want []string
	}{
		"paused": {func(f *fake, ln *Listener) {
			f.accept(1*ms, ln, Socket{FD: 1})
			f.accept(2*ms, ln, Socket{FD: 2})
			ln.Pause()
		}, []string{"accepted 1", "accepted 2"}},
		"closed": {func(f *fake, ln *Listener) {
			f.accept(1*ms, ln, Socket{FD: 1})
			f.accept(2*ms, ln, Socket{FD: 2})
			ln.Close()
			ln.Close()
		}, []string{"accepted 1", "accepted 2", "closed"}},
		"closed with nothing under way": {func(_ *fake, ln *Listener) { ln.Close() }, []string{"closed"}},
		"the loop ends": {func(f *fake, ln *Listener) {
			f.accept(1*ms, ln, Socket{FD: 1})
			f.l.Stop()
		}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l, f := newFake(t, Config{})
			h := new(heard)
			ln, err := l.Listen(ListenSocket{}, h)
			if err != nil {
				t.Fatal(err)
			}
			ln.Resume()
			tt.play(f, ln)
			if ln.Pending() != (len(f.queue) > 0) {
				t.Error("Pending disagrees with the backend")
			}
			f.run()
			if !slices.Equal(h.log, tt.want) {
				t.Errorf("the handler was told\n%q, want\n%q", h.log, tt.want)
			}
		})
	}
}
