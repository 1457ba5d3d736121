package websocket

import (
	"unicode/utf8"

	"github.com/jay-go/jay"
)

// limits of what a peer may send; all are in force.
type limits struct {
	message   int64  // bytes, before and after inflating
	frame     int64  // bytes of payload
	fragments uint32 // frames of one message
}

// event is what the parser found: a complete message or a control frame.
type event struct {
	op         opcode // opContinuation: nothing yet
	compressed bool   // data is still deflated, and text not checked
	joined     bool   // data is that of parser.part
	data       []byte // valid until the bytes it was parsed from go, or release
}

// parser turns bytes of any segmentation into events. It belongs to one
// connection and holds memory only inside a message that comes in pieces.
type parser struct {
	part   jay.Buffer // payload so far of a message that does not come in one piece
	left   int64      // payload bytes of the present data frame still to come
	key    uint32     // unmasks the next of them
	frames uint32     // of the present message so far
	text   textCheck
	op     opcode // of the present message; opContinuation: there is none
	flags  parserFlags
}

type parserFlags uint8

const (
	inFrame     parserFlags = 1 << iota // the header of a data frame was parsed
	lastFrame                           // and it is the last of its message
	inflating                           // the present message is compressed
	mayCompress                         // compression was negotiated
)

// next parses b, which it changes: payloads are unmasked in place. It returns
// the first event and how many bytes it used; the rest must come again, with
// more behind it when there was no event. Memory is that of jc, which tests do
// without; what an event refers to must be given back with release before the
// next call.
func (p *parser) next(b []byte, lim limits, jc *jay.Conn) (ev event, used int, err error) {
	for {
		if p.flags&inFrame == 0 {
			h, n, err := parseHeader(b[used:])
			if err == nil && n > 0 {
				err = p.allowed(h, lim)
			}
			if err != nil || n == 0 {
				return event{}, used, err
			}
			if h.op.control() {
				ev, n := control(h, n, b[used:])
				return ev, used + n, nil
			}
			used += n
			p.begin(h)
		}
		n := int(min(p.left, int64(len(b)-used)))
		if n == 0 && p.left > 0 {
			return event{}, used, nil
		}
		ev, err = p.payload(b[used:used+n], jc)
		used += n
		if err != nil || ev.op != opContinuation || p.flags&inFrame != 0 {
			return ev, used, err
		}
	}
}

// control takes a control frame once all of it is there.
func control(h header, n int, b []byte) (event, int) {
	end := n + int(h.length)
	if len(b) < end {
		return event{}, 0
	}
	mask(b[n:end], h.key)
	return event{op: h.op, data: b[n:end:end]}, end
}

// allowed holds a header against the state of the message and the limits.
func (p *parser) allowed(h header, lim limits) error {
	switch {
	case h.rsv1 && (p.flags&mayCompress == 0 || h.op.control() || h.op == opContinuation):
		return errCompressed
	case h.op.control():
		return nil
	case h.op == opContinuation && p.op == opContinuation:
		return errNoMessage
	case h.op != opContinuation && p.op != opContinuation:
		return errInterleaved
	case h.length > lim.frame:
		return errFrameTooBig
	case h.length > lim.message-p.size():
		return errMessageTooBig
	case p.frames >= lim.fragments:
		return errFragments
	}
	return nil
}

// size is how much of the present message has arrived.
func (p *parser) size() int64 { return int64(p.part.Len()) }

func (p *parser) begin(h header) {
	if h.op != opContinuation {
		p.op = h.op
		p.flags &^= inflating
		if h.rsv1 {
			p.flags |= inflating
		}
	}
	p.left, p.key = h.length, h.key
	p.frames++
	p.flags |= inFrame
	p.flags &^= lastFrame
	if h.fin {
		p.flags |= lastFrame
	}
}

// payload takes the next piece of a data frame's payload.
func (p *parser) payload(b []byte, jc *jay.Conn) (ev event, err error) {
	p.key = mask(b, p.key)
	p.left -= int64(len(b))
	end := p.left == 0
	last := end && p.flags&lastFrame != 0
	if end {
		p.flags &^= inFrame
	}
	if err := p.checkText(b, last); err != nil {
		return ev, err
	}
	if p.size() == 0 && last {
		return p.finish(b[:len(b):len(b)]), nil
	}
	total := p.size() + int64(len(b)) + p.left
	if p.flags&inflating != 0 {
		total += int64(len(inflateTail)) // see inflater.inflate
	}
	if p.part.AppendOf(jc, b, int(total)) != nil {
		return ev, errBudget
	}
	if !last {
		return ev, nil
	}
	ev = p.finish(p.part.Bytes())
	ev.joined = true
	return ev, nil
}

// checkText fails text as early as it can be known to be none.
func (p *parser) checkText(b []byte, last bool) error {
	switch {
	case p.op != opText || p.flags&inflating != 0:
		return nil
	case last && p.size() == 0 && utf8.Valid(b):
		return nil
	case !p.text.feed(b), last && !p.text.complete():
		return errText
	}
	return nil
}

func (p *parser) finish(data []byte) event {
	ev := event{op: p.op, compressed: p.flags&inflating != 0, data: data}
	p.op, p.frames = opContinuation, 0
	return ev
}

// release gives back what the last event referred to. A message that a control
// frame has come into the middle of is not affected.
func (p *parser) release() {
	if p.op == opContinuation {
		p.part.Free()
	}
}
