package loop

import (
	"os"
	"slices"
	"time"
)

// What the fake has of a completion backend: nothing of what is asked for is done
// before it is scripted, whatever the owner has asked for meanwhile.

// fakeSend is a Send whose bytes the fake reads until it has completed.
type fakeSend struct {
	bufs [][]byte // the owner's
	were []byte   // what they held
	file *os.File // nil: none
}

func (f *fake) send(s *Stream, bufs [][]byte) (int, error) {
	if f.sends[s] != nil {
		f.t.Error("Send while a Send is pending")
	}
	s.send = true
	f.sends[s] = &fakeSend{slices.Clone(bufs), slices.Concat(bufs...), nil}
	return 0, nil
}

func (f *fake) sendFile(s *Stream, bufs [][]byte, file *os.File, _ int64, _ int) (int, error) {
	n, err := f.send(s, bufs)
	f.sends[s].file = file
	return n, err
}

// completeSend scripts the end of the pending Send of s.
func (f *fake) completeSend(d time.Duration, s *Stream, n int, err error) {
	f.complete(d, s.slot, s.gen, func() {
		p := f.sends[s]
		delete(f.sends, s)
		if got := slices.Concat(p.bufs...); string(got) != string(p.were) {
			f.t.Errorf("bytes of a pending Send became %q, were %q", got, p.were)
		}
		if p.file != nil {
			if _, err := p.file.Stat(); err != nil {
				f.t.Errorf("the file of a pending SendFile: %v", err)
			}
		}
		s.sent(n, err)
	})
}

// receive scripts a completion of receiving, end one of its end.
func (f *fake) receive(d time.Duration, s *Stream, b string) {
	f.complete(d, s.slot, s.gen, func() { s.received([]byte(b)) })
}

func (f *fake) end(d time.Duration, s *Stream, err error) {
	f.complete(d, s.slot, s.gen, func() { s.ended(err) })
}

func (f *fake) leave(d time.Duration, s *Stream) {
	f.complete(d, s.slot, s.gen, s.gone)
}

func (f *fake) addPackets(*Packets, PacketSocket) error { return nil }
func (f *fake) recvPackets(*Packets)                    {}
func (f *fake) closePackets(p *Packets)                 { f.closed = append(f.closed, p) }

// sendPackets takes nothing at once; depart scripts the end.
func (f *fake) sendPackets(p *Packets, batch []Packet) (int, error) {
	p.send = true
	f.batches = append(f.batches, slices.Clone(batch))
	return 0, nil
}

func (f *fake) depart(d time.Duration, p *Packets, n int, err error) {
	f.complete(d, p.slot, p.gen, func() { p.departed(n, err) })
}

func (f *fake) arrive(d time.Duration, p *Packets, packets ...string) {
	f.complete(d, p.slot, p.gen, func() {
		var batch []Packet
		for _, b := range packets {
			batch = append(batch, Packet{B: []byte(b)})
		}
		p.arrived(batch, nil)
	})
}

// closeStream leaves a pending Send to be completed.
func (f *fake) closeStream(s *Stream, _ bool) { f.closed = append(f.closed, s) }

// accept has a connection under way to ln for d.
func (f *fake) accept(d time.Duration, ln *Listener, sock Socket) {
	f.queue = append(f.queue, sock)
	f.complete(d, ln.slot, ln.gen, func() {
		f.queue = f.queue[1:]
		ln.h.Accepted(sock)
		if !ln.open && len(f.queue) == 0 {
			ln.closed()
		}
	})
}

func (f *fake) accepting(*Listener) bool { return len(f.queue) > 0 }

func (f *fake) closeListener(ln *Listener, _ bool) {
	f.closed = append(f.closed, ln)
	if len(f.queue) == 0 {
		ln.closed()
	}
}
