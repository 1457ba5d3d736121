package supervise

import (
	"errors"
	"fmt"
	"time"

	"github.com/jay-go/jay/internal/sys"
)

// A message of the master goes in parts, each a packet: one has room for neither
// the names nor the descriptors of all sockets that a service may have. The first
// byte of a packet says whether more follow.
const (
	partLast byte = 0
	partMore byte = 1
)

// part is one packet.
type part struct {
	B   []byte `json:"b"`
	FDs []int  `json:"fds"`
}

// partsOf cuts a message.
func partsOf(b []byte, fds []int) (list []part) {
	for len(list) == 0 || len(b) > 0 || len(fds) > 0 {
		n, k := min(len(b), maxPacket-1), min(len(fds), sys.MaxRights)
		list = append(list, part{B: append([]byte{partMore}, b[:n]...), FDs: fds[:k]})
		b, fds = b[n:], fds[k:]
	}
	list[len(list)-1].B[0] = partLast
	return list
}

// assembly is a message of which not all parts have come.
type assembly struct {
	b   []byte
	fds []int
	err error
}

// add takes what Receive has returned, and reports whether the message is whole.
// Where descriptors are missing the message has none at all.
func (a *assembly) add(b []byte, fds []int, err error, most int) (whole bool) {
	a.fds = append(a.fds, fds...)
	switch {
	case errors.Is(err, sys.ErrNoDescriptors):
		a.err = errors.Join(a.err, err)
	case err != nil:
		a.err = err
		return true // whatever of it comes now is not understood either
	case len(b) == 0:
		a.err = errors.New("message: an empty part")
		return true
	}
	if a.b = append(a.b, b[1:]...); len(a.b) > most {
		a.err = fmt.Errorf("message: more than the %d bytes that are allowed", most)
		return true
	}
	return b[0] == partLast
}

// take gives the message and begins the next.
func (a *assembly) take() (m message, fds []int, err error) {
	b, fds, err := a.b, a.fds, a.err
	*a = assembly{}
	if err != nil {
		closeAll(fds...)
		if fds = nil; !errors.Is(err, sys.ErrNoDescriptors) {
			return m, nil, err
		}
	}
	if m, err = decodeMessage(b); err != nil {
		closeAll(fds...)
		return m, nil, err
	}
	return m, fds, nil
}

// outboxAgain is how soon parts that did not fit are tried again.
const outboxAgain = 10 * time.Millisecond

// sendParts gives a message to the kernel, with duplicates of descriptors: whole, or
// not at all, which is an error. What the kernel has no room for yet of one that
// it has begun to take waits in the outbox.
func (m *master) sendParts(p *proc, b []byte, fds []int) error {
	if m.flushOutbox(p); len(p.outbox) > 0 {
		return sys.ErrFull
	}
	for list, begun := partsOf(b, fds), false; len(list) > 0; list, begun = list[1:], true {
		err := p.ctl.Send(list[0].B, list[0].FDs...)
		if errors.Is(err, sys.ErrFull) && begun {
			p.outbox = keepParts(list)
			m.after(outboxAgain, func() { m.flushOutbox(p) })
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// keepParts duplicates the descriptors of parts, for the master may close its own
// before they can be sent. One that there is no room for is missing, which the
// receiver says.
func keepParts(list []part) (kept []part) {
	for _, c := range list {
		k := part{B: c.B}
		for _, fd := range c.FDs {
			if dup, err := sys.DupAbove(fd, 3); err == nil {
				k.FDs = append(k.FDs, dup)
			}
		}
		kept = append(kept, k)
	}
	return kept
}

// flushOutbox sends what waits there, as far as there is room.
func (m *master) flushOutbox(p *proc) {
	if len(p.outbox) == 0 {
		return
	}
	for len(p.outbox) > 0 {
		err := p.ctl.Send(p.outbox[0].B, p.outbox[0].FDs...)
		if errors.Is(err, sys.ErrFull) {
			m.after(outboxAgain, func() { m.flushOutbox(p) })
			return
		}
		if err != nil { // it has ended
			p.dropOutbox()
			return
		}
		closeAll(p.outbox[0].FDs...)
		p.outbox = p.outbox[1:]
	}
}

// dropOutbox forgets what nobody will receive.
func (p *proc) dropOutbox() {
	for _, c := range p.outbox {
		closeAll(c.FDs...)
	}
	p.outbox = nil
}
